"""All runs that can be asked for by name, with their settings: what the workflow and `lsgm plan` are made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from .axes import choose_axes, read_axes
from .base import ConfigError
from .cells import cell_overrides
from .experiment import ExperimentConfig, Stage
from .load import ABLATION, load_experiment, read_yaml
from .plan import Run, dataset_key, read_runs
from .run_names import RunName, name_pattern
from .scope import ABLATION_TABLE, ALL_TABLES, EXTRA_TABLE, FigureName, Scope, TableName, read_scope

OFFICIAL = "official"  # the scale of published checkpoints, at which nothing is trained


class Catalogue:
    """The runs of one config folder. Whatever is asked for twice is worked out once.

    Attributes:
        config: the folder.
        runs: experiments and cells by name, without variants and with their own seeds.
        axes: the changes that a run can be given.

    Raises:
        ConfigError: a file cannot be read.
    """

    def __init__(self, config: Path) -> None:
        self.config = config
        self.runs = read_runs(config)
        self.axes = read_axes(config / "axes.yaml")
        # Not on the methods themselves: such a cache would be shared by all objects and keep them alive.
        self.settings = lru_cache(maxsize=None)(self._settings)
        self.fingerprint = lru_cache(maxsize=None)(self._fingerprint)
        self.scope = lru_cache(maxsize=None)(lambda scale: read_scope(self._scale_file(scale)))

    def run(self, name: str) -> Run:
        """The experiment file and cell of a run, its variants and seed left aside.

        Raises:
            ConfigError: there is no such run, cell or variant; the message lists those that there are.
        """
        parsed = RunName.parse(name)
        if parsed.base not in self.runs:
            folder, _, cell = parsed.base.rpartition("/")
            if folder == ABLATION:
                cell_overrides(self.config / "ablation.csv", cell)  # says which cells there are, or why not this one
            raise ConfigError(f"no run {name!r}; {self._known()}")
        choose_axes(self.axes, parsed.variants, name)
        return self.runs[parsed.base]

    def _settings(self, name: str, scale: str) -> ExperimentConfig:
        """Resolved settings of a run at a scale.

        Raises:
            ConfigError: no such run or scale, settings that are wrong, or a name that another run has already: its own
                seed, or a variant that changes nothing.
        """
        parsed, run = RunName.parse(name), self.run(name)
        if scale == OFFICIAL and (parsed.variants or parsed.seed is not None):
            raise ConfigError(f"{name}: at scale {OFFICIAL} nothing is trained, so there are no variants and no seeds")
        if parsed.seed is not None:
            own = self.settings(str(parsed.with_seed(None)), scale)
            if own.seed == parsed.seed:
                raise ConfigError(f"{name}: {own.seed} is its own seed, so this run is named {parsed.with_seed(None)}")
            return own.model_copy(update={"seed": parsed.seed})
        variants = {key: axis.settings for key, axis in choose_axes(self.axes, parsed.variants, name).items()}
        config = load_experiment(run.file, self._scale_file(scale), run.cell, variants=variants)
        if parsed.variants:
            fewer = RunName(parsed.base, parsed.variants[:-1])
            if config.fingerprint("evaluate") == self.fingerprint(str(fewer), scale, "evaluate"):
                raise ConfigError(f"{name}: {parsed.variants[-1]!r} changes nothing, so this run is named {fewer}")
        return config

    def _fingerprint(self, name: str, scale: str, stage: Stage) -> str:
        """Hash of all settings that a stage of a run depends on."""
        return self.settings(name, scale).fingerprint(stage)

    def backbone(self, name: str, share: bool) -> str | None:
        """The run whose VAE another run is trained on, None for a VAE.

        Args:
            name: the run.
            share: whether all seeds of a run are trained on one VAE, that of the backbone's own seed.
        """
        parsed, backbone = RunName.parse(name), self.run(name).backbone
        if backbone is None:
            return None
        variants = tuple(variant for variant in parsed.variants if self.axes[variant].changes_backbone)
        return str(RunName(backbone, variants, None if share else parsed.seed))

    def with_seeds(self, names: Iterable[str], seeds: Sequence[int] | None, scale: str) -> list[str]:
        """The runs of these names for every seed; None: with their own seed only."""
        if seeds is None:
            return list(names)
        return [self._with_seed(name, seed, scale) for name in names for seed in seeds]

    def _with_seed(self, name: str, seed: int, scale: str) -> str:
        own = self.settings(name, scale).seed == seed
        return name if own else str(RunName.parse(name).with_seed(seed))

    def _scale_file(self, scale: str) -> Path:
        return self.config / "scales" / f"{scale}.yaml"

    def runs_of_table(self, table: TableName, scale: str) -> list[str]:
        """Runs whose metrics files one table needs at a scale, in its order; of Table 6 the cells that the scale runs.

        Raises:
            ConfigError: the scale does not make this table; a file cannot be read or names a run that there is not.
        """
        scope, source = self.scope(scale), str(self._scale_file(scale))
        if table not in scope.made:
            made = ", ".join(map(str, scope.made))
            raise ConfigError(f"{source}: tables leaves out {table!r}, which was asked for; there are: {made}")
        names = self._whole_table(table)
        if table == ABLATION_TABLE:
            cells = {self.runs[name].cell: name for name in names}
            return [cells[cell] for cell in scope.chosen(list(cells), source)]
        return names

    def shown(self, figure: FigureName, scale: str) -> tuple[str, ...] | None:
        """Runs that a scale file names for a figure; None if it leaves the choice to the workflow.

        Raises:
            ConfigError: there is no such run.
        """
        names = self.scope(scale).figures.get(figure)
        for name in names or ():
            self.run(name)
        return names

    def left_out(self, scale: str) -> set[str]:
        """Runs that stand in tables, but in none that the scale makes.

        Raises:
            ConfigError: as for `runs_of_table`.
        """
        scope = self.scope(scale)
        if scope == Scope():
            return set()
        made = {name for table in scope.made for name in self.runs_of_table(table, scale)}
        return {name for table in ALL_TABLES for name in self._whole_table(table)} - made

    def _whole_table(self, table: TableName) -> list[str]:
        """Runs of a table at a scale that makes everything."""
        if table == EXTRA_TABLE:
            return self.runs_of_axes()
        if table == ABLATION_TABLE:
            return [name for name, run in self.runs.items() if run.cell is not None]
        file = self.config / "paper" / f"table{table}.yaml"
        rows = read_yaml(file).get("rows", [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ConfigError(f"{file}: rows are not a list of `key: value` lines; correct it")
        named = [row["run"] for row in rows if row.get("run")]
        for name in named:
            if not isinstance(name, str) or name not in self.runs:
                raise ConfigError(f"{file}: run = {name!r} is not an experiment; {self._known()}")
        return named

    def vae_of_dataset(self, key: str, scale: str) -> str:
        """The first VAE that is trained on a prepared data set, which its `dataset_key` names.

        Raises:
            ConfigError: there is none; the message lists the data sets of the scale.
        """
        vaes = [name for name, run in self.runs.items() if run.backbone is None]
        # Those without weights last: a new one among them must not have the others' data prepared anew.
        vaes.sort(key=lambda name: not self.settings(name, scale).vae.has_weights)
        known = {}
        for vae in vaes:
            known.setdefault(dataset_key(self.settings(vae, scale).data), vae)
        if key not in known:
            known |= self._changed_datasets(vaes, scale)
        if key not in known:
            raise ConfigError(f"no data set {key!r} at scale {scale!r}; there are: {', '.join(sorted(known))}")
        return known[key]

    def _changed_datasets(self, vaes: list[str], scale: str) -> dict[str, str]:
        """Data sets of the VAEs with each axis that changes the data; an axis does not suit every VAE."""
        found = {}
        for name in (f"{vae}+{axis}" for axis in self.axes if "data" in self.axes[axis].settings for vae in vaes):
            with suppress(ConfigError):
                found.setdefault(dataset_key(self.settings(name, scale).data), name)
        return found

    def runs_of_axes(self) -> list[str]:
        """Runs that the table of extra axes needs, with and without each change.

        Raises:
            ConfigError: an axis names a run that there is not.
        """
        for name, axis in self.axes.items():
            for run in axis.runs:
                if run not in self.runs:
                    raise ConfigError(f"{self.config / 'axes.yaml'}: {name}.runs has {run!r}; {self._known()}")
        pairs = [(run, f"{run}+{name}") for name, axis in self.axes.items() for run in axis.runs]
        return list(dict.fromkeys(run for pair in pairs for run in pair))

    def pattern(self, names: Iterable[str]) -> str:
        """Regular expression of the names of these runs, with any variants and seed."""
        return name_pattern(names, self.axes)

    def _known(self) -> str:
        names = [name for name, run in self.runs.items() if run.cell is None]
        return f"there are: {', '.join(names)}, and {ABLATION}/<cell> for each cell of ablation.csv"
