"""Search for settings on validation: Optuna, with hopeless trials cut short. Needs the extra ``tune``."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from elcrec.config import Settings, read_recipe, resolve
from elcrec.data.by_settings import read_log
from elcrec.data.files import fingerprint
from elcrec.data.interactions import Interactions
from elcrec.errors import RunError, SettingsError
from elcrec.recommender import ELCRec
from elcrec.storage import make_folder, read_json, write_json, write_text
from elcrec.training.checkpoint import Progress
from elcrec.training.loop import SELECT_ON
from elcrec.training.report import SilentReporter

TRIALS_FILE, BEST_FILE, STUDY_FILE = "trials.sqlite", "best.toml", "study.json"
# A trial is compared with the others from this epoch on, once so many are finished.
PRUNE_FROM_EPOCH, PRUNE_AFTER_TRIALS = 4, 4


class Range(BaseModel):
    """Where a setting is looked for: between two values, or among some.

    Attributes:
        low: Lowest value; an integer makes the setting one.
        high: Highest value.
        log: Look evenly on a logarithmic scale.
        choices: Values, instead of ``low`` and ``high``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: list[bool | int | float | str] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Range:
        if (self.choices is None) == (self.low is None) or (self.low is None) != (self.high is None):
            raise ValueError("give low and high, or choices")
        return self

    def holds(self, value: Any) -> bool:
        """Whether a value may be found here."""
        if self.choices is not None:
            return value in self.choices
        return self.low is not None and self.high is not None and self.low <= value <= self.high


