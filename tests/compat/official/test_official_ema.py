"""Averages of the score network's weights inside the optimiser's state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from compat.official.small_checkpoints import save, small_content, with_average

from lsgm.compat import official
from lsgm.config import ConfigError


@pytest.mark.parametrize("entry", ["dae_optimizer", "dae_optimizer_state_dict"])
def test_the_average_is_taken_only_if_asked_for(tmp_path: Path, entry: str) -> None:
    content = with_average(small_content())
    content[entry] = content.pop("dae_optimizer")
    path = save(content, tmp_path / "checkpoint.pt")
    raw, averaged = official.read(path), official.read(path, ema=True)
    assert raw.has_ema and averaged.has_ema
    assert raw.left_out == averaged.left_out == (entry,)
    trained = {name for name, _ in raw.model.named_parameters() if name.startswith("prior.")}
    found, before = averaged.model.state_dict(), raw.model.state_dict()
    for name, tensor in found.items():
        assert torch.equal(tensor, before[name] + 1 if name in trained else before[name])
    assert torch.equal(official.load(path, ema=True).prior.mixing_logit, before["prior.mixing_logit"] + 1)


def test_other_numbers_of_parameters_and_half_precision(tmp_path: Path) -> None:
    """The numbers are only keys; their order in the groups, which may be several, is that of the network."""
    content = with_average(small_content())
    optimiser = content["dae_optimizer"]
    count = len(optimiser["state"])
    optimiser["state"] = {900 - index: entry for index, entry in optimiser["state"].items()}
    optimiser["param_groups"] = [{"params": [900]}, {"params": [900 - index for index in range(1, count)]}]
    optimiser["state"][900]["ema"] = torch.full((1, 6, 1, 1), 0.25, dtype=torch.float16)
    model = official.load(save(content, tmp_path / "checkpoint.pt"), ema=True)
    assert (model.prior.mixing_logit == 0.25).all()
    last = content["dae_state_dict"].popitem()[1] + 1
    assert torch.equal(model.prior.network.conv_out.bias, last)


@pytest.mark.parametrize("is_numbered", [True, False])
def test_frequencies_that_no_optimiser_moves_are_kept(tmp_path: Path, is_numbered: bool) -> None:
    content = with_average(small_content(embedding="fourier"))
    state = content["dae_optimizer"]["state"]
    frozen = list(content["dae_state_dict"]).index("temb_fun.w")
    del state[frozen]
    if not is_numbered:
        del content["dae_optimizer"]["param_groups"][0]["params"][frozen]
    path = save(content, tmp_path / "checkpoint.pt")
    raw, averaged = (official.load(path, ema=ema).prior.network for ema in (False, True))
    assert torch.equal(raw.embedding.features.frequencies, averaged.embedding.features.frequencies)
    assert torch.equal(raw.conv_in.weight + 1, averaged.conv_in.weight)


def _shrunk(content: dict) -> None:
    content["dae_optimizer"]["state"][1]["ema"] = torch.ones(2)


WRONG: dict[str, tuple[Callable[[dict], object], str]] = {
    "no optimiser": (lambda content: content.pop("dae_optimizer"), "no average .* leave the choice out"),
    "no state": (lambda content: content["dae_optimizer"].pop("state"), "no average .* leave the choice out"),
    "another optimiser": (
        lambda content: [entry.pop("ema") for entry in content["dae_optimizer"]["state"].values()],
        "no average .* leave the choice out",
    ),
    "one is missing": (
        lambda content: content["dae_optimizer"]["state"].pop(1),
        r"no average \(EMA\) of all_modules.0.weight",
    ),
    "another shape": (_shrunk, r"averaged: all_modules.0.weight is \[2\], but its args mean \[32, 8\]"),
    "not a tensor": (
        lambda content: content["dae_optimizer"]["state"][1].update(ema=3),
        "average of all_modules.0.weight is not a tensor",
    ),
    "not finite": (
        lambda content: content["dae_optimizer"]["state"][1]["ema"].fill_(float("inf")),
        "average of all_modules.0.weight has entries that are not finite",
    ),
    "another network": (
        lambda content: content["dae_optimizer"]["param_groups"][0]["params"].pop(),
        r"optimiser has \d+ parameters, dae_state_dict \d+ tensors",
    ),
    "no groups": (lambda content: content["dae_optimizer"].pop("param_groups"), "does not say which parameters"),
    "strange groups": (lambda content: content["dae_optimizer"].update(param_groups=[3]), "does not say which"),
    "strange numbers": (
        lambda content: content["dae_optimizer"]["param_groups"][0]["params"].__setitem__(0, []),
        "does not say which",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_refusals(tmp_path: Path, case: str) -> None:
    change, expected = WRONG[case]
    content = with_average(small_content())
    change(content)
    path = save(content, tmp_path / "checkpoint.pt")
    with pytest.raises(ConfigError, match=expected) as caught:
        official.read(path, ema=True)
    assert str(caught.value).startswith(f"{path}: ")
    assert official.read(path).model.prior is not None


def test_a_vae_has_none(tmp_path: Path) -> None:
    path = save(small_content(is_vae=True), tmp_path / "checkpoint.pt")
    with pytest.raises(ConfigError, match="a VAE of stage 1, of which no average"):
        official.read(path, ema=True)
    assert not official.read(path).has_ema
