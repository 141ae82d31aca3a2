"""A measurement of the sampling cost that never was."""

from __future__ import annotations

from fake_metrics import make_metrics
from reporting.figure_cases import header

from lsgm.reporting.records.cost_measurement import SamplingCost

LSGM, PIXELS = "cifar10_balanced", "cifar10_pixels"
SAMPLERS = {
    "ode, tol 1e-05": ("ode", 138, 8.4),
    "predictor_corrector, num_steps 1000": ("predictor_corrector", 2000, 80),
}
SHAPES = {LSGM: (180, 16, 16), PIXELS: (3, 32, 32)}


def make_point(sampler: str, slower: float = 1.0, **changes) -> dict:
    """A sampler's point; its wall seconds are `slower` times those of the reference."""
    solver, nfe, wall = SAMPLERS[sampler]
    network, decoder = 0.9 * wall * slower, 0.05 * wall
    parts = {"network": network, "prior": wall * slower - decoder, "decoder": decoder, "batch": wall * slower}
    return {
        "sampler": sampler,
        "solver": solver,
        "nfe": nfe,
        "nfe_per_image": nfe - 8 if solver == "ode" else nfe,
        **{part: {"wall": seconds, "cpu": 2 * seconds} for part, seconds in parts.items()},
        "fastest": 0.98 * wall * slower,
        "slowest": 1.02 * wall * slower,
        "ratio": wall * slower / 8.4,
        "cpu_ratio": wall * slower / 8.0,
        "frechet": make_metrics().frechet,
        **changes,
    }


def make_model(run: str, slower: float = 1.0, **changes) -> dict:
    """A model with all samplers."""
    known = {
        "sde": "vpsde",
        "backbone": "pixels" if run == PIXELS else "nvae",
        "prior_shape": SHAPES[run],
        "parameters": {"vae": 0 if run == PIXELS else 100, "prior": 200},
        "points": [make_point(sampler, slower) for sampler in SAMPLERS],
    }
    return header(run, **{**known, **changes})


def make_cost(**changes) -> SamplingCost:
    """An LSGM, and a model of pixels that takes four times as long."""
    sizes = {"scale": "demo", "num_samples": 500, "batch_size": 125, "num_timed": 3}
    models = [make_model(LSGM), make_model(PIXELS, 4.0)]
    return SamplingCost.model_validate({**sizes, "models": models, **changes})
