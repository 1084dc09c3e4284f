"""Hyperparameter tuning on the validation metric (Optuna, median pruning). Needs the extra ``tune``."""

from __future__ import annotations

import math
import sqlite3
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch

from elcrec.config import Settings, overridden, read_recipe, resolve, validate
from elcrec.data.by_settings import read_log
from elcrec.data.files import fingerprint
from elcrec.data.interactions import Interactions
from elcrec.errors import ElcrecError, RunError, SettingsError
from elcrec.evaluation.metrics import SELECTION_METRIC
from elcrec.experiments.prepared import prepare
from elcrec.experiments.tuning_space import Range, Space, chosen_space, is_whole
from elcrec.model.devices import resolve_device
from elcrec.recommender import ELCRec
from elcrec.runs.lock import locked
from elcrec.runs.records import EpochRecord
from elcrec.runs.run_files import package_version
from elcrec.storage import make_folder, read_json, write_json, write_text
from elcrec.training.checkpoint import Progress
from elcrec.training.report import SilentReporter

TRIALS_FILE, BEST_FILE, STUDY_FILE = "trials.sqlite", "best.toml", "study.json"
# A trial is compared with the others from this epoch on, once so many are finished.
PRUNE_FROM_EPOCH, PRUNE_AFTER_TRIALS = 4, 4
FAILED_IN_A_ROW = 20
"""After so many trials in a row that are impossible or diverge, the space is given up."""
OUTCOMES = (ElcrecError, torch.cuda.OutOfMemoryError, MemoryError)
"""Failures of a trial: settings that are impossible together, divergence, too little memory."""


@dataclass(frozen=True)
class TuningResult:
    """Result of a search.

    Attributes:
        settings: The best values of the searched settings.
        value: Validation ndcg@20 with them.
        trials: ``trial``, ``state``, ``value``, ``epochs``, ``reason`` (why it failed) and the settings of each.
        recipe: The file with the best recipe.
    """

    settings: dict[str, Any]
    value: float
    trials: pl.DataFrame
    recipe: Path


# reason: public signature, and a search from start to end
def tune(
    data: Any,
    out: Path,
    recipe: str = "default",
    n_trials: int = 20,
    space: Space | None = None,
    overrides: dict[str, Any] | None = None,
    seed: int = 1,
    device: str = "auto",
    say: Callable[[str], None] = lambda text: None,
) -> TuningResult:
    """Search until ``n_trials`` trials are done, those of earlier calls included; test metrics are not used.

    A trial with impossible settings, or one that diverges, is recorded with its reason and does not count.

    Args:
        data: See :meth:`elcrec.recommender.ELCRec.fit`.
        out: Folder of the search; an earlier search in it is resumed. Nothing is written before all is checked.
        recipe: Recipe of all trials; the first trial is the recipe itself, as far as the space holds its values.
        n_trials: Total number of trials.
        space: Search space; default: what ``overrides`` leave of
            :data:`elcrec.experiments.tuning_space.DEFAULT_SPACE`.
        overrides: Settings on top of the recipe, the same in all trials.
        seed: Random seed of the search and of every training.
        device: See :class:`elcrec.recommender.ELCRec`.
        say: Receives progress messages.

    Raises:
        SettingsError: Optuna is not installed, a setting is impossible, or no trial could be trained.
        DataError: The log cannot be used.
        RunError: The folder holds another search, is damaged, or another process searches there.
    """
    _require_optuna()
    fixed = dict(overrides or {})
    if "seed" in fixed:
        raise SettingsError("use --seed for the seed of the search and of its trainings, not a setting")
    space = chosen_space(space, fixed)
    fixed["seed"] = seed
    base = resolve(recipe, fixed)
    resolve_device(device)
    _refuse_others(out)
    log = read_log(data, None, base)
    prepare(log, base, parts=("valid",))
    make_folder(out)
    with locked(out):
        _claim(out, log, recipe, space, fixed)
        study = _opened(out / TRIALS_FILE, seed)
        _begin_with_recipe(study, base, space)

        def keep() -> dict[str, Any]:
            best = {name: study.best_params[name] for name in space}
            remark = f"Found by elcrec tune: validation {SELECTION_METRIC} {study.best_value:.4f} with this seed"
            expected = validate(overridden(base.model_dump(), best))
            _write_recipe(out / BEST_FILE, recipe, [*fixed, *best], expected, remark)
            return best

        _search(study, _Training(log, recipe, base, space, device, say), n_trials, keep, say)
        return TuningResult(keep(), study.best_value, _table(study.trials), out / BEST_FILE)


