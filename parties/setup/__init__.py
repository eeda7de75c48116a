"""What a node has before it talks to anybody: its directory, its settings, the program it runs."""
