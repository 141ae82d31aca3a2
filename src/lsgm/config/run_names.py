"""Names of runs, which are also their folders below results/<scale>.

`<experiment>` or `ablation/<cell>`, then `+<variant>` for each change of config/axes.yaml, then `/seed-<n>` for another
seed than the experiment's own: `ablation/vpsde-un-is-rew+frozen/seed-2`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

SEED = r"(?:0|[1-9][0-9]{0,17})"
NAME = re.compile(rf"(?P<base>[^+]+?)(?P<variants>(?:\+[^+/]+)*)(?:/seed-(?P<seed>{SEED}))?")


@dataclass(frozen=True)
class RunName:
    """The parts of a run's name. `seed` None: the experiment's own."""

    base: str
    variants: tuple[str, ...] = ()
    seed: int | None = None

    @classmethod
    def parse(cls, text: str) -> RunName:
        """Read a name; one that has not this form becomes a base of which there is none."""
        found = NAME.fullmatch(text)
        if found is None:
            return cls(text)
        seed = None if found["seed"] is None else int(found["seed"])
        return cls(found["base"], tuple(found["variants"].split("+")[1:]), seed)

    @classmethod
    def of(cls, experiment: str, cell: str | None, variant: str | None) -> RunName:
        """The name of a run whose settings say these, without its seed."""
        return cls(experiment if cell is None else f"{experiment}/{cell}", tuple(variant.split("+")) if variant else ())

    def __str__(self) -> str:
        seed = "" if self.seed is None else f"/seed-{self.seed}"
        return "+".join((self.base, *self.variants)) + seed

    def with_seed(self, seed: int | None) -> RunName:
        """The same run with another seed."""
        return replace(self, seed=seed)


def name_pattern(bases: Iterable[str], variants: Iterable[str], with_seed: bool = True) -> str:
    """Regular expression of all names that these can form, for the wildcards of the workflow."""
    alternatives = "|".join(map(re.escape, bases))
    changes = "|".join(map(re.escape, variants))
    seed = rf"(?:/seed-{SEED})?" if with_seed else ""
    return rf"(?:{alternatives})" + (rf"(?:\+(?:{changes}))*" if changes else "") + seed
