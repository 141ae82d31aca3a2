"""What is on record of one run, in words: results, sampling, provenance and training, each as name -> text."""

from __future__ import annotations

from lsgm.reporting.columns.numbers import OurNumber
from lsgm.reporting.records.metrics import NelboMetrics
from lsgm.reporting.records.run_records import RunRecord

Facts = dict[str, str]


def result_facts(record: RunRecord) -> Facts:
    """What was measured; nothing for a run that was trained only."""
    if record.measured is None:
        return {}
    metrics, found = record.measured.metrics, {}
    if metrics.nelbo is not None:
        nelbo, terms = metrics.nelbo, metrics.nelbo.terms
        found["NELBO"] = f"{OurNumber(nelbo.value, nelbo.stderr).text} {nelbo.unit}, {nelbo.num_images:,} images"
        found["its terms"] = (
            f"reconstruction {terms.reconstruction:.4g}, negative entropy {terms.neg_entropy:.4g}, "
            f"cross entropy {terms.cross_entropy:.4g}"
        )
        found["its ODE"] = nelbo.solver or ""
        found |= _ode_errors(nelbo)
        found["NFE of the NELBO"] = "" if nelbo.nfe is None else f"{nelbo.nfe:.0f}"
    if metrics.nll is not None:
        nll = metrics.nll
        found["NLL"] = (
            f"{OurNumber(nll.value, nll.stderr).text} {nll.unit}, importance weighted with {nll.num_iw_samples:,} "
            f"samples, {nll.num_images:,} images"
        )
    if metrics.frechet is not None:
        frechet = metrics.frechet
        found[frechet.name] = OurNumber(frechet.value).text + (f" ({frechet.note})" if frechet.note else "")
        found["protocol"] = (
            f"{frechet.features}, {frechet.protocol}, {frechet.num_samples:,} samples against "
            f"{frechet.num_reference:,} images"
        )
    data = metrics.data
    found["data"] = f"{data.title}, {data.num_train:,} training and {data.num_test:,} test images"
    found["parameters"] = f"VAE {metrics.parameters.vae:,}, prior {metrics.parameters.prior:,}"
    return found


def _ode_errors(nelbo: NelboMetrics) -> Facts:
    """What the solve of the prior's ODE adds to the error of the NELBO."""
    if nelbo.errors is None:
        return {}
    errors, facts = nelbo.errors, {}
    if errors.probe_stderr is not None:
        facts["error of the trace probes"] = (
            f"± {errors.probe_stderr:.2g} {nelbo.unit}, of one image ± {errors.probe_rms:.2g}"
        )
    if errors.halving is not None:
        facts["with half the steps"] = f"{errors.halving:+.2g} {nelbo.unit}, {errors.halving_images:,} images"
    return facts


def sampling_facts(record: RunRecord) -> Facts:
    """How the images were drawn."""
    sampling = record.measured.metrics.sampling if record.measured else None
    if sampling is None:
        return {}
    return {
        "solver": sampling.solver + ("" if sampling.tol is None else f", tolerance {sampling.tol:g}"),
        "images": f"{sampling.num_samples:,}",
        "NFE of a batch": "" if sampling.nfe is None else f"{sampling.nfe:.0f}",
        "NFE of an image, mean": "" if sampling.nfe_per_image is None else f"{sampling.nfe_per_image:.0f}",
        "wall time": duration(sampling.seconds),
        "device": machine(sampling.device, sampling.processes),
        "commit": commit(sampling.commit, sampling.dirty) if sampling.commit else "",
        "versions": versions(sampling.versions),
    }


def provenance_facts(record: RunRecord) -> Facts:
    """Where the measured numbers come from."""
    if record.measured is None:
        return {}
    origin, known = record.measured.metrics.provenance, record.measured.is_current
    current = {None: "", True: " (the config folder now)", False: " (not that of the config folder now)"}[known]
    return {
        "metrics file": record.measured.source,
        "config hash": origin.config_hash + current,
        "commit": commit(origin.commit, origin.dirty),
        "seed": str(origin.seed),
        "data checksum": origin.data_checksum,
        "model SHA-256": origin.model_sha256 or "",
        "device": machine(origin.device, origin.processes),
        "started": origin.started,
        "wall time": duration(origin.wall_seconds),
        "versions": versions(origin.versions),
    }


def training_facts(record: RunRecord) -> Facts:
    """How the model came about."""
    training, backbone = record.training, record.training.backbone
    named = f"{backbone.run}, seed {backbone.seed}, model SHA-256 {backbone.model_sha256}" if backbone else ""
    return {
        "weights": training.source or "",
        "VAE backbone": named,
        "steps": f"{training.steps:,} in {training.epochs:g} epochs",
        "weights of step": "" if training.weights_step is None else f"{training.weights_step:,}",
        "updates left out": f"{training.skipped_updates:,}",
        "returns to an earlier step": "; ".join(
            f"from {back.step:,} to {back.rolled_back_to:,} ({back.reason})" for back in training.rollbacks
        ),
        "data checksum": training.data_checksum or "",
        "wall time": "" if training.seconds is None else duration(training.seconds),
        "processor time": "" if training.cpu_seconds is None else duration(training.cpu_seconds),
        "finished": training.finished or "",
        "device": machine(training.device, training.processes),
        "commit": commit(training.commit, training.dirty) if training.commit else "",
        "versions": versions(training.versions),
    }


def commit(name: str | None, dirty: bool | None) -> str:
    """A commit, and whether the code was that of the commit."""
    return (name or "unknown") + (" with uncommitted changes" if dirty else "")


def machine(device: str | None, processes: int | None) -> str:
    """The device, and how many processes shared the work if it was not one."""
    return (device or "") + (f", {processes} processes" if processes is not None and processes > 1 else "")


def short_commit(name: str, dirty: bool | None) -> str:
    """A commit as a narrow column has it; a star stands for uncommitted changes."""
    return name[:10] + ("*" if dirty else "")


def versions(found: dict[str, str]) -> str:
    """Libraries with their versions."""
    return ", ".join(f"{name} {version}" for name, version in found.items())


def duration(seconds: float) -> str:
    """A time as one reads it: `3.2 s`, `12 min`, `5 h 03 min`."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60:,} h {minutes % 60:02d} min"
