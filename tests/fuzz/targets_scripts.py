"""The Inception network's file: as a whole, and its pickles and code each packed with right checksums."""

from __future__ import annotations

from pathlib import Path

import torch
from fuzz.script_files import (
    FEATURES,
    NAME,
    code,
    code_name,
    code_with,
    packed,
    records,
    script,
    script_with,
    zip_bomb,
)
from fuzz.target import Target

DATA = "archive/data.pkl"
CONSTANTS = "archive/constants.pkl"


def read_inception(path: Path) -> None:
    """What is accepted gives finite features."""
    from lsgm.evaluation.frechet.inception import Inception

    features = Inception(path, None)(torch.full((2, 3, 8, 8), 0.25))
    assert features.shape == (2, FEATURES) and torch.isfinite(features).all()


ATTACKS = (
    b"",
    b"PK\x03\x04",
    zip_bomb(),
    packed({f"archive/data/{index}": b"" for index in range(20_000)}),
    packed(records() | {"archive/data/../../../tmp/x": b"x"}),
    packed(records() | {"/etc/x": b"x"}),
    packed({name: content for name, content in records().items() if name != DATA}),
)
PICKLE_ATTACKS = (
    b"",
    b"\x80\x02.",
    b"\x80\x02N.",
    b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00trueq\x00\x85R.",
    b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.",
    b"\x80\x02Nr\xf0\xff\xff\x0f.",
    b"\x80\x02" + b"(" * 100_000 + b".",
    b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
)
CODE_ATTACKS = (
    b"",
    *(
        code_with(line)
        for line in (
            "_x = torch.from_file('/etc/passwd', False, 10)",
            "_x = torch . from_file('/etc/passwd', False, 10)",
            "_x = ops.aten.from_file('/etc/passwd', False, 10)",
            "t = torch; _x = t.from_file('/etc/passwd', False, 10)",
            "_x = getattr(torch, 'from\\x5ffile')('/etc/passwd', False, 10)",
            "torch.save(weight, '/tmp/written')",
            "_x = ops.image.read_file('/etc/passwd')",
            "_x = torch.classes.a.B()",
            "_x = " + "(" * 100_000 + "1" + ")" * 100_000,
            "_x = " + "-" * 100_000 + "1",
            "_x = " + "1+" * 100_000 + "1",
            "_x = weight" + ".T" * 100_000,
            "_x = " + "not " * 100_000 + "True",
            "_x = torch.zeros([1000000000000])",
        )
    ),
    code() + b"  def __setstate__(self, state: Tensor) -> None:\n    pass\n",
)

TARGETS = (
    Target("TorchScript archive", NAME, (script(),), read_inception, examples=60, attacks=ATTACKS),
    Target(
        "pickle of a TorchScript archive",
        NAME,
        (records()[DATA],),
        read_inception,
        lambda content: script_with(DATA, content),
        examples=60,
        attacks=tuple(script_with(DATA, attack) for attack in PICKLE_ATTACKS),
    ),
    Target(
        "code of a TorchScript archive",
        NAME,
        (code(),),
        read_inception,
        lambda content: script_with(code_name(), content),
        is_text=True,
        examples=60,
        attacks=tuple(script_with(code_name(), attack) for attack in CODE_ATTACKS),
    ),
)
