"""What one training step computes: batch, random numbers, terms of the losses, gradients; and what it costs."""
