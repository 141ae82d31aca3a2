"""The header of a model file: what is in it, how it is checked, and how it is compared with what is asked for.

Only the settings that fix the networks and the latent space are compared: the image's shape, `data.pad`,
`data.num_bits`, `vae`, and with a prior also `prior` and `sde`. The rest of a run may differ.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lsgm.config import ConfigError, ExperimentConfig, validate
from lsgm.config.text_files import parse_json
from lsgm.data.source_files import refusing_damage

METADATA_KEY = "lsgm_model"
VERSION = 2
MAX_SIDE = 2**16
CURE = "copy or make it again"
KIND_NAMES = {"vae": "a VAE", "lsgm": "an LSGM"}


@dataclass(frozen=True)
class FileHeader:
    """What a model file says of its weights.

    Attributes:
        image_shape: (C, H, W) of the raw images.
        latent_shape: (C, r, r) of the latent that the prior models.
        config: the settings that the model was made with; they also tell a VAE from an LSGM.
        extra: further texts.
    """

    image_shape: tuple[int, int, int]
    latent_shape: tuple[int, int, int]
    config: ExperimentConfig
    extra: dict[str, str]

    @property
    def kind(self) -> str:
        """`vae` or `lsgm`."""
        return self.config.kind

    def to_metadata(self, tensors: Mapping[str, Tensor]) -> dict[str, str]:
        """Return what to store: one text, since several would be written in another order each time.

        Args:
            tensors: the weights that go with it; a checksum over them and the header is included.
        """
        content = {
            "version": VERSION,
            "kind": self.kind,
            "image_shape": list(self.image_shape),
            "latent_shape": list(self.latent_shape),
            "config": self.config.model_dump(mode="json"),
            "extra": self.extra,
        }
        return {METADATA_KEY: json.dumps(content | {"checksum": checksum(content, tensors)}, sort_keys=True)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], tensors: Mapping[str, Tensor], source: str) -> FileHeader:
        """Read what was stored.

        Raises:
            ConfigError: it is of another program or version, or not what was written; the message starts with `source`.
        """
        content = _content(metadata, source)
        expected = content.pop("checksum", None)
        with refusing_damage(source, "a model file", CURE):
            found = checksum(content, tensors)
        if expected != found:
            raise ConfigError(f"{source}: damaged, checksum {found} instead of {expected}; {CURE}")
        config = validate(ExperimentConfig, content.get("config", {}), f"{source}, its settings")
        shapes = [_shape(content.get(name), name, source) for name in ("image_shape", "latent_shape")]
        extra = content.get("extra")
        if not isinstance(extra, dict) or not all(isinstance(text, str) for text in extra.values()):
            raise ConfigError(f"{source}: its header cannot be read, extra holds what is no text; {CURE}")
        return cls(shapes[0], shapes[1], config, extra)

    def require_same_architecture(
        self, config: ExperimentConfig | None, image_shape: tuple[int, int, int] | None, source: str
    ) -> None:
        """Compare with the settings and the images that the model is wanted for; None is not compared.

        Raises:
            ConfigError: naming the first key that differs, with both values.
        """
        if image_shape is not None and tuple(image_shape) != self.image_shape:
            raise ConfigError(
                f"{source}: made for images of shape {list(self.image_shape)}, not {list(image_shape)} as asked for"
            )
        if config is None:
            return
        if config.kind != self.kind:
            raise ConfigError(
                f"{source}: holds {KIND_NAMES[self.kind]}, but {config.name} needs {KIND_NAMES[config.kind]}"
            )
        stored = architecture(self.config)
        for key, wanted in architecture(config).items():
            to_be_measured = key == "sde.sigma2_max" and wanted is None
            if stored[key] != wanted and not to_be_measured:
                raise ConfigError(
                    f"{source}: made with {key} = {json.dumps(stored[key])}, but {config.name} asks for "
                    f"{json.dumps(wanted)}; train again or change {key}"
                )


def architecture(config: ExperimentConfig) -> dict[str, Any]:
    """Return the settings that fix the networks and the latent space, as `section.key: value`."""
    tree = config.model_dump(mode="json")
    wanted = {"data": ("pad", "num_bits"), "vae": tuple(tree["vae"])}
    if not config.is_vae:
        wanted |= {"prior": tuple(tree["prior"]), "sde": tuple(tree["sde"])}
    return {f"{section}.{key}": tree[section][key] for section, keys in wanted.items() for key in keys}


def checksum(content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256, 64 hex digits, of a header and of the tensors in name order with names, dtypes, shapes."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _content(metadata: Mapping[str, str], source: str) -> dict[str, Any]:
    if METADATA_KEY not in metadata:
        raise ConfigError(f"{source}: a safetensors file, but not a model file of this program")
    try:
        content = parse_json(metadata[METADATA_KEY])
    except ConfigError as error:
        raise ConfigError(f"{source}: damaged, its header cannot be read, {error}; {CURE}") from None
    if not isinstance(content, dict) or "version" not in content:
        raise ConfigError(f"{source}: damaged, its header cannot be read; {CURE}")
    version = content["version"]
    if version != VERSION:
        raise ConfigError(
            f"{source}: format version {version}, this program reads version {VERSION}: its networks or settings "
            "are others; train or import the model again"
        )
    return content


def _shape(value: object, name: str, source: str) -> tuple[int, int, int]:
    if not isinstance(value, list) or len(value) != 3 or not all(_is_side(side) for side in value):
        raise ConfigError(f"{source}: its header cannot be read, {name} = {value!r} is no shape (C, H, W); {CURE}")
    channels, height, width = value
    return channels, height, width


def _is_side(side: object) -> bool:
    return isinstance(side, int) and not isinstance(side, bool) and 0 < side <= MAX_SIDE