def _require_optuna() -> None:
    try:
        import optuna
        import tomli_w  # noqa: F401
    except ImportError as error:
        raise SettingsError("tuning needs Optuna and tomli-w: pip install 'elcrec[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _begin_with_recipe(study: Any, base: Settings, space: Space) -> None:
    """Make the recipe itself the first trial, as far as the space holds its values."""
    from optuna.trial import TrialState

    if not any(trial.state.is_finished() or trial.state == TrialState.WAITING for trial in study.trials):
        study.enqueue_trial({name: getattr(base, name) for name in space if space[name].holds(getattr(base, name))})


@dataclass(frozen=True)
class _Training:
    """Trains the model of a trial, and returns its best validation metric."""

    log: Interactions
    recipe: str
    base: Settings
    space: Space
    device: str
    say: Callable[[str], None]

    def __call__(self, trial: Any) -> float:
        chosen = {name: _suggest(trial, name, where) for name, where in self.space.items()}
        model = ELCRec(
            self.recipe, device=self.device, **overridden(self.base.model_dump(), {**chosen, "baselines": False})
        )
        model.fit(self.log, progress=_Pruning(trial, self.say))
        return float(max(record["valid"][SELECTION_METRIC] for record in model.history))


def _search(
    study: Any, train: _Training, n_trials: int, keep: Callable[[], object], say: Callable[[str], None]
) -> None:
    """Execute the trials that are missing, and keep the best recipe after each.

    Raises:
        SettingsError: No trial was completed.
    """
    from optuna.trial import TrialState

    # A trial that was interrupted with its process does not count.
    done, failed = len(study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))), 0
    while done < n_trials and failed < FAILED_IN_A_ROW:
        reason = _tried(study, train)
        done, failed = (done + 1, 0) if reason is None else (done, failed + 1)
        if study.trials[-1].state == TrialState.COMPLETE and study.best_trial.number == study.trials[-1].number:
            keep()
        _report(study, f"trial {done} of {n_trials}" if reason is None else "failed trial, not counted", reason, say)
    if failed == FAILED_IN_A_ROW:
        say(f"the search stops: {failed} trials in a row failed; the last reason: {reason}")
    if not study.get_trials(states=(TrialState.COMPLETE,)):
        raise SettingsError(f"no trial was completed: {_last_reason(study) or 'increase --trials'}")


