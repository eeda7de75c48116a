"""What a node says to a job: its owner's rules, what is in force, and what waits for a person."""
