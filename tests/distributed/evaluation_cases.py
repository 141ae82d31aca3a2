"""What the processes of the tests on sampling, evaluation and batch norms do."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from unittest import mock

import torch
from models.small_models import IMAGE_SHAPE, small_config
from torch import Tensor, nn

from lsgm import distributed, progress_log
from lsgm.config import EvaluateConfig, ExperimentConfig, FrechetConfig, NelboConfig, SampleConfig
from lsgm.evaluation import evaluate_nelbo, importance_weighted_bound
from lsgm.evaluation.frechet import frechet_distance
from lsgm.models import Lsgm, build_lsgm
from lsgm.randomness import normal
from lsgm.sampling import NumericalError, sample_images
from lsgm.sampling import images as images_module

NELBO = NelboConfig(num_iw_samples=2, num_steps=4, batch_size=3)
# Five batches, the last one smaller: an odd number for two processes.
SAMPLE = SampleConfig(num_samples=13, batch_size=3, tol=1e-2, num_steps=4)
FRECHET = FrechetConfig(features="random_conv", batch_size=16)


def config() -> ExperimentConfig:
    return small_config(evaluate=EvaluateConfig(nelbo=NELBO, frechet=FRECHET), sample=SAMPLE)


def model() -> Lsgm:
    """Weights of which none is zero."""
    made = build_lsgm(config(), IMAGE_SHAPE).eval()
    for number, weight in enumerate(made.parameters()):
        weight.data += 0.1 * normal(weight.shape, 2, "weights", number)
    return made


def grey(count: int, seed: int, shape: tuple[int, int, int] = IMAGE_SHAPE) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, *shape), generator=generator, dtype=torch.uint8)


def measurements(path: Path) -> dict[str, object]:
    lsgm, settings = model(), config()
    found: dict[str, object] = {}
    for solver in ("ode", "ancestral"):
        drawn = sample_images(lsgm, SAMPLE.model_copy(update={"solver": solver}), 3, "cpu")
        found[solver] = (drawn.images, drawn.nfe_mean, drawn.num_batches)
    nelbo = evaluate_nelbo(lsgm, grey(7, 1), settings, 0, "cpu")
    bound = importance_weighted_bound(Lsgm(lsgm.vae), grey(7, 1), settings, 0, "cpu")
    found["nelbo"] = (nelbo.per_image, nelbo.mean_nats, nelbo.nfe_mean, nelbo.cross_entropy, nelbo.errors)
    found["bound"] = (bound.per_image, bound.mean_nats)
    for parts in (1, 3):
        chosen = FRECHET.model_copy(update={"official_processes": parts})
        samples, real = grey(70, 2, (1, 8, 8)), grey(90, 3, (1, 8, 8))
        found[f"frechet {parts}"] = asdict(frechet_distance(samples, real, chosen, cache=path / "statistics"))
    found["error"] = failing_batch(lsgm)
    return found


def failing_batch(lsgm: Lsgm) -> str:
    """The second and the fourth batch cannot be drawn; one process would stop at the second."""
    original = images_module._sample_batch

    def fails(model: Lsgm, config: SampleConfig, indices: range, *rest: object) -> object:
        if indices.start in (3, 9):
            raise NumericalError(f"images from {indices.start} on are not finite")
        return original(model, config, indices, *rest)

    with mock.patch.object(images_module, "_sample_batch", fails):
        try:
            sample_images(lsgm, SAMPLE, 3, "cpu")
        except NumericalError as error:
            return str(error)
    return ""


def normalised(path: Path | None) -> dict[str, Tensor]:
    """Two batch norms in a row, trained for two steps on this process's rows of a batch, far from the origin."""
    layers = nn.Sequential(nn.BatchNorm2d(3, momentum=0.05), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).double()
    for number, weight in enumerate(layers.parameters()):
        weight.data = normal(weight.shape, 4, "weights", number).double()
    rows = distributed.same_rows(8, "batch")
    found: dict[str, Tensor] = {}
    with distributed.synchronised_batch_norms(layers):
        for step in range(2):
            x = (1000 + normal((8, 3, 5, 6), 5, "x", step).double())[rows].requires_grad_()
            output = layers(x)
            target = normal((8, *output.shape[1:]), 6, "target", step)[rows]
            gradients = torch.autograd.grad((output - target).pow(3).mean(), [x, *layers.parameters()])
            parts = distributed.all_gathered(gradients[0] / distributed.size())
            found |= {f"output {step}": torch.cat(distributed.all_gathered(output.detach()))}
            found |= {f"gradient of x {step}": torch.cat(parts)}
            found |= {f"gradient {step} {n}": distributed.mean(g) for n, g in enumerate(gradients[1:])}
    assert type(layers[0]) is nn.BatchNorm2d
    return found | dict(layers.state_dict())


def unsynchronised(path: Path) -> Tensor:
    """Running mean of a batch norm without synchronisation: it must differ between processes."""
    layer = nn.BatchNorm2d(3)
    layer(normal((8, 3, 5, 6), 5, "x")[distributed.same_rows(8, "batch")])
    return layer.running_mean


def told_of_its_pieces() -> list[str]:
    """What this process says of its progress through five pieces, without the pause of a minute."""
    lines: list[str] = []
    listener = mock.Mock(spec=logging.Handler, level=logging.INFO)
    listener.handle = lambda record: lines.append(record.getMessage())
    with mock.patch.object(progress_log, "PAUSE", 0.0), progress_log.shown("test"):
        progress_log.LOGGER.addHandler(listener)
        for _ in distributed.dealt(5, "batches"):
            pass
        progress_log.LOGGER.removeHandler(listener)
    return lines


def everything(path: Path) -> dict[str, object]:
    return {
        "measured": measurements(path),
        "normalised": normalised(path),
        "unsynchronised": unsynchronised(path),
        "told": told_of_its_pieces(),
    }
