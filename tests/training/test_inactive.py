from __future__ import annotations

import torch
from training.small_run import backbone, blocks, folder, run_config, set_posterior, train_settings

from lsgm import randomness
from lsgm.training import train
from lsgm.training.latents import channel_kl, inactive_channels


def open_all(vae) -> None:
    for group in range(2):
        set_posterior(vae, group, [0, 1, 2], mean=1.0, log_sigma=0.0)


def close_channel(vae, group: int, channel: int) -> None:
    """Make the posterior of one channel standard Normal."""
    set_posterior(vae, group, [channel], mean=0.0, log_sigma=0.0)


def batches(vae, count: int):
    for index in range(count):
        noises = [randomness.normal((2, *shape), index, "n") for shape in vae.latent_shapes]
        yield randomness.normal((2, 1, 8, 8), index, "x"), noises


def test_closed_channels_are_found():
    vae = backbone(run_config()).vae
    open_all(vae)
    close_channel(vae, 0, 1)
    close_channel(vae, 1, 2)
    assert inactive_channels(vae, batches(vae, 3)).tolist() == [False, True, False, False, False, True]


def test_kl_is_averaged_over_batches():
    vae = backbone(run_config()).vae
    kl = torch.stack([channel_kl(vae, x, noises) for x, noises in batches(vae, 3)]).mean(0)
    assert torch.equal(inactive_channels(vae, batches(vae, 3)), kl <= 0.1)


def test_training_hides_them_for_good(tmp_path, recorder):
    config = run_config(train=train_settings(drop_inactive=True, epochs=1))
    model = backbone(config)
    open_all(model.vae)
    close_channel(model.vae, 1, 0)
    result = train(config, blocks(), model, folder(tmp_path, "run"), reporter=recorder)
    assert result.model.prior.active.flatten().tolist() == [1, 1, 1, 0, 1, 1]
    logit = result.model.prior.mixing_logit.flatten()
    assert logit[3].item() < -14
    assert any("1 of 6 latent channels" in note for note in recorder.notes)