def _opened(path: Path, seed: int) -> Any:
    """The Optuna study of a search, new or resumed."""
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    try:
        # Not by an URL: what follows a question mark in a folder's name would be lost.
        storage = optuna.storages.RDBStorage("sqlite://", engine_kwargs={"creator": lambda: sqlite3.connect(path)})
        study = optuna.create_study(
            storage=storage,
            study_name="elcrec",
            load_if_exists=True,
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(PRUNE_AFTER_TRIALS, PRUNE_FROM_EPOCH),
        )
    except (SQLAlchemyError, sqlite3.Error, optuna.exceptions.OptunaError, RuntimeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise RunError(f"{path} is damaged or cannot be written ({reason}): choose another --out") from error
    # A resumed search draws other trials than its first ones.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    return study


def _tried(study: Any, train: _Training) -> str | None:
    """Execute a trial; why it failed, or None."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    trial = study.ask()
    try:
        value = train(trial)
        if not math.isfinite(value):
            raise RunError(f"training diverged: its validation {SELECTION_METRIC} is {value}")
        study.tell(trial, value)
    except TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except OUTCOMES as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        trial.set_user_attr("reason", reason)
        study.tell(trial, state=TrialState.FAIL)
        return reason
    return None


def _report(study: Any, which: str, reason: str | None, say: Callable[[str], None]) -> None:
    """Report the latest trial, and the best so far."""
    from optuna.trial import TrialState

    latest, complete = study.trials[-1], study.get_trials(states=(TrialState.COMPLETE,))
    value = f"{SELECTION_METRIC} {latest.value:.4f}" if latest.value is not None else latest.state.name.lower()
    value += "" if reason is None else f": {reason}"
    so_far = f" (best {study.best_value:.4f})" if complete else ""
    shown = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in latest.params.items()}
    chosen = "  ".join(f"{name}={text}" for name, text in shown.items())
    say(f"{which}: {value}{so_far}  {chosen}")


def _last_reason(study: Any) -> str | None:
    reasons = [trial.user_attrs["reason"] for trial in study.trials if "reason" in trial.user_attrs]
    return reasons[-1] if reasons else None


class _Pruning(SilentReporter):
    """Reports each epoch to Optuna, and stops a trial that Optuna prunes."""

    def __init__(self, trial: Any, say: Callable[[str], None]) -> None:
        self.trial = trial
        self.say = say

    def begin(self, settings: Settings, n_steps: int, progress: Progress) -> None:
        self.epochs = settings.epochs

    def epoch(self, record: EpochRecord, progress: Progress) -> None:
        from optuna import TrialPruned

        self.trial.report(progress.best_value, record["epoch"])
        self.say(
            f"  epoch {record['epoch']}/{self.epochs}: valid {SELECTION_METRIC} {record['valid'][SELECTION_METRIC]:.4f}"
        )
        if self.trial.should_prune():
            raise TrialPruned


def _suggest(trial: Any, name: str, where: Range) -> Any:
    if where.choices is not None:
        return trial.suggest_categorical(name, where.choices)
    suggest = trial.suggest_int if is_whole(name) else trial.suggest_float
    return suggest(name, where.low, where.high, log=where.log)


def _refuse_others(out: Path) -> None:
    """Raise RunError for a folder that holds files and no search."""
    if out.is_dir() and not (out / STUDY_FILE).exists():
        others = sorted(one.name for one in out.iterdir() if not one.name.startswith("."))
        if others:
            raise RunError(f"{out} holds other files ({', '.join(others[:3])}) and no search: choose another --out")


def _claim(out: Path, log: Interactions, recipe: str, space: Space, fixed: dict[str, Any]) -> None:
    """Mark the folder as that of this search; raise RunError where it is that of another."""
    ours = {
        "data": fingerprint(log.frame),
        "recipe": read_recipe(recipe),
        "space": {name: where.model_dump() for name, where in space.items()},
        "fixed": {name: str(value) for name, value in fixed.items()},
        "elcrec": package_version(),
    }
    path = out / STUDY_FILE
    if path.exists() and read_json(path) != ours:
        raise RunError(
            f"{out} holds another search (data, recipe, space, settings or version differ): choose another --out"
        )
    write_json(path, ours)


def recipe_text(values: dict[str, Any], remark: str) -> str:
    """A recipe as TOML, with a line about it."""
    import tomli_w

    return f"# {remark}\n{tomli_w.dumps(values)}"


def _write_recipe(path: Path, recipe: str, names: list[str], expected: Settings, remark: str) -> None:
    """Write what extends a recipe by some settings.

    Raises:
        RunError: It would not read back as the settings it was written from.
    """
    parent = recipe if not recipe.endswith(".toml") else str(Path(recipe).resolve())
    # TOML has no word for None.
    plain = {name: value for name in names if (value := getattr(expected, name)) is not None}
    text = recipe_text({"extends": parent, **plain}, remark)
    read = tomllib.loads(text)
    if resolve(read.pop("extends"), read) != expected:
        raise RunError(
            f"{recipe} has changed since the search began, so that the best settings cannot be written: restore it"
        )
    write_text(path, text)


def _table(trials: list[Any]) -> pl.DataFrame:
    rows = [
        {
            "trial": trial.number,
            "state": trial.state.name.lower(),
            "value": trial.value,
            "epochs": len(trial.intermediate_values),
            "reason": trial.user_attrs.get("reason"),
            **trial.params,
        }
        for trial in trials
    ]
    return pl.DataFrame(rows, infer_schema_length=None)
