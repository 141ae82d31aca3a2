"""The surroundings: locks, time slots, batch systems, and what a machine offers."""
