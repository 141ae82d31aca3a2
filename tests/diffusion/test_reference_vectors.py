"""The published code's SDE functions, times and loss weights; in double precision they agree to rounding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lsgm.config import SdeConfig
from lsgm.diffusion import SubVPSDE, build_sde, build_time_sampler

FUNCTIONS = {"f": "drift", "g2": "diffusion_squared", "var": "variance", "e2int_f": "mean"}
MODES = {
    "ll_uniform": ("ll", "uniform"),
    "ll_iw": ("ll", "is"),
    "drop_all_uniform": ("un", "uniform"),
    "drop_all_iw": ("un", "is"),
    "drop_sigma2t_uniform": ("re", "uniform"),
    "drop_sigma2t_iw": ("re", "is"),
}
PAPER = {
    "vpsde": SdeConfig(type="vpsde"),
    "geometric_sde": SdeConfig(type="geometric", sigma2_0=3e-5),
    "sub_vpsde": SdeConfig(type="sub_vpsde"),
    "vesde": SdeConfig(type="vesde", sigma2_min=1e-4, sigma2_max=100.0, sigma2_0=1e-4),
}
# file, prefix of its arrays, settings
SDE_VECTORS = {
    **{name: (f"a_sde_{name}", "", config) for name, config in PAPER.items()},
    "geometric, sigma2_0 = 0": (
        "a_sde_variants",
        "geo_s0_0__",
        SdeConfig(type="geometric", sigma2_min=1e-4, sigma2_max=0.99, sigma2_0=0.0),
    ),
    "vpsde, sigma2_0 > 0": ("a_sde_variants", "vp_s0_1e-3__", SdeConfig(type="vpsde", sigma2_0=1e-3)),
    "sub_vpsde, sigma2_0 > 0": ("a_sde_variants", "subvp_s0_1e-3__", SdeConfig(type="sub_vpsde", sigma2_0=1e-3)),
}
WEIGHT_VECTORS = [
    (sde, eps, mode)
    for sde, cut_offs in {"vpsde": ["0.01", "1e-05"], "geometric_sde": ["0.01", "1e-05", "0"]}.items()
    for eps in cut_offs
    for mode in MODES
    if (sde, mode) != ("geometric_sde", "drop_all_iw")
]


def load(folder, name):
    with np.load(folder / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files if file[key].dtype.kind == "f"}


def assert_agrees(ours, double_reference):
    """Ours in either precision against the double-precision vector, elements that are 0/0 there left out."""
    finite = torch.isfinite(double_reference)
    rtol, atol = (1e-9, 1e-15) if ours.dtype == torch.float64 else (1e-5, 1e-7)
    torch.testing.assert_close(ours[finite].double(), double_reference[finite], rtol=rtol, atol=atol)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("case", SDE_VECTORS)
def test_sde(reference, case, dtype):
    name, prefix, config = SDE_VECTORS[case]
    sde, vectors = build_sde(config), load(reference, name)
    t, x = vectors["t"].to(dtype), vectors["x"].to(dtype)
    for key, function in FUNCTIONS.items():
        assert_agrees(getattr(sde, function)(t), vectors[f"{prefix}{key}__f64"])
    assert_agrees(sde.normal_prediction(x, t), vectors[f"{prefix}mixing_component__f64"])
    assert_agrees(sde.perturb(x, x.flip(0), t), vectors[f"{prefix}sample_q_of_x_reversed_noise__f64"])


@pytest.mark.parametrize("case", [name for name in SDE_VECTORS if name.startswith("sub_vpsde")])
def test_vpsde_behind_the_sub_vpsde(reference, case):
    name, prefix, config = SDE_VECTORS[case]
    sde, vectors = build_sde(config), load(reference, name)
    assert isinstance(sde, SubVPSDE)
    assert_agrees(sde.vpsde.variance(vectors["t"]), vectors[f"{prefix}var_vpsde__f64"])
    assert_agrees(sde.beta.rate(vectors["t"]), vectors[f"{prefix}beta__f64"])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("sde_name", "eps", "mode"), WEIGHT_VECTORS)
def test_times_and_weights(reference, sde_name, eps, mode, dtype):
    vectors = load(reference, f"b_iw_{sde_name}")
    sde = build_sde(PAPER[sde_name].model_copy(update={"time_eps": float(eps)}))
    sample = build_time_sampler(sde, *MODES[mode], official_weights=True).sample(vectors["rho"].to(dtype))
    assert sample.time.dtype == sample.prior_weight.dtype == sample.vae_weight.dtype == dtype
    expected = {key: vectors[f"eps{eps}/{mode}/{key}__f64"] for key in ("t", "obj_weight_t", "obj_weight_t_ll")}
    assert_agrees(sample.time, expected["t"])
    assert_agrees(sample.prior_weight, expected["obj_weight_t"].expand(len(sample.time)))
    assert_agrees(sample.vae_weight, expected["obj_weight_t_ll"])


@pytest.mark.parametrize("sde_name", PAPER)
def test_constants_of_theorem_1(reference, sde_name):
    vectors = load(reference, "d_mixed_ce")
    for eps, expected in zip(vectors["ce_time_eps"], vectors[f"ce_const_{sde_name}__f64"], strict=True):
        if torch.isfinite(expected):
            sde = build_sde(PAPER[sde_name].model_copy(update={"time_eps": eps.item()}))
            assert sde.cross_entropy_constant() == pytest.approx(expected.item(), rel=1e-9)
