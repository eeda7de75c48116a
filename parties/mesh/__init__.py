"""Lanes: warm workers of all compute members, connected to each other."""
