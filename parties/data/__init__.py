"""A member's tables: where they are, what is published of them, and how they are read by the engine that has them."""
