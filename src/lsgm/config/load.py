"""From files and `key=value` words to one validated ExperimentConfig.

Order, later wins: defaults, the backbone's experiment file (its data, vae and pretrain sections), the experiment file,
the scale file (`all`, then what it says of the backbone's data, vae and pretrain, then of the experiment), the cell of
Table 6, the variants of config/axes.yaml, `--set`. A backbone may itself have a backbone, of which the same holds.

A file with every section, as it lies beside a model, is complete: its backbone is only a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from .base import ConfigError
from .cells import cell_overrides
from .experiment import ExperimentConfig
from .text_files import MAX_YAML_BYTES, parse_yaml, read_text

Model = TypeVar("Model", bound=BaseModel)

BACKBONE_SECTIONS = ("data", "vae", "pretrain")
ABLATION = "ablation"
SCALE_KEYS = ("tables", "cells", "figures", "all", "experiments", "resources")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
MAX_KEY_PARTS = 10
MAX_SHOWN = 200


def load_experiment(
    experiment: Path,
    scale: Path | None = None,
    cell: str | None = None,
    overrides: Sequence[str] = (),
    variants: Mapping[str, Mapping[str, Any]] | None = None,
) -> ExperimentConfig:
    """Resolve one experiment file, at one scale.

    Args:
        experiment: file in `config/experiments`, beside which a backbone that it names is looked for; or the settings
            beside a model, `<model>.config.yaml`.
        scale: file in `config/scales`; None means the experiment as the paper has it.
        cell: a cell of `config/ablation.csv`, such as `vpsde-un-is-rew`.
        overrides: words `section.key=value`, the value in YAML.
        variants: settings of the changes from `config/axes.yaml` that the run has, by name.

    Raises:
        ConfigError: file absent or not YAML, unknown key, wrong type, impossible combination; one line that names it.
    """
    own = read_yaml(experiment)
    backbones = _backbones(experiment, own)
    tree: dict[str, Any] = {}
    for base in reversed(backbones.values()):
        tree = merge(tree, _backbone_sections(base))
    tree = merge(tree, own)
    tree.setdefault("name", experiment.stem)
    if not isinstance(tree["name"], str):
        raise ConfigError(f"{experiment}: name = {tree['name']!r}: it must be text; put it in quotes")
    if scale is not None:
        tree = merge(tree, _scale_layer(read_yaml(scale), scale, tree["name"], list(backbones)))
    if cell is not None:
        table = experiment.parent.parent / "ablation.csv"
        tree = merge(tree, cell_overrides(table, cell))
    if variants:
        tree["variant"] = "+".join(variants)
        for settings in variants.values():
            tree = merge(tree, settings)
    for word in overrides:
        tree = merge(tree, parse_override(word))
    # A mistake may stand in either file; which value won is not known any more.
    return validate(ExperimentConfig, tree, str(experiment) if scale is None else f"{experiment} with {scale}")


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping; an empty file is an empty mapping.

    Raises:
        ConfigError: absent, unreadable, too long, or not such a mapping.
    """
    try:
        text = read_text(path, MAX_YAML_BYTES)
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in yaml_files(path.parent))) or "none"
        raise ConfigError(f"{path}: no such file; there are: {known}") from None
    try:
        content = parse_yaml(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}; correct it") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, found {type(content).__name__}")
    return content


def yaml_files(folder: Path) -> list[Path]:
    """The settings files of a folder, in order of their names; hidden ones, as some systems leave behind, do not count.

    Raises:
        ConfigError: a name that neither a rule nor a folder of results can have.
    """
    files = sorted(file for file in folder.glob("*.yaml") if not file.name.startswith(".") and file.is_file())
    for file in files:
        if not FILE_NAME.fullmatch(file.stem):
            raise ConfigError(f"{file}: the name may hold letters, digits, '_', '-' and '.' only; rename it")
    return files


def parse_override(word: str) -> dict[str, Any]:
    """Turn `train.epochs=3` into `{"train": {"epochs": 3}}`; the value is YAML."""
    key, sign, text = word.partition("=")
    parts = key.split(".")
    if not sign or not all(parts) or len(parts) > MAX_KEY_PARTS:
        raise ConfigError(f"--set {word}: expected section.key=value, for example train.epochs=3")
    try:
        value = parse_yaml(text)
    except ConfigError as error:
        raise ConfigError(f"--set {word}: the value is {error}") from None
    for part in reversed(parts):
        value = {part: value}
    return value


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `over` laid on it: mappings merge, all else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def validate(model: type[Model], tree: Mapping[str, Any], source: str) -> Model:
    """Validate `tree`; the first mistake becomes one line that names the key, the value and what was expected."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_first_line(error)}") from None


def require_name(value: object, source: str) -> str:
    """Check that a value can be the name of an experiment.

    Raises:
        ConfigError: it is anything but a short text; the message starts with `source`.
    """
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= MAX_SHOWN:
        raise ConfigError(f"{source} = {str(value)[:MAX_SHOWN]!r} is not the name of an experiment")
    return value


def _first_line(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        return f"unknown key {key!r}{more}; `lsgm pretrain --help` says where the keys are listed"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f"{message}{more}"
    found = repr(first["input"])
    shown = found if len(found) <= MAX_SHOWN else f"{found[:MAX_SHOWN]} ..."
    return f"{key} = {shown}: {message[0].lower()}{message[1:]}{more}"


def _backbones(experiment: Path, own: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Experiments that this one builds on, by name, the nearest first; of a complete file no other file is read."""
    is_complete = ExperimentConfig.model_fields.keys() <= own.keys()
    found: dict[str, dict[str, Any]] = {}
    backbone = own.get("backbone")
    while backbone is not None:
        name = require_name(backbone, f"{experiment}: backbone")
        if name in (experiment.stem, *found):
            chain = " -> ".join([experiment.stem, *found, name])
            raise ConfigError(f"{experiment}: backbone goes in a circle, {chain}; the last one must have none")
        try:
            found[name] = {} if is_complete else read_yaml(experiment.parent / f"{name}.yaml")
        except ConfigError as error:
            raise ConfigError(f"{experiment}: its backbone {name!r}: {error}") from None
        backbone = found[name].get("backbone")
    return found


def _backbone_sections(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tree[name] for name in BACKBONE_SECTIONS if name in tree}


def _scale_layer(scale: Mapping[str, Any], path: Path, name: str, backbones: list[str]) -> dict[str, Any]:
    unknown = set(scale) - set(SCALE_KEYS)
    if unknown:
        raise ConfigError(f"{path}: unknown key {sorted(unknown)[0]!r}; a scale file has: {', '.join(SCALE_KEYS)}")
    layer: dict[str, Any] = {"scale": path.stem}
    layer = merge(layer, _mapping(scale, "all", path))
    experiments = _mapping(scale, "experiments", path)
    for backbone in reversed(backbones):
        layer = merge(layer, _backbone_sections(_mapping(experiments, backbone, path)))
    return merge(layer, _mapping(experiments, name, path))


def _mapping(tree: Mapping[str, Any], key: str, path: Path) -> Mapping[str, Any]:
    """One section of a scale file; an absent or empty one is an empty mapping."""
    found = tree.get(key) or {}
    if not isinstance(found, Mapping):
        raise ConfigError(f"{path}: {key} needs `key: value` lines, found {type(found).__name__}")
    return found
