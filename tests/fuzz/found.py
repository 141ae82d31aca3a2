"""What fuzzing found, each as the smallest file that shows it: other exceptions than ConfigError, no end, no bound.

By what it is: the reader, its file before it is packed, and what the line that refuses it says (None: it is read).
"""

from __future__ import annotations

import struct

import numpy as np
from fuzz.targets_arrays import npy_with_header, npz
from fuzz.targets_images import zip_of
from fuzz.targets_settings import LAUGHS
from fuzz.targets_weights import HUGE

PLAIN = "{'descr': '|u1', 'fortran_order': False, 'shape': "
NAN = b'{"step": 1, "nelbo": NaN}\n'
FOUND = {
    # Arrays: NumPy's reader of headers raised TypeError, IndexError and tokenize's own error, or asked for 4 GiB.
    "shape beyond any index": ("npy", npy_with_header(PLAIN + "(0, 1" + "0" * 30 + "), }"), "x.npy"),
    "type that is a tuple": (
        "npy",
        npy_with_header("{'descr': ('|u1',), 'fortran_order': False, 'shape': (1,), }"),
        "header",
    ),
    "open quotes": ("npy", npy_with_header("'''"), "header"),
    "open bracket": ("npy", npy_with_header(PLAIN + "(48,), "), "x.npy"),
    "a header of 9000 signs": ("npy", npy_with_header("-" * 9000 + "1"), "header"),
    "a header of 4 GiB": ("npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "format 2.0"),
    "names of arrays with line breaks": ("npz", zip_of({"a\nb\x1b[31m.npy": npy_with_header("")}), r"a b\\x1b\[31m"),
    "parts of different sizes": (
        "npz",
        npz(train=np.zeros((1, 4, 4), np.uint8), test=np.zeros((1, 5, 5), np.uint8)),
        r"x\.npz",
    ),
    # Pickles: the reader in C makes room for 2^28 objects, or for as many bytes as are said to come.
    "an object to remember as number 2^28": ("cifar10 pickle", b"\x80\x02Nr\xf0\xff\xff\x0f.", None),
    "bytes that are not there": ("cifar10 pickle", b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.", "damaged"),
    "a pickle for torch that remembers as number 2^28": (
        "pickle of a TorchScript archive",
        b"\x80\x02Nr\xf0\xff\xff\x0f.",
        "remembered as number 268,435,440",
    ),
    # Settings.
    "aliases that multiply": ("experiment", LAUGHS, "alias"),
    "a whole number of 5000 digits": ("experiment", b"seed: " + b"9" * 5000, "not valid YAML"),
    "a number that is none": ("experiment", b"seed: 0x_", "no decimal number"),
    "a day is a text": ("experiment", b"seed: 2001-99-99", "seed"),
    "brackets without end": ("experiment", b"data: " + b"[" * 5000, "levels"),
    "a key twice": ("experiment", b"seed: 1\nseed: 2", "'seed' is there twice in line 2"),
    "a backbone that is a mapping": ("folder of settings", b"backbone: {a: 1}", "not the name"),
    "a backbone with a zero byte": ("experiment", b'backbone: "a\\0b"', "not the name"),
    "an absent backbone names its experiment": (
        "experiment",
        b"backbone: absent",
        r"changed\.yaml: its backbone 'absent'",
    ),
    "a name that is a list": ("experiment", b"name: [1]", "must be text"),
    "experiments that are a list": ("scale", b"experiments: [1]", "experiments needs"),
    "an experiment of a scale that is a list": ("scale", b"experiments: {mnist: [1]}", "mnist needs"),
    "all that is a list": ("scale", b"all: [1]", "all needs"),
    "keys of a scale that are no text": ("scale", b"1: 2\nb: 3", "a key is no text"),
    "a mistake of a scale names its file": ("scale", b"all: {sead: 1}", r"mnist\.yaml with .*demo\.yaml: unknown key"),
    "a field of csv beyond the limit": ("cells", b"cell\n" + b"a" * 2**17, "csv"),
    "a cell that leads out of its folder": (
        "cells",
        b"cell,sde,weighting,time,q_time,not_applicable\nvpsde-../x-is-rew,vpsde,../x,is,rew,",
        "line 2",
    ),
    "a word with 3000 dots": ("word of --set", b"a." * 3000 + b"a=1", "expected section.key=value"),
    # Records.
    "metrics with a number of 5000 digits": ("metrics", b'{"format": ' + b"9" * 5000 + b"}", "not valid JSON"),
    "metrics with brackets without end": ("metrics", b"[" * 100_000, "JSON"),
    "a training record that is a number": ("training record", b"1", "key: value"),
    "a damaged record says nothing of a length": ("length of a training", b'{"steps": 1', "damaged"),
    "a curve of infinite numbers": ("training curves", b'{"step": 1, "nelbo": ' + b"9" * 400 + b"}", "curves"),
    "a curve of nested lists": ("training curves", b'{"step": 1, "nelbo": ' + b"[" * 2000, "curves"),
    "a curve without a step": ("training curves", b'{"step": null, "nelbo": 1}', "step"),
    "a line that is a number": ("curve to go on with", b"1\n" + NAN, None),
    # Files of tensors.
    "samples whose record is a number of 5000 digits": (
        "header of samples",
        b'{"format": ' + b"9" * 5000 + b"}",
        "damaged",
    ),
    "samples whose record is a list": ("header of samples", b"[]", "not a file of samples"),
    "prepared data with brackets without end": ("header of prepared data", b"[" * 100_000, "damaged"),
    **{
        f"a model of no sensible size, {index}": ("header of a model", header, "model")
        for index, header in enumerate(HUGE)
    },
}
