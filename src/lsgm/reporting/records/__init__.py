"""What is read from disk: metrics, training records, measurements for figures; and the runs that they belong to."""
