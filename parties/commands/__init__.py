"""What is typed: a file for each command of ``accord``, or for a few that belong together. See command_app.py."""
