"""What a run tells: its curve, its lines on the terminal, its times."""
