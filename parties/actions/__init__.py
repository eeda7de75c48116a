"""What the commands of ``accord`` do; what is typed is in parties/commands."""
