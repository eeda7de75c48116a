"""How a command looks on a terminal: help, options, output, completion, exit status."""
