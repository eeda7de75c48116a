"""From a file or a table of a database to a published one: proposals, questions, what others could learn."""
