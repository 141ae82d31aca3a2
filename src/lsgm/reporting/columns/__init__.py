"""Which column of a table a number belongs to, and how it is printed there."""
