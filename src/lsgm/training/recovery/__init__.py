"""What happens when updates are no longer finite: skipped, told, gone back from, or given up."""