DEFAULT_SPACE = {
    "learning_rate": Range(low=3e-4, high=6e-3, log=True),
    "dropout": Range(low=0.2, high=0.7),
    "n_layers": Range(low=1, high=3),
    "horizon": Range(low=1, high=4),
    "smoothing": Range(choices=[0.0, 0.5, 1.0]),
    "epochs": Range(choices=[6, 12, 24]),
}


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes:
        settings: The best values of what was searched.
        value: Their validation ndcg@20.
        trials: ``trial``, ``state``, ``value``, ``epochs`` and the settings of each.
        recipe: The file with the best recipe.
    """

    settings: dict[str, Any]
    value: float
    trials: pl.DataFrame
    recipe: Path


def read_space(path: Path | None) -> dict[str, Range]:
    """What is searched: a TOML file with a table for each setting; default: :data:`DEFAULT_SPACE`.

    Raises:
        SettingsError: The file is missing, no TOML, or names no setting.
    """
    if path is None:
        return dict(DEFAULT_SPACE)
    try:
        space = TypeAdapter(dict[str, Range]).validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror or error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    unknown = [name for name in space if name not in Settings.model_fields]
    if unknown or not space:
        raise SettingsError(f"{path}: {', '.join(unknown) or 'nothing'} is no setting; 'elcrec settings' lists them")
    return space


def tune(
    data: Any,
    out: Path,
    recipe: str = "default",
    n_trials: int = 20,
    space: dict[str, Range] | None = None,
    overrides: dict[str, Any] | None = None,
    seed: int = 1,
    device: str = "auto",
    say: Callable[[str], None] = lambda text: None,
) -> Tuned:
    """Search until so many trials are done, those of earlier calls counted; test metrics play no part.

    Args:
        data: See :meth:`elcrec.recommender.ELCRec.fit`.
        out: Folder of the search; a search that is there goes on.
        recipe: What the trials start from; the first trial is the recipe itself, as far as the space holds it.
        n_trials: Trials in all.
        space: What is searched; see :func:`read_space`.
        overrides: Settings on top of the recipe, the same in all trials.
        seed: Of the search and of every training.
        device: See :class:`elcrec.recommender.ELCRec`.
        say: Told of each trial.

    Raises:
        SettingsError: Optuna is not installed, or a setting is impossible.
        RunError: The folder holds another search.
    """
    try:
        import optuna
    except ImportError as error:
        raise SettingsError("tuning needs Optuna: pip install 'elcrec[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if "seed" in (overrides or {}):
        raise SettingsError("the seed of a search and of its trainings is --seed, not a setting of the recipe")
    space, fixed = space or read_space(None), {**(overrides or {}), "seed": seed}
    base = resolve(recipe, fixed)
    log = read_log(data, None, base)
    _claim(out, log, recipe, space, fixed)
    study = optuna.create_study(
        storage=f"sqlite:///{out / TRIALS_FILE}",
        study_name="elcrec",
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(PRUNE_AFTER_TRIALS, PRUNE_FROM_EPOCH),
    )
    # A search that goes on draws other trials than it began with.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    # A trial that was broken off with its process counts as none.
    counted = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    done = sum(trial.state in counted for trial in study.trials)
    if done == 0:
        study.enqueue_trial({name: getattr(base, name) for name in space if space[name].holds(getattr(base, name))})
    impossible = ""

    def objective(trial: Any) -> float:
        nonlocal impossible
        chosen = {name: _suggest(trial, name, where) for name, where in space.items()}
        try:
            model = ELCRec(recipe, device=device, **{**fixed, **chosen})
        except SettingsError as error:
            impossible = str(error)
            raise
        model.fit(log, progress=_Pruning(trial, say))
        return float(max(record["valid"][SELECT_ON] for record in model.history))

    for number in range(done, n_trials):
        study.optimize(objective, n_trials=1, catch=(SettingsError,))
        latest, complete = study.trials[-1], study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
        value = f"{SELECT_ON} {latest.value:.4f}" if latest.value is not None else latest.state.name.lower()
        value += f": {impossible}" if latest.state == optuna.trial.TrialState.FAIL else ""
        so_far = f" (best {study.best_value:.4f})" if complete else ""
        say(f"trial {number + 1} of {n_trials}: {value}{so_far}  {latest.params}")
    if not study.get_trials(states=(optuna.trial.TrialState.COMPLETE,)):
        raise SettingsError(f"no trial was trained to its end: {impossible or 'ask for more trials'}")
    best = {name: study.best_params[name] for name in space}
    write_text(out / BEST_FILE, _as_toml(recipe, {**(overrides or {}), **best}, study.best_value))
    return Tuned(best, study.best_value, _table(study.trials), out / BEST_FILE)


class _Pruning(SilentReporter):
    """Tells the search of every epoch; stops a training that has fallen behind."""

    def __init__(self, trial: Any, say: Callable[[str], None]) -> None:
        self.trial = trial
        self.say = say

    def epoch(self, record: dict[str, Any], progress: Progress) -> None:
        from optuna import TrialPruned

        self.trial.report(progress.best_value, record["epoch"])
        self.say(f"  epoch {record['epoch']}: valid {SELECT_ON} {record['valid'][SELECT_ON]:.4f}")
        if self.trial.should_prune():
            raise TrialPruned


def _suggest(trial: Any, name: str, where: Range) -> Any:
    if where.choices is not None:
        return trial.suggest_categorical(name, where.choices)
    whole = isinstance(where.low, int) and isinstance(where.high, int)
    suggest = trial.suggest_int if whole else trial.suggest_float
    return suggest(name, where.low, where.high, log=where.log)


def _claim(out: Path, log: Interactions, recipe: str, space: dict[str, Range], fixed: dict[str, Any]) -> None:
    """The folder is for this search alone."""
    ours = {
        "data": fingerprint(log.frame),
        "recipe": read_recipe(recipe),
        "space": {name: where.model_dump() for name, where in space.items()},
        "fixed": {name: str(value) for name, value in fixed.items()},
    }
    make_folder(out)
    path = out / STUDY_FILE
    if path.exists() and read_json(path) != ours:
        raise RunError(f"{out} holds another search (data, recipe, space or settings differ): choose another --out")
    write_json(path, ours)


def _as_toml(recipe: str, values: dict[str, Any], value: float) -> str:
    parent = recipe if not recipe.endswith(".toml") else str(Path(recipe).resolve())
    lines = [f"# Found by elcrec tune: validation {SELECT_ON} {value:.4f}", f'extends = "{parent}"']
    resolved = resolve(recipe, values)
    for name in values:
        plain = getattr(resolved, name)
        lines.append(f"{name} = {str(plain).lower() if isinstance(plain, bool) else repr(plain)}")
    return "\n".join(lines).replace("'", '"') + "\n"


def _table(trials: list[Any]) -> pl.DataFrame:
    rows = [
        {
            "trial": trial.number,
            "state": trial.state.name.lower(),
            "value": trial.value,
            "epochs": len(trial.intermediate_values),
            **trial.params,
        }
        for trial in trials
    ]
    return pl.DataFrame(rows, infer_schema_length=None)
