"""Numbers worked out in double precision from the formulas, independently of this package."""

from __future__ import annotations

import pytest
import torch
from diffusion.cases import CASES

from lsgm.config import SdeConfig
from lsgm.objective import cross_entropy_constant
from lsgm.sde import build_sde
from lsgm.time_sampling import build_time_sampler

TIME = torch.tensor([0.01, 0.1, 0.5, 0.9, 1.0], dtype=torch.float64)
RHO = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)

TABLE = {
    "vpsde": {
        "variance": [0.0019930113102, 0.103717835638, 0.920936187547, 0.999711120237, 0.999956814251],
        "mean": [0.999002997338, 0.946721798821, 0.281182880797, 0.0169964632617, 0.00657158649493],
        "diffusion_squared": [0.299, 2.09, 10.05, 18.01, 20.0],
    },
    "geometric": {
        "variance": [3.32924454679e-05, 8.49895790242e-05, 0.00547448627727, 0.352631467812, 0.999],
        "mean": [0.999998353727, 0.999972504008, 0.997273959543, 0.804604221855, 0.031623250954],
        "diffusion_squared": [0.000346696186768, 0.000885098284708, 0.057321342247, 5.67228950919, 10402.8993633],
    },
}

# SDE, weighting -> times and the published weights λ_p, λ_q (None: the same) at ρ = .1, .5, .9, by 40-digit arithmetic.
# The published code's own numbers, in single precision, are off from the sixth digit on (VESDE times from the fourth).
SAMPLES = {
    ("vpsde", "ll"): (
        [0.014949040761, 0.062909661396, 0.27319104456],
        [3.1206150494, 3.2543123211, 6.7142527996],
        None,
    ),
    ("vpsde", "re"): (
        [0.098966545836, 0.25933152508, 0.47622554581],
        [0.55552884458, 0.99991345976, 4.9978372427],
        [5.4576300715, 1.9959351941, 5.5521627637],
    ),
    ("vpsde", "un"): (
        [0.036824270755, 0.15573597285, 0.36962642308],
        [0.27122437449, 0.34469824378, 1.0772210667],
        [6.6324051917, 2.4337374394, 5.3363654457],
    ),
    ("sub_vpsde", "ll"): (
        [0.014949040761, 0.062909661396, 0.27319104456],
        [6.2296477375, 6.3633450092, 9.8232854876],
        None,
    ),
    ("sub_vpsde", "re"): (
        [0.098966545836, 0.25933152508, 0.47622554581],
        [0.10733800728, 0.75090897286, 4.9480191062],
        [10.359731298, 2.9919569284, 6.1064882846],
    ),
    ("sub_vpsde", "un"): (
        [0.036824270755, 0.15573597285, 0.36962642308],
        [0.27122437449, 0.34469824378, 1.0772210667],
        [13.151872149, 4.3161048991, 6.6570846092],
    ),
    ("geometric", "ll"): ([0.1, 0.5, 0.9], [5.2070988871, 5.2353170091, 8.0428010926], None),
    ("geometric", "re"): (
        [0.77890658517, 0.93343932209, 0.98988245314],
        [0.55493832167, 0.99800193812, 4.9504445127],
        [5.5534372259, 1.9979418799, 5.5059815313],
    ),
    ("vesde", "ll"): ([0.070745101251, 0.31438546915, 0.59116862598], [4.5302448477, 4.5781878679, 7.5846476101], None),
    ("vesde", "un"): (
        [0.070745101251, 0.31438546915, 0.59116862598],
        [0.60751073251, 0.61393994337, 1.0171094456],
        [4.5302448477, 4.5781878679, 7.5846476101],
    ),
    ("vesde", "re"): (
        [0.60000319773, 0.80491110383, 0.96156143395],
        [5.0494949271, 49.507578726, 485.39515075],
        [6.5607648984, 3.0280627308, 2.8704198965],
    ),
}


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("function", ["variance", "mean", "diffusion_squared"])
def test_sde(name, function):
    expected = torch.tensor(TABLE[name][function], dtype=torch.float64)
    torch.testing.assert_close(getattr(CASES[name], function)(TIME), expected, rtol=1e-11, atol=0)


@pytest.mark.parametrize(("name", "weighting"), SAMPLES)
def test_times_and_published_weights(name, weighting):
    time, prior_weight, vae_weight = SAMPLES[name, weighting]
    sample = build_time_sampler(CASES[name], weighting, "is", official_weights=True).sample(RHO)
    expected = {"time": time, "prior_weight": prior_weight, "vae_weight": vae_weight or prior_weight}
    for attribute, values in expected.items():
        ours = getattr(sample, attribute)
        torch.testing.assert_close(
            ours, ours.new_tensor(values), rtol=1e-10, atol=0, msg=lambda m, a=attribute: f"{a}: {m}"
        )


@pytest.mark.parametrize(("weighting", "expected"), [("ll", 6.2180653761), ("re", 0.9979638029), ("un", 0.2660037023)])
def test_normalisers(weighting, expected):
    sde = CASES["vpsde"]
    integrand = {
        "ll": sde.variance_rate(TIME) / sde.variance(TIME),
        "re": sde.variance_rate(TIME),
        "un": sde.one_minus_variance(TIME),
    }[weighting]
    normaliser = integrand / build_time_sampler(sde, weighting, "is").proposal.density(TIME)
    torch.testing.assert_close(normaliser, torch.full_like(TIME, expected), rtol=0, atol=1e-10)


def test_published_normaliser_of_r_un():
    sde = CASES["vpsde"]
    ratio = (
        build_time_sampler(sde, "un", "is", official_weights=True).sample(RHO).vae_weight
        / build_time_sampler(sde, "un", "is").sample(RHO).vae_weight
    )
    torch.testing.assert_close(ratio, torch.full_like(ratio, 0.2666058990 / 0.2660037023), rtol=1e-9, atol=0)


def test_constants_of_theorem_1():
    assert cross_entropy_constant(CASES["vpsde"]) == pytest.approx(-1.6901157, abs=5e-8)
    assert cross_entropy_constant(CASES["geometric"]) == pytest.approx(-3.7882181, abs=5e-8)
    cut_off = build_sde(SdeConfig(type="geometric", sigma2_0=3e-5, time_eps=0.01))
    assert cross_entropy_constant(cut_off) == pytest.approx(-3.73615149, abs=5e-9)
