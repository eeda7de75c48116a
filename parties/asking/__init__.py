"""How programs ask a node: what both clients have in common, and how answers and plan cards look."""
