"""A member's node, put together: the daemon, its answers to members and people, its own health."""
