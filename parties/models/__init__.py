"""Models: as assets with rules of their own, as what a receiver gets, and scoring with them."""
