"""The same run on a GPU and on the CPU: all draws are made on the CPU, so only rounding may differ."""

from __future__ import annotations

import pytest
import small_run
import torch

from lsgm.config import RescueConfig
from lsgm.data import TrainBatches
from lsgm.sampling import sample_images
from lsgm.training import pretrain, train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and there is none here"),
]
FULL = {"precision": "float32"}


@pytest.mark.parametrize("algorithm", small_run.OBJECTIVES)
def test_training_and_samples_agree_with_the_cpu(algorithm, tmp_path):
    config = small_run.run_config(
        objective=small_run.OBJECTIVES[algorithm],
        prior=small_run.PRIOR.model_copy(update={"dropout": 0.0}),
        pretrain=small_run.pretrain_settings(**FULL),
        train=small_run.train_settings(**FULL),
    )
    alone = config.model_copy(update={"backbone": None})
    outcomes = {}
    for device in ("cpu", "cuda"):
        for stage in ("vae", "lsgm"):
            (tmp_path / device / stage).mkdir(parents=True)
        backbone = pretrain(alone, small_run.blocks(), tmp_path / device / "vae", device)
        result = train(config, small_run.blocks(), backbone.model, tmp_path / device / "lsgm", device)
        settings = config.sample.model_copy(update={"num_samples": 8, "tol": 1e-4})
        outcomes[device] = result, sample_images(result.model.to(device), settings, config.seed, device).images
    (cpu, cpu_images), (cuda, cuda_images) = outcomes["cpu"], outcomes["cuda"]
    assert cuda.status == cpu.status == "ok"
    assert cuda.final["nelbo"] == pytest.approx(cpu.final["nelbo"], rel=1e-3)
    assert (cuda_images - cpu_images).abs().max() < 0.02


def test_going_back_restores_everything(tmp_path, monkeypatch):
    """Inputs are made a step ahead; what was made when the run goes back must not be taken."""
    changes = FULL | {"checkpoint_every": 2, "max_skipped": 2, "rescue": RescueConfig(lr_factor=1, sr_factor=1)}
    config = small_run.run_config(pretrain=small_run.pretrain_settings(**changes))
    expected = pretrain(config, small_run.blocks(), small_run.folder(tmp_path, "calm"), "cuda").model.state_dict()
    batch, taken = TrainBatches.batch, []

    def broken(self: TrainBatches, step: int, rows: slice = slice(None)) -> torch.Tensor:
        x = batch(self, step, rows)
        taken.append(step)
        # Step 5 is taken once, step 6 once more to find out what is wrong with it.
        spoiled = (step == 5 and taken.count(5) == 1) or (step == 6 and taken.count(6) <= 2)
        return x * torch.nan if spoiled else x

    monkeypatch.setattr(TrainBatches, "batch", broken)
    result = pretrain(config, small_run.blocks(), small_run.folder(tmp_path, "rescued"), "cuda")
    assert [(rollback.step, rollback.rolled_back_to) for rollback in result.rollbacks] == [(7, 4)]
    found = result.model.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in found)
