"""Records of runs: metrics, measurements for figures, training records and curves."""

from __future__ import annotations

import json
import math
from pathlib import Path

from fake_metrics import make_metrics, make_vae
from fuzz.target import Target
from reporting.cost_cases import make_cost
from reporting.figure_cases import make_samplers, make_study, make_sweep

from lsgm.cli.verbs.export_official import _length
from lsgm.config import Section
from lsgm.reporting import read_metrics
from lsgm.reporting.figures.curves import read_curves
from lsgm.reporting.records.cost_measurement import read_cost
from lsgm.reporting.records.figure_measurements import read_samplers, read_tolerance, read_variance
from lsgm.reporting.records.provenance import TrainingMetrics
from lsgm.reporting.records.training_file import read_training
from lsgm.training.logging import CurveLog, read_curve

LINE = {"step": 10, "nelbo": 1.5, "kl": [0.5, 1], "loss_prior": None, "lr_vae": 1e-4}
CURVE = "".join(json.dumps(LINE | {"step": 10 * step}) + "\n" for step in range(1, 4)).encode()
RECORD = json.dumps(
    {"status": "ok", "steps": 4, "epochs": 2, "seconds": 1.5, "final": {"loss": 1, "kl": "nan"}}
).encode()
JSON_ATTACKS = (
    b"",
    b"\n",
    b"null",
    b"1",
    b"[]",
    b'"x"',
    b"{}",
    b'{"format": 1}',
    b'{"format": true, "steps": NaN, "epochs": Infinity}',
    b'{"format": 1, "format": 1, "steps": 1, "steps": 2}',
    b'{"steps": ' + b"9" * 5000 + b"}",
    b'{"steps": 1e999, "epochs": 1e999}',
    b'{"steps": "1", "epochs": [2]}',
    b"[" * 100_000,
    b'{"format":' * 100_000,
    b'{"format": ' + b"[" * 60 + b"]" * 60 + b"}",
    b'{"scale": "\\ud800"}',
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b"{\x00}",
    b"{" + b" " * 2**25 + b"}",
)
CURVE_ATTACKS = (
    *JSON_ATTACKS,
    b'{"step": 1, "nelbo": ' + b"9" * 5000 + b"}\n",
    b'{"step": 1, "nelbo": ' + b"[" * 2000 + b"]" * 2000 + b"}\n",
    b'{"step": null, "nelbo": 1}\n',
    b'{"step": -1, "nelbo": 1}\n',
    b'{"step": "1", "nelbo": "nan"}\n',
    b"".join(b'{"step": 1, "nelbo": 1, "a%d": 1}\n' % index for index in range(3000)),
)


def text(section: Section) -> bytes:
    return json.dumps(section.model_dump(mode="json"), indent=1).encode()


def read_curve_for_figures(path: Path) -> None:
    curves = read_curves(path)
    lengths = {len(values) for values in curves.values()}
    assert len(lengths) == 1 and {"step", "nelbo"} <= curves.keys()
    assert (curves["step"] >= 0).all()


def go_on_with_curve(path: Path) -> None:
    """What a training reads when it goes on: damaged lines are left out, and nothing may stop it."""
    records = read_curve(path)
    assert all(isinstance(record["step"], int) for record in records)
    log = CurveLog(path.parent, 20)
    log.close()
    assert [record for record in records if record["step"] <= 20] == read_curve(path)


def read_record(path: Path) -> None:
    read_training(path, TrainingMetrics)


def read_length(path: Path) -> None:
    steps, epochs = _length(path)
    assert math.isfinite(steps) and math.isfinite(epochs)


TARGETS = (
    Target(
        "metrics",
        "metrics.json",
        (text(make_metrics()), text(make_vae())),
        read_metrics,
        is_text=True,
        attacks=JSON_ATTACKS,
    ),
    Target("tolerance", "tolerance.json", (text(make_sweep()),), read_tolerance, is_text=True, attacks=JSON_ATTACKS),
    Target("samplers", "samplers.json", (text(make_samplers()),), read_samplers, is_text=True, attacks=JSON_ATTACKS),
    Target("variance", "variance.json", (text(make_study()),), read_variance, is_text=True, attacks=JSON_ATTACKS),
    Target("cost", "sampling_cost.json", (text(make_cost()),), read_cost, is_text=True, attacks=JSON_ATTACKS),
    Target("training record", "training.json", (RECORD,), read_record, is_text=True, attacks=JSON_ATTACKS),
    Target("length of a training", "training.json", (RECORD,), read_length, is_text=True, attacks=JSON_ATTACKS),
    Target("training curves", "curves.jsonl", (CURVE,), read_curve_for_figures, is_text=True, attacks=CURVE_ATTACKS),
    Target(
        "curve to go on with",
        "curves.jsonl",
        (CURVE,),
        go_on_with_curve,
        is_text=True,
        examples=50,
        attacks=CURVE_ATTACKS,
    ),
)
