"""Where the published code departs from the mathematics, and the switch with which ours follows it."""

from __future__ import annotations

from dataclasses import dataclass

from lsgm.config import ExperimentConfig


@dataclass(frozen=True)
class Departure:
    """One departure, or several with one switch.

    Attributes:
        items: numbers in; a dash for what stands elsewhere, in.
        what: the published code does.
        switches: keys of our settings; none where no number depends on it.
        tests: files below tests that show what a switch does.
    """

    items: str
    what: str
    switches: tuple[str, ...]
    tests: tuple[str, ...]


DEPARTURES = (
    Departure(
        "1, 2, 3",
        "weight 1 in place of 1/2 in the unweighted objective of the prior; no factor 1 - time_eps with uniform times; "
        "the normaliser of r_un times 1.0023",
        ("objective.official_weights",),
        ("parity/cases_times.py", "parity/cases_bias.py", "diffusion/test_time_sampling.py"),
    ),
    Departure(
        "4",
        "the KL coefficient also multiplies the prior's loss in algorithm 1",
        ("objective.official_kl_coeff",),
        ("parity/cases_steps.py", "training/test_algorithm_1.py"),
    ),
    Departure(
        "5",
        "the trace probe is drawn anew at every call of the right-hand side",
        ("evaluate.nelbo.official_probes",),
        ("parity/cases_ode.py", "evaluation/test_official_probes.py"),
    ),
    Departure(
        "6",
        "a frozen VAE stays in training mode",
        ("train.official_frozen_vae",),
        ("parity/cases_steps.py", "training/test_joint_stage.py"),
    ),
    Departure(
        "7",
        "evaluation does not know which channels were inactive",
        ("sample.official_mask", "evaluate.nelbo.official_mask"),
        ("sampling/test_modes.py", "evaluation/test_small_networks.py"),
    ),
    Departure(
        "8",
        "means and covariances of the features are averaged over processes",
        ("evaluate.frechet.official_processes",),
        ("evaluation/test_frechet.py",),
    ),
    Departure(
        "9",
        "the ancestral sampler takes every SDE for a variance-preserving one",
        ("sample.official_discretisation",),
        ("sampling/test_official_discretisation.py",),
    ),
    Departure(
        "-",
        "the adaptive solver takes the same steps with all samples of a batch, by the error's mean over the batch",
        ("sample.official_error_norm",),
        ("parity/cases_ode.py", "sampling/test_official_error_norm.py"),
    ),
    Departure("10", "the joint mode of algorithm 2 needs Apex; no number depends on it", (), ()),
    Departure(
        "11",
        "the power iteration runs in half precision where the networks do",
        ("train.official_spectral",),
        ("training/test_spectral_precision.py",),
    ),
    Departure(
        "-",
        "the spectral term leaves out the score network's convolutions that resample with FIR filters",
        ("train.official_spectral",),
        ("training/test_regularised_layers.py",),
    ),
    Departure(
        "12",
        "a validation average counts the first images twice if the processes do not share them evenly",
        ("evaluate.nelbo.official_processes",),
        ("evaluation/test_nelbo.py",),
    ),
)


def default_of(switch: str) -> object:
    """Default of a switch."""
    section = ExperimentConfig
    *path, last = switch.split(".")
    for name in path:
        section = section.model_fields[name].annotation
    return section.model_fields[last].default


def switches_of_the_settings() -> set[str]:
    """Every key of the settings that starts with `official_`."""

    def below(model: type, path: str) -> set[str]:
        found = set()
        for name, field in model.model_fields.items():
            if name.startswith("official_"):
                found.add(f"{path}{name}")
            elif hasattr(field.annotation, "model_fields"):
                found |= below(field.annotation, f"{path}{name}.")
        return found

    return below(ExperimentConfig, "")
