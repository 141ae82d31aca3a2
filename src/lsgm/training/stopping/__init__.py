"""When a run ends before its last step: at a signal, or in time before its slot does."""
