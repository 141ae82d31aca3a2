"""What stage 2 must know of the backbone's latents before it starts."""
