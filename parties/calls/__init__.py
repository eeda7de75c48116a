"""How nodes, and a node and its people, reach each other: servers and clients over mutual TLS."""
