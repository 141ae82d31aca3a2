"""What turns gradients into weights: optimisers, schedules, the moving average, the spectral regulariser."""
