"""How a consortium begins: a founder, invitations, and the meeting at which a charter comes into force."""
