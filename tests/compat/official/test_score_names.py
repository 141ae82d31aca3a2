from __future__ import annotations

import pytest
import torch
from models.score.small_networks import CHANNELS, SIDE, TINY, VARIANTS, label, randomised

from lsgm.compat.official.score_names import ATTENTION_LAYERS, BLOCK_LAYERS, from_official, official_names, to_official
from lsgm.models.score import ScoreNetwork

# Number in `all_modules` and our module.
COMMON = {
    0: "embedding.first",
    1: "embedding.second",
    2: "conv_in",
    3: "down.0.blocks.0",
    4: "down.0.resample",
}
NO_PYRAMID = COMMON | {
    5: "down.1.blocks.0",
    6: "down.1.attentions.0",
    7: "middle_in",
    8: "middle_attention",
    9: "middle_out",
    10: "up.0.blocks.0",
    11: "up.0.blocks.1",
    12: "up.0.attention",
    13: "up.0.resample",
    14: "up.1.blocks.0",
    15: "up.1.blocks.1",
    16: "norm_out",
    17: "conv_out",
}
BODY_AFTER_INPUT_STEP = {
    6: "down.1.blocks.0",
    7: "down.1.attentions.0",
    8: "middle_in",
    9: "middle_attention",
    10: "middle_out",
    11: "up.0.blocks.0",
    12: "up.0.blocks.1",
    13: "up.0.attention",
    14: "up.0.pyramid_step.norm",
    15: "up.0.pyramid_step.conv",
    16: "up.0.resample",
    17: "up.1.blocks.0",
    18: "up.1.blocks.1",
}
SKIPS = (
    COMMON
    | {5: "down.0.pyramid_step"}
    | BODY_AFTER_INPUT_STEP
    | {19: "up.1.pyramid_step.norm", 20: "up.1.pyramid_step.conv"}
)
RESIDUALS = (
    COMMON
    | {5: "down.0.pyramid_step.resample"}
    | BODY_AFTER_INPUT_STEP
    | {19: "up.1.pyramid_step.resample", 20: "norm_out", 21: "conv_out"}
)
INNER = BLOCK_LAYERS | ATTENTION_LAYERS | {"norm": "GroupNorm_0"}
CASES = {
    "none": ({}, NO_PYRAMID, None),
    "skips": ({"progressive_input": "input_skip", "progressive": "output_skip"}, SKIPS, "Conv_0"),
    "skips, no fir": ({"progressive_input": "input_skip", "progressive": "output_skip", "fir": False}, SKIPS, "Conv_0"),
    "residuals": ({"progressive_input": "residual", "progressive": "residual"}, RESIDUALS, "Conv2d_0"),
    "residuals, no fir": (
        {"progressive_input": "residual", "progressive": "residual", "fir": False},
        RESIDUALS,
        "Conv_0",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_names_listed_by_hand(case):
    changes, modules, pyramid_conv = CASES[case]
    network = ScoreNetwork(TINY.model_copy(update=changes), CHANNELS, SIDE)
    inner = INNER | {"conv": pyramid_conv}
    expected = {}
    for own in network.state_dict():
        number, module = next((n, m) for n, m in modules.items() if own.startswith(f"{m}."))
        *layer, kind = own.removeprefix(f"{module}.").split(".")
        published = [inner[name] for name in layer]
        if published and published[0].startswith("NIN"):
            kind = {"weight": "W", "bias": "b"}[kind]
        expected[own] = ".".join(["all_modules", str(number), *published, kind])
    assert official_names(network) == expected
    assert {int(name.split(".")[1]) for name in expected.values()} == set(range(max(modules) + 1))


@pytest.mark.parametrize("config", VARIANTS, ids=label)
def test_names_are_unique_and_the_round_trip_changes_nothing(config):
    network = randomised(config.model_copy(update={"embedding": "fourier"}))
    state = network.state_dict()
    names = official_names(network)
    assert names.keys() == state.keys()
    assert len(set(names.values())) == len(names)
    published = to_official(network, state)
    assert published.keys() == set(names.values())
    back = from_official(network, published)
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], state[name]) for name in state)


def test_what_changes_its_shape():
    network = randomised(TINY.model_copy(update={"embedding": "fourier"}))
    state = network.state_dict()
    published = to_official(network, state)
    assert torch.equal(published["temb_fun.w"], state["embedding.features.frequencies"][None])
    assert published["temb_fun.w"].shape == (1, 4)
    assert torch.equal(published["all_modules.8.NIN_0.W"], state["middle_attention.query.weight"].T)
    assert torch.equal(published["all_modules.8.NIN_0.b"], state["middle_attention.query.bias"])
    assert torch.equal(published["all_modules.0.weight"], state["embedding.first.weight"])


def test_positional_embedding_has_no_frequencies():
    assert "temb_fun.w" not in official_names(ScoreNetwork(TINY, CHANNELS, SIDE)).values()


def test_every_missing_and_every_left_over_tensor_is_named():
    network = ScoreNetwork(TINY, CHANNELS, SIDE)
    published = to_official(network, network.state_dict())
    wrong = {name: value for name, value in published.items() if not name.startswith("all_modules.17.")}
    wrong |= {"temb_fun.w": torch.ones(1, 4), "all_modules.99.weight": torch.ones(1)}
    message = "missing: all_modules.17.bias, all_modules.17.weight; not consumed: all_modules.99.weight, temb_fun.w"
    with pytest.raises(KeyError) as caught:
        from_official(network, wrong)
    assert caught.value.args == (message,)
    with pytest.raises(KeyError) as caught:
        to_official(network, {"conv_in.wieght": torch.ones(1)} | network.state_dict())
    assert caught.value.args == ("not consumed: conv_in.wieght",)
