"""What stands below a table: where its numbers come from, what they do not share, how they are ordered."""
