"""Ways in which a small checkpoint becomes a wrong one."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Change = Callable[[dict], dict]


def without(*names: str) -> Change:
    def change(content: dict) -> dict:
        return {name: value for name, value in content.items() if name not in names}

    return change


def having(**entries: object) -> Change:
    return lambda content: content | entries


def with_args(**values: object) -> Change:
    def change(content: dict) -> dict:
        for name, value in values.items():
            setattr(content["args"], name, value)
        return content

    return change


def without_arg(name: str) -> Change:
    def change(content: dict) -> dict:
        delattr(content["args"], name)
        return content

    return change


def with_tensor(entry: str, name: str, value: object) -> Change:
    """Put a value, or what a function makes of the tensor there, at one name; None takes it away."""

    def change(content: dict) -> dict:
        old = content[entry].pop(name, None)
        new = value(old) if callable(value) else value
        if new is not None:
            content[entry][name] = new
        return content

    return change


def vae(name: str, value: object) -> Change:
    return with_tensor("vae_state_dict", name, value)


def score(name: str, value: object) -> Change:
    return with_tensor("dae_state_dict", name, value)


def poisoned(tensor: Tensor) -> Tensor:
    tensor.view(-1)[0] = float("nan")
    return tensor
