"""What jobs compute: what every kind has, and those over rows as such."""
