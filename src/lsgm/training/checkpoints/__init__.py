"""Resumable state on disk."""
