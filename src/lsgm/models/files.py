"""Model files: one safetensors file with the weights and, as metadata, all that is needed to rebuild the model.

Nothing is unpickled, so a file from a stranger runs no code. Files appear whole or not at all: they are written under
another name, flushed to the disk and renamed. A readable copy of the settings lies beside, as `<stem>.config.yaml`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from lsgm.config import ConfigError, ExperimentConfig
from lsgm.data.source_files import is_file, refusing_damage
from lsgm.whole_file import explained, refused_by_system, write_text_whole, write_whole

from .file_header import CURE, FileHeader
from .lsgm import Lsgm, build_lsgm, build_outline


@dataclass(frozen=True)
class LoadedModel:
    """What a model file holds.

    Attributes:
        model: in eval mode.
        config: the settings that the model was made with.
        image_shape: (C, H, W) of the raw images.
        extra: further texts that were saved with it.
    """

    model: Lsgm
    config: ExperimentConfig
    image_shape: tuple[int, int, int]
    extra: dict[str, str]


def save_model(
    path: Path,
    model: Lsgm,
    config: ExperimentConfig,
    image_shape: tuple[int, int, int],
    extra: Mapping[str, str] | None = None,
) -> None:
    """Write a model file, and its settings beside it.

    Args:
        path: the file; its folder is made if absent.
        model: the model, on any device.
        config: the resolved settings, sde.sigma2_max included.
        image_shape: (C, H, W) of the raw images.
        extra: texts to keep with it, such as a checksum of the data.

    Raises:
        ValueError: a weight is not finite, or the model is not of the kind that `config` describes.
    """
    path = Path(path)
    if (model.prior is None) != config.is_vae:
        raise ValueError(f"{path}: a model of kind {model.kind!r} does not belong to the settings of {config.name!r}")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    bad = first_non_finite(tensors)
    if bad is not None:
        raise ValueError(f"{path}: not saved, {bad} has entries that are not finite")
    header = FileHeader(image_shape, model.vae.prior_shape, config, dict(extra or {}))
    metadata = header.to_metadata(tensors)
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    beside = settings_file(path)
    # The settings first: where the model is, they are.
    write_text_whole(beside, settings)
    write_whole(path, lambda temporary: save_file(tensors, temporary, metadata=metadata))


def load_model(
    path: Path,
    config: ExperimentConfig | None = None,
    device: torch.device | str = "cpu",
    image_shape: tuple[int, int, int] | None = None,
) -> LoadedModel:
    """Read a model file back, in eval mode.

    Args:
        path: the file.
        config: settings of which the architecture must agree with the file's; None accepts any. Only the VAE's part
            counts if they are those of a VAE alone.
        device: where the model goes.
        image_shape: (C, H, W) of the raw images that it is to be used on, if that is to be checked as well.

    Raises:
        ConfigError: the file is absent, damaged, of another program or version, or holds another model.
    """
    path = Path(path)
    metadata, tensors = _read(path)
    header = FileHeader.from_metadata(metadata, tensors, str(path))
    header.require_same_architecture(config, image_shape, str(path))
    _require_described(header, tensors, path)
    model = build_lsgm(header.config, header.image_shape)
    bad = first_non_finite(tensors)
    if bad is not None:
        raise ConfigError(f"{path}: {bad} has entries that are not finite; the file must be made again")
    model.load_state_dict(tensors)
    return LoadedModel(model.to(device).eval(), header.config, header.image_shape, header.extra)


def settings_file(path: Path) -> Path:
    """The readable copy of a model file's settings, beside it."""
    return path.with_name(f"{path.stem}.config.yaml")


def beside(path: Path, name: str) -> Path:
    """A file that belongs to a model file, such as `training.json`: two models in one folder have one each.

    The workflow's models are all named `model.safetensors`, each in a folder of its own, and need no such prefix.
    """
    return path.with_name(name if path.stem == "model" else f"{path.stem}.{name}")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def first_non_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """Return the name of the first tensor with an infinite or undefined entry, or None."""
    return next((name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()), None)


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    if not is_file(path):
        raise ConfigError(f"{path}: no such model file")
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {}), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # a damaged file can fail in any way
        refused = refused_by_system(error)
        if refused is not None:
            raise ConfigError(f"{path}: cannot be read ({explained(refused)})") from None
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: not a readable safetensors file ({reason}); damaged or incomplete") from None


def _require_described(header: FileHeader, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Compare the tensors with those that the settings need, before memory is given to a model of that size."""
    vae, prior, layers = header.config.vae, header.config.prior, 0
    if vae.has_weights:
        cells = vae.num_cells_per_group + vae.decoder_cells + vae.num_flows
        layers += vae.num_latent_scales * vae.num_groups_per_scale * cells
        layers += vae.num_preprocess_blocks * (vae.num_pre_post_cells + vae.post_cells)
    if header.kind == "lsgm":
        layers += len(prior.channel_mult) * prior.num_cells_per_scale
    if layers > len(tensors):
        raise ConfigError(f"{path}: {len(tensors)} tensors, too few for the {layers} cells in its settings; {CURE}")
    with refusing_damage(str(path), "a model, its settings make none", CURE):
        wanted = build_outline(header.config, header.image_shape).state_dict()
    _require_same_tensors(wanted, tensors, path)


def _require_same_tensors(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> None:
    missing, unexpected = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    for problem, names in (("lacks", missing), ("has an unexpected", unexpected)):
        if names:
            raise ConfigError(f"{path}: {problem} tensor {names[0]} ({len(names)} such); it is of another version")
    for name, tensor in wanted.items():
        shape, dtype = found[name].shape, found[name].dtype
        if (shape, dtype) != (tensor.shape, tensor.dtype):
            raise ConfigError(
                f"{path}: tensor {name} is {dtype} {list(shape)}, expected {tensor.dtype} {list(tensor.shape)}"
            )
