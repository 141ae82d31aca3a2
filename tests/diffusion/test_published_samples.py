"""Times and published loss weights where no vectors are recorded: the sub-VPSDE and the VESDE, cut off at 1e-5.

The numbers come from the definitions by 40-digit arithmetic: densities by quadrature of the optimal integrand, times by
solving CDF(t) = rho.
"""

from __future__ import annotations

import pytest
import torch

from lsgm.config import SdeConfig
from lsgm.sde import build_sde
from lsgm.time_sampling import build_time_sampler

SDES = {
    "sub_vpsde": SdeConfig(type="sub_vpsde"),
    "vesde": SdeConfig(type="vesde", sigma2_min=1e-4, sigma2_max=100.0, sigma2_0=1e-4),
}
RHO = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
UNIFORM = [0.100009, 0.500005, 0.900001]
ONES = [1.0, 1.0, 1.0]
SUB_LL = [19.1041873585, 5.88781943727, 9.01021408993]
VE_LL = [6.90775527898, 6.90775527898, 6.90775527898]
VE_TIME = [0.0666145795315, 0.333694905361, 0.635667546122]
VE_WEIGHT = [4.60128122875, 4.64636269815, 7.5980356648]

# SDE, weighting, time -> t, lambda_p, lambda_q at rho = .1, .5, .9
SAMPLES = {
    ("sub_vpsde", "ll", "is"): (
        [3.96895169871e-5, 0.006193275503, 0.165560548896],
        [13.8145008893, 13.8213908084, 16.1316920588],
        [13.8145008893, 13.8213908084, 16.1316920588],
    ),
    ("sub_vpsde", "un", "is"): (
        [0.0277172317651, 0.14934808512, 0.36565256253],
        [0.279506346549, 0.350540871957, 1.08518674906],
        [17.4850808256, 4.56752669089, 6.7408584985],
    ),
    ("sub_vpsde", "re", "is"): (
        [0.0979984968396, 0.25895223235, 0.476017372275],
        [0.105547073057, 0.749914133109, 4.94782437597],
        [10.5554287949, 2.999909628, 6.10895142458],
    ),
    ("sub_vpsde", "ll", "uniform"): (UNIFORM, SUB_LL, SUB_LL),
    ("sub_vpsde", "un", "uniform"): (UNIFORM, ONES, SUB_LL),
    ("sub_vpsde", "re", "uniform"): (UNIFORM, [0.205578001441, 4.99364088641, 9.00500919855], SUB_LL),
    ("sub_vpsde", "rescale", "uniform"): (UNIFORM, [0.505438971661, 3.29230634735, 865.552556475], SUB_LL),
    ("vesde", "ll", "is"): (VE_TIME, VE_WEIGHT, VE_WEIGHT),
    ("vesde", "un", "is"): (VE_TIME, [0.666103682444, 0.672629893576, 1.09992832084], VE_WEIGHT),
    ("vesde", "re", "is"): (
        [0.628053414148, 0.826107862314, 0.966168942311],
        [3.66087631394, 23.1906772204, 146.906768714],
        [6.2411492908, 2.56251406218, 2.3443807812],
    ),
    ("vesde", "ll", "uniform"): (UNIFORM, VE_LL, VE_LL),
    ("vesde", "un", "uniform"): (UNIFORM, ONES, VE_LL),
    ("vesde", "re", "uniform"): (UNIFORM, [0.00275036886748, 0.690823246629, 173.517364789], VE_LL),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("name", "weighting", "time"), SAMPLES)
def test_samples(name, weighting, time, dtype):
    sde = build_sde(SDES[name].model_copy(update={"time_eps": 1e-5}))
    sample = build_time_sampler(sde, weighting, time, official_weights=True).sample(RHO.to(dtype))
    for found, values in zip(
        (sample.time, sample.prior_weight, sample.vae_weight), SAMPLES[name, weighting, time], strict=True
    ):
        assert found.dtype == dtype
        expected = torch.tensor(values, dtype=torch.float64)
        torch.testing.assert_close(found.double(), expected, rtol=1e-10 if dtype == torch.float64 else 1e-5, atol=0)
