"""Sums of all models and numbers of a results folder: equal before and after a change that moves no number.

    python tests/sums.py results/test > before.txt      # make sums does so, after the workflow at test scale

One line for each model (SHA-256 of its tensors, whatever they are called) and for each number of a metrics file, times
and versions left out. `diff before.txt after.txt` is the proof; only names may differ where a change renames.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from safetensors import safe_open

LEFT_OUT = ("seconds", "versions", "processes", "parameters")


def model_sum(path: Path) -> str:
    """SHA-256 over the sorted SHA-256 of all tensors."""
    digests = []
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 - not a mapping
            tensor = file.get_tensor(name).contiguous()
            key = f"{tensor.dtype} {tuple(tensor.shape)}".encode()
            digests.append(hashlib.sha256(key + tensor.flatten().view(-1).numpy().tobytes()).hexdigest())
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()


def numbers(value: object, place: str = "") -> Iterator[tuple[str, float]]:
    """All numbers of a JSON value with their places; what differs between equal runs is left out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not any(word in key for word in LEFT_OUT):
                yield from numbers(inner, f"{place}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from numbers(inner, f"{place}.{index}")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield place, value


def main(folder: Path) -> None:
    """Print the sums of a results folder."""
    for path in sorted(folder.rglob("model.safetensors")):
        if "work" not in path.parts:
            print(path.relative_to(folder).parent, "model", model_sum(path))
    for path in sorted(folder.rglob("metrics.json")):
        for place, value in numbers(json.loads(path.read_text(encoding="utf-8"))):
            print(path.relative_to(folder).parent, place, repr(value))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
