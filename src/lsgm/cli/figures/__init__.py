"""One figure of `lsgm figure` per module."""
