"""Forward passes of the official VAEs, numbers and all (f_mnist, f_cifar10, f_full_mnist)."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from models.official_vae_configs import official_arguments, official_vae
from models.official_vae_names import official_vae_modules, official_vae_state
from torch import Tensor

from lsgm.models.nvae import NVAE

PRECISIONS = {"f64": (torch.float64, 1e-9), "f32": (torch.float32, 1e-5)}


class Case:
    """A reference file, and the model with its weights in one precision."""

    def __init__(self, folder: Path, name: str, precision: str, state: dict[str, Tensor]) -> None:
        self.dtype, self.tolerance = PRECISIONS[precision]
        self.precision = precision
        self.arrays = np.load(folder / f"{name}.npz")
        self.model: NVAE = official_vae(official_arguments(folder / f"{name}.json")).to(self.dtype)
        self.model.load_state_dict(official_vae_state(state, self.model.config))
        self.x = 2 * self.array("x") - 1
        self.compared: set[str] = set()
        self.noises = [self.array(f"noise_{index:02}") for index in range(len(self.model.latent_shapes))]

    def array(self, name: str) -> Tensor:
        return torch.from_numpy(self.arrays[name]).to(self.dtype)

    def check(self, name: str, value: Tensor) -> None:
        """Compare with the array of this name, if the file has it in this precision."""
        key = f"{name}__{self.precision}"
        if key not in self.arrays:
            return
        self.compared.add(key)
        expected = torch.from_numpy(self.arrays[key])
        # Some float64 results are stored as float32.
        tolerance = max(self.tolerance, 1e-6 if expected.dtype == torch.float32 else 0.0)
        size = expected.abs().max().clamp(min=1).item()
        torch.testing.assert_close(value.to(expected.dtype), expected, rtol=tolerance, atol=tolerance * size)

    def check_all_were_compared(self, *prefixes: str) -> None:
        """Fail if the file has an array of the VAE in this precision that no check looked at."""
        kl_balancing = ("balanced", "alpha", "balance_coeffs")
        keys = {
            key
            for key in self.arrays
            if key.startswith(prefixes)
            and key.endswith(self.precision)
            and not any(part in key for part in kl_balancing)
        }
        assert keys == self.compared


def _normal_log_prob(z: Tensor) -> Tensor:
    return torch.distributions.Normal(0, 1).log_prob(z)


def _check_forward(case: Case, mode: str) -> None:
    posteriors = []
    hooks = [
        group.sampler.register_forward_hook(lambda _module, _inputs, posterior: posteriors.append(posterior))
        for _, group in case.model.decoder.steps()
    ]
    with torch.no_grad():
        result = case.model(case.x, case.noises)
    for hook in hooks:
        hook.remove()
    for index, (latent, log_q, posterior) in enumerate(zip(result.latents, result.log_q, posteriors, strict=True)):
        case.check(f"{mode}/mu_q_{index:02}", posterior.mean)
        case.check(f"{mode}/log_sig_q_{index:02}", posterior.log_sigma)
        case.check(f"{mode}/z_{index:02}", latent)
        case.check(f"{mode}/log_q_{index:02}", log_q)
        case.check(f"{mode}/kl_{index:02}", (log_q - _normal_log_prob(latent)).sum(dim=(1, 2, 3)))
    case.check(f"{mode}/log_q", sum(log_q.sum(dim=(1, 2, 3)) for log_q in result.log_q))
    case.check(f"{mode}/log_p", sum(_normal_log_prob(latent).sum(dim=(1, 2, 3)) for latent in result.latents))
    case.check(f"{mode}/logits", result.params)
    case.check(f"{mode}/recon_loss", case.model.reconstruction(result.params, case.x))
    case.check(f"{mode}/decoder_mean", case.model.output.mean(result.params))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["f_mnist", "f_cifar10"])
def test_narrow_networks(reference: Path, name: str, precision: str) -> None:
    state = torch.load(reference / f"{name}_vae_state.pt", weights_only=True)
    case = Case(reference, name, precision, state)

    case.model.eval()
    _check_forward(case, "eval")
    with torch.no_grad():
        image = case.model.output.mean(case.model.decode(case.noises))
    case.check("sample/image", (image.clamp(-1, 1) + 1) / 2)

    case.model.train()
    _check_forward(case, "train")
    ours = case.model.state_dict()
    modules = official_vae_modules(case.model.config)
    for statistic in ("running_mean", "running_var"):
        official = sorted(key for key in state if key.endswith(statistic))
        values = torch.cat([ours[f"{modules[key.rpartition('.')[0]]}.{statistic}"] for key in official])
        case.check(f"post_train/{statistic}", values)
    case.check_all_were_compared("eval/", "train/", "post_train/", "sample/")


def _recipe(name: str, shape: list[int]) -> np.ndarray:
    """The deterministic tensor of this name; f_full_mnist.json states the recipe."""
    r = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith("log_weight_norm") or name.endswith("running_mean"):
        return 0.1 * r
    if name.endswith("running_var"):
        return np.exp(0.2 * r)
    if name == "prior_ftr0":
        return 0.5 + 0.3 * r
    if len(shape) == 1:
        return 1 + 0.2 * r if name.endswith("weight") else 0.1 * r
    return r / np.sqrt(np.prod(shape[1:]))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_full_width_network(reference: Path, precision: str) -> None:
    official = json.loads((reference / "f_full_params.json").read_text())["configs"]["mnist"]["vae"]
    state = {
        name: torch.from_numpy(_recipe(name, shape).astype(np.float32))
        for name, shape in (official["params"] | official["buffers"]).items()
        if not name.endswith(("weight_normalized", "num_batches_tracked"))
    }
    counters = {name: torch.tensor(0) for name in official["buffers"] if name.endswith("num_batches_tracked")}
    case = Case(reference, "f_full_mnist", precision, state | counters)
    case.model.eval()
    _check_forward(case, "eval")
    case.check_all_were_compared("eval/")
