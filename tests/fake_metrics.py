"""Metrics files of runs that never were."""

from __future__ import annotations

from lsgm.reporting.records.metrics import Metrics


def make_metrics(experiment="cifar10_balanced", **changes) -> Metrics:
    """A run on CIFAR-10 at the paper's scale; `changes` replace entries, `section__key=value` those of a section."""
    tree = {
        "experiment": experiment,
        "kind": "lsgm",
        "scale": "paper",
        "status": "ok",
        "data": {
            "name": "cifar10",
            "title": "CIFAR-10",
            "num_train": 50_000,
            "num_test": 10_000,
            "image_shape": [3, 32, 32],
            "checksum": "d" * 64,
            "notes": "",
        },
        "nelbo": {
            "value": 3.0123,
            "stderr": 0.0042,
            "unit": "bits/dim",
            "num_images": 10_000,
            "terms": {"reconstruction": 2.0, "neg_entropy": -1.0, "cross_entropy": 2.0123},
            "nfe": 140.0,
            "seconds": 60.0,
        },
        "frechet": {
            "value": 2.345,
            "name": "FID",
            "features": "inception",
            "protocol": "paper: float images, bilinear resize to 299x299 (align_corners = False)",
            "num_samples": 50_000,
            "num_reference": 50_000,
            "weights_sha256": "ab" * 32,
        },
        "sampling": {"solver": "ode", "tol": 1e-5, "nfe": 138.0, "seconds": 9.0, "num_samples": 50_000},
        "training": {"steps": 100, "epochs": 1, "seconds": 5.0, "final": {"loss": 1.5}},
        "parameters": {"vae": 100, "prior": 200},
        "provenance": {
            "commit": "c0ffee0",
            "dirty": False,
            "config_hash": "0123456789ab",
            "seed": 1,
            "versions": {"torch": "2.13.0"},
            "device": "cpu",
            "started": "2026-01-01T00:00:00+00:00",
            "wall_seconds": 70.0,
            "model_sha256": "e" * 64,
            "data_checksum": "d" * 64,
        },
    }
    for name, value in changes.items():
        section, _, key = name.partition("__")
        if key:
            tree[section][key] = value
        else:
            tree[section] = value
    return Metrics.model_validate(tree)


def make_vae(experiment="cifar10_vae1", **changes) -> Metrics:
    """A VAE backbone with its importance-weighted estimate."""
    nll = {"value": 2.9876, "stderr": 0.011, "unit": "bits/dim", "num_images": 10_000, "num_iw_samples": 1000}
    return make_metrics(experiment, **{"kind": "vae", "nll": nll, "parameters__prior": 0, **changes})


STAND_IN = {
    "scale": "demo",
    "scaled_down": "a VAE of 2 groups, 3 epochs",
    "data__name": "patches",
    "data__title": "photo_patches 8x8 & more",
    "data__num_test": 500,
    "nelbo__num_images": 100,
    "frechet__name": "Fréchet distance, random-convolution features",
    "frechet__features": "random_conv-v1",
    "frechet__protocol": "no resize",
    "frechet__weights_sha256": None,
    "frechet__num_samples": 400,
    "frechet__num_reference": 1000,
}
