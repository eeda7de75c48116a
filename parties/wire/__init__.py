"""What nodes, and a node and its people, say to each other: fields, bounds and envelopes. Pure."""
