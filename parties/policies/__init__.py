"""What an owner allows, what a job asks of it, and what was told of the owner's people so far."""
