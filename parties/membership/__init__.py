"""Who belongs to the consortium and whom a node believes: charters, their signatures, trust."""
