"""A node's part in jobs: what it keeps of them, the order of steps, votes, ballots, ends, deliveries."""
