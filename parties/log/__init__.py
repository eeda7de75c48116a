"""What happened at a node, as entries nobody can change later, and the heads that members show of theirs."""
