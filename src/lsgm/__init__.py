"""Latent score-based generative models (LSGM; Vahdat, Kreis and Kautz, NeurIPS 2021).

A VAE whose prior is a score-based generative model, trained jointly. The folders are the paper's concepts; imports
point downwards: cli, reporting, training, evaluation, sampling, models, diffusion, data, config.
"""

__version__ = "0.1.0"
