"""Training from a log to a run: from scratch, or resumed."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

import polars as pl
import torch

from elcrec.config import Settings
from elcrec.data.by_settings import filtered, read_items, read_log, read_users
from elcrec.data.catalogue import Catalogue
from elcrec.data.dataset import Dataset
from elcrec.data.described import says_same
from elcrec.data.event_codes import with_input_kinds
from elcrec.data.features import FeatureSpace
from elcrec.data.files import fingerprint
from elcrec.data.interactions import Interactions
from elcrec.data.kinds import said_kinds
from elcrec.data.user_table import UserTable
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import AccuracyWarning, DataError, DataWarning, RunError, SettingsError
from elcrec.evaluation.against_baselines import baseline_warning
from elcrec.evaluation.repeats import evaluates_both_ways, own_event_warning, repeat_share, repeat_warning
from elcrec.fitted import FittedModel
from elcrec.inference.policy import POPULARITY
from elcrec.intents.assignment import IntentAssigner
from elcrec.intents.intents import Intents
from elcrec.intents.matching import NamedIntents
from elcrec.model.network import ELCRecNetwork
from elcrec.process.warning import warn
from elcrec.process.wording import argument
from elcrec.runs.records import ChoiceRecord, RunMetrics
from elcrec.runs.run import Run, read_run, results_of
from elcrec.runs.run_files import TrainingInput
from elcrec.runs.run_folder import RunFolder
from elcrec.training.automatic import choose, choose_exclude_seen, epochs_with_features, summary_with_ties
from elcrec.training.checkpoint import Progress
from elcrec.training.distributed import Team, joined
from elcrec.training.loop import Reporter, seeded, train
from elcrec.training.new_items import estimate_unlearned
from elcrec.training.repeat_fit import fit_linear_part
from elcrec.training.report import SilentReporter, TerminalReporter

Known = TypeVar("Known", Catalogue, UserTable)


@dataclass(frozen=True)
class Start:
    """The arguments of a training.

    Attributes:
        recipe: Name or path.
        settings: Resolved.
        device: Where to train.
        data: File, table or :class:`elcrec.Interactions`.
        format: Format of a data file.
        items: Item metadata, anything :meth:`elcrec.data.catalogue.Catalogue.read` takes; None: none.
        names_from: Intents of an earlier model, whose given names are carried over.
        out: Run folder to write; None: none.
        resume: Resume an interrupted training in ``out``.
        overwrite: Replace a run in ``out``.
        progress: Show progress, or the reporter that receives it.
        users: What is known about users, anything :meth:`elcrec.data.user_table.UserTable.read` takes; None: nothing.
    """

    recipe: str
    settings: Settings
    device: torch.device
    data: Any
    format: str | None = None
    items: Any = None
    names_from: Intents | None = None
    out: RunFolder | None = None
    resume: bool = False
    overwrite: bool = False
    progress: bool | Reporter = True
    users: Any = None


class _Begun(NamedTuple):
    """What an interrupted training began with, the log apart."""

    items: Catalogue | None
    features: FeatureSpace | None
    users: UserTable | None
    user_features: FeatureSpace | None
    names: NamedIntents | None
    epochs: int


def fit(start: Start) -> Run:
    """Train; see :meth:`elcrec.ELCRec.fit`.

    Returns:
        The run; of several processes the main one's has metrics.

    Raises:
        DataError: The log cannot be used.
        RunError: ``out`` holds another run, is being written by another process, or cannot be written.
    """
    with joined(start.device) as team, _written(start.out, team):
        return _Training(start, team).run()


def _written(out: RunFolder | None, team: Team) -> AbstractContextManager[None]:
    """Hold the folder, in the process that writes it."""
    return out.locked() if out is not None and team.is_main else nullcontext()


@dataclass
class _Training:
    """One training, in one of its processes."""

    start: Start
    team: Team
    reporter: Reporter = field(init=False)
    choices: dict[str, ChoiceRecord] = field(default_factory=dict)
    both_ways: bool = False

    def __post_init__(self) -> None:
        self.reporter = reporter_of(self.start.progress, self.team.is_main)
        settings = self.start.settings
        if self.team.size > 1 and self.start.device.type == "cuda" and settings.item_updates == "touched":
            raise SettingsError("item_updates=touched (recipe large) on several GPUs: sums of such gradients need CPUs")

    @torch.inference_mode(False)  # with gradients, which the caller may have switched off
    def run(self) -> Run:
        whole = read_log(self.start.data, self.start.format, self.start.settings)
        log = filtered(whole, self.start.settings)
        summary = summary_with_ties(log)
        settings, self.choices = choose(self.start.settings, log, summary)
        settings = with_input_kinds(settings, log)
        self.start = start = replace(self.start, settings=settings)
        catalogue = self._described()
        users = None if start.users is None else read_users(start.users, settings)
        recipe, work, resumes = start.recipe, start.out, False
        if start.out is not None:
            mark = fingerprint(whole.frame)
            work, resumes, recipe = self.team.broadcast_object(lambda: self._where_to_train(start.out, mark))
            if work is None:
                self._refuse_others(start.out, log, catalogue, users)
                return read_run(start.out, start.device)
        dataset = Dataset.of(whole, settings, start.device, catalogue, log=log)
        self._check(dataset)
        # Better now than after the training.
        earlier = None if start.names_from is None else start.names_from.seen_by(dataset.items)
        if work is not None and resumes:  # all processes need the features
            named = earlier
            begun = self.team.broadcast_object(lambda: self._begun_with(work, log, catalogue, users, named))
            dataset, earlier = replace(dataset, whole_catalogue=begun.items, features=begun.features), begun.names
            dataset = dataset.with_users(begun.users, begun.user_features)
            settings = self._choose_epochs(dataset, begun.epochs)
        else:
            dataset = dataset.with_features(settings, users)
            settings = self._choose_epochs(dataset)
        said = [*said_kinds(settings, summary.get("kinds")), *dataset.said_features()]
        self.reporter.log({**summary, "choices": self.choices, "worth": said})
        if work is not None and not resumes and self.team.is_main:
            work.begin(TrainingInput(recipe, settings, dataset, mark, earlier))
        state, network = self._train(work, dataset)
        self._choose_on_validation(network, dataset)
        return self._finish(work, Run(recipe, self._intents(network, dataset, earlier), state.history), state)

    def _choose_epochs(self, dataset: Dataset, begun_with: int | None = None) -> Settings:
        """The settings; fewer epochs where the model learns from item features, or as many as a training began with."""
        settings = self.start.settings
        choice = None if dataset.features is None else epochs_with_features(settings, len(dataset.users))
        chosen = settings.epochs if choice is None else choice["value"]
        if "epochs" in settings.auto and begun_with not in (None, chosen):
            choice = {"value": begun_with, "reason": "the training began with them"}
        if choice is not None:
            self.choices = {**self.choices, "epochs": choice}
            settings = settings.model_copy(update={"epochs": choice["value"]})
            self.start = replace(self.start, settings=settings)
        return settings

    def _described(self) -> Catalogue | None:
        """The metadata that is given.

        Raises:
            SettingsError: Its titles are named, and none is given.
        """
        start, title_column = self.start, self.start.settings.title_column
        if start.items is not None:
            return read_items(start.items, start.settings)
        if title_column is not None and not start.resume:
            raise SettingsError(
                f"title_column={title_column} names a column of item metadata: add them ({argument('items')})"
            )
        return None

    def _check(self, dataset: Dataset) -> None:
        """See that a log can be trained on, and whether validation needs both ways; better now than later."""
        dataset.split.learners()
        dataset.split.targets("valid")
        self.both_ways = evaluates_both_ways(dataset.split, self.start.settings)
        if self.team.is_main and not self.both_ways:
            warn_of_repeats(dataset, self.start.settings)

    def _choose_on_validation(self, network: ELCRecNetwork, dataset: Dataset) -> None:
        """Repeat scores are fitted, and seen items excluded or not, on validation; all processes decide alike."""
        settings = self.start.settings
        if settings.repeats != "none" and not (settings.exclude_seen and "exclude_seen" not in settings.auto):
            before, after = fit_linear_part(network.eval(), dataset.split, settings)
            if isinstance(self.reporter, TerminalReporter):
                self.reporter.repeats(before, after)
        if "exclude_seen" not in settings.auto:
            return
        choice = choose_exclude_seen(network, dataset.split, settings, self.both_ways)
        self.choices = {**self.choices, "exclude_seen": choice}
        self.start = replace(self.start, settings=settings.model_copy(update={"exclude_seen": choice["value"]}))
        if self.team.is_main and self.both_ways:
            warn_of_repeats(dataset, self.start.settings)

    def _train(self, work: RunFolder | None, dataset: Dataset) -> tuple[Progress, ELCRecNetwork]:
        """From fresh weights, or from the checkpoint in a folder."""
        settings, device, split = self.start.settings, self.start.device, dataset.for_training()
        with seeded(settings.seed, 0, device):
            network = ELCRecNetwork(settings, len(dataset.items), dataset.features, dataset.user_features).to(device)
        checkpoint = None if work is None else work.checkpoint
        on_epoch = work.write_history if work is not None and self.team.is_main else None
        state = train(
            network,
            split,
            settings,
            self.reporter,
            checkpoint,
            on_epoch,
            self.team,
            both_ways=self.both_ways,
        )
        estimate_unlearned(FittedModel(settings, network.eval(), dataset), split.features, POPULARITY)
        return state, network

    def _intents(self, network: ELCRecNetwork, dataset: Dataset, earlier: NamedIntents | None) -> Intents:
        intents = Intents(IntentAssigner(FittedModel(self.start.settings, network, dataset)))
        if earlier is not None:
            carry_names(intents, earlier, self.reporter)
        return intents

    def _finish(self, work: RunFolder | None, run: Run, state: Progress) -> Run:
        """Evaluate the model, and write it where a folder is given."""
        metrics: RunMetrics = {
            "best_epoch": state.best_epoch,
            "epochs": len(state.history),
            "train_seconds": state.seconds,
        }
        if self.team.is_main:
            metrics = {**metrics, **results_of(run.intents)}
            report_baselines(metrics, self.reporter)
        if self.choices:
            metrics["choices"] = self.choices
        run = replace(run, metrics=metrics)
        out = self.start.out
        if out is None or work is None or not self.team.is_main:
            return run
        work.finish(run.results())
        if work != out:
            out.adopt_training()
        return replace(run, saved_as=out.weights_mark())

    def _where_to_train(self, folder: RunFolder | None, mark: str) -> tuple[RunFolder | None, bool, str]:
        """The folder to train in, whether a training goes on there, and its recipe; no folder: nothing is left to do.

        A run that is there answers until the new one is whole.

        Raises:
            RunError: It holds another run.
        """
        assert folder is not None
        recipe = self.start.recipe
        self._say_if_nothing_is_begun(folder)
        if self.start.overwrite or not folder.started:
            return (folder.training if folder.finished else folder), False, recipe
        if not self.start.resume:
            held = f"{folder.path} holds {_held_by(folder)}"
            raise RunError(f"{held}: {_other_place()}")
        unfinished = folder.unfinished
        recipe = self._check_same(unfinished or folder, mark)
        if unfinished is not None and unfinished.finished:  # only the switch was missing
            folder.adopt_training()
            return None, False, recipe
        return unfinished, unfinished is not None, recipe

    def _say_if_nothing_is_begun(self, folder: RunFolder) -> None:
        """A line in a terminal where a training is to be resumed, and none was begun."""
        if self.start.resume and not folder.started and isinstance(self.reporter, TerminalReporter):
            self.reporter.nothing_to_resume(folder.path)

    def _check_same(self, folder: RunFolder, mark: str) -> str:
        """The recipe of a folder; raise unless ``fit`` may go on there."""
        document = folder.config()
        if document.get("data") != mark:
            again = argument("overwrite", True)
            raise RunError(f"{folder.path} was started with other data: resume with the same file, or use {again}")
        theirs, ours = document["settings"].model_dump(), self.start.settings.model_dump()
        chosen = set(theirs["auto"]) & set(ours["auto"])
        free = {*chosen, "threads"}  # a training may go on on another machine
        names = [name for name in ours if name not in free and ours[name] != theirs[name]]
        changed = [f"{name} {theirs[name]!r} -> {ours[name]!r}" for name in names]
        if changed:
            raise RunError(f"{folder.path} has other settings ({', '.join(changed)}): resume without them")
        if not folder.finished:
            folder.check_start()
        return str(document.get("recipe"))

    def _begun_with(
        self,
        work: RunFolder,
        log: Interactions,
        items: Catalogue | None,
        users: UserTable | None,
        earlier: NamedIntents | None,
    ) -> _Begun:
        """Items, users and earlier intents that a training began with; those given again must be the same.

        Raises:
            RunError: They are others.
        """
        self._refuse_others(work, log, items, users)
        kept = work.earlier()
        if self.start.names_from is not None and not (earlier and earlier.equals(kept)):
            raise _began_otherwise(work, "names", "names_from")
        epochs = work.config()["settings"].epochs
        return _Begun(work.catalogue(), work.features(), work.user_table(), work.user_features(), kept, epochs)

    def _refuse_others(
        self, folder: RunFolder, log: Interactions, items: Catalogue | None, users: UserTable | None
    ) -> None:
        """Raise RunError where items or users are given again, and a folder keeps others; ``log`` is filtered."""
        if items is not None:
            ids = Vocabulary.of(log.frame["item_id"], first=1, kind="item").ids
            if (kept := folder.catalogue()) is None or not _is_kept(items, kept, ids):
                raise _began_otherwise(folder, "items", "items")
        if users is not None:
            ids, table = Vocabulary.of(log.frame["user_id"]).ids, folder.user_table()
            if table is None or not _is_kept(users, table, ids):
                raise _began_otherwise(folder, "users", "users")


def _began_otherwise(folder: RunFolder, what: str, name: str) -> RunError:
    """The error where something is given again, as an argument of that name, and is not what a training began with."""
    again = f"go on without, or start from scratch with {argument('overwrite', True)}"
    return RunError(f"{folder.path} began with other {what}, or none ({argument(name)}): {again}")


def _is_kept(given: Known, kept: Known, ids: pl.Series) -> bool:
    """Whether a run of these ids keeps what is given; one of an earlier version has its own kinds and spelling.

    Raises:
        DataError: What is given describes none of the ids.
    """
    # runs of earlier versions kept items of the model alone
    return any(
        says_same(kept.table(), read.known_to(ids).table()) or says_same(kept.table(), read.matched(ids).table())
        for read in _readings(given, kept)
    )


def _readings(given: Known, kept: Known) -> list[Known]:
    """What is given, and the same in the kinds of what is kept unless a value is of another one."""
    try:
        found, notes = given.as_in(kept)
    except DataError:
        return [given]
    return [given] if notes else [given, found]


def _other_place() -> str:
    """What to do where ``out`` holds something already, for messages."""
    return f"choose another {argument('out')}, or replace it with {argument('overwrite', True)}"


def _held_by(folder: RunFolder) -> str:
    """What a folder that was begun holds, for messages."""
    left = f" (go on with {argument('resume', True)})"
    state = "a finished run" if folder.finished else f"an unfinished training{left}"
    return state + (f" and an unfinished training that is to replace it{left}" if folder.training.started else "")


def refuse_to_replace(out: RunFolder, overwrite: bool) -> None:
    """Raise before a training whose result could not be written to a folder.

    Raises:
        RunError: It holds a run that is not to be replaced, or other files.
    """
    if out.started and not overwrite:
        raise RunError(f"{out.path} holds a run: {_other_place()}")
    out.refuse_others()


def nothing_to_train(out: RunFolder, overwrite: bool) -> bool:
    """Whether a folder holds a finished run, and no training is to replace it; see :attr:`Start.overwrite`."""
    return out.finished and out.unfinished is None and not overwrite


def settings_to_resume(out: RunFolder, recipe: str | None) -> dict[str, Any]:
    """The settings with which a training is resumed, below those given again.

    Args:
        out: Run folder of the training.
        recipe: The recipe that is given again: its settings count, then; None: those that the training began with.

    Returns:
        Settings by name, empty where no training was begun.
    """
    if recipe is not None or not out.started:
        return {}
    settings: Settings = (out.unfinished or out).config()["settings"]
    return settings.model_dump()


def report_baselines(metrics: RunMetrics, reporter: Reporter) -> None:
    """Show the baselines in a terminal, and warn where one is better than the model."""
    if isinstance(reporter, TerminalReporter):
        reporter.baselines(metrics)
    note = baseline_warning(metrics)
    if note is not None:
        warn(note, AccuracyWarning)


def carry_names(intents: Intents, earlier: NamedIntents, reporter: Reporter) -> None:
    """Take over given names of earlier intents; a terminal shows which are, and which are not."""
    left = intents.carry_names(earlier)
    if isinstance(reporter, TerminalReporter):
        reporter.names(len(earlier.names), left)


def reporter_of(progress: bool | Reporter, is_main: bool = True) -> Reporter:
    """The reporter; only the main process reports to people."""
    if isinstance(progress, bool) or not is_main:
        return TerminalReporter() if progress and is_main else SilentReporter()
    return progress


def warn_of_repeats(dataset: Dataset, settings: Settings) -> None:
    """Say where held-out items cannot be found, or are found at once: those of the test, or else of validation."""
    split = dataset.split
    part = "test" if bool((split.test_U >= 0).any()) else "valid"
    share = repeat_share(split.held_out(part, settings.judged_users, settings.seed)[1])
    for note in (repeat_warning(share, settings.exclude_seen), own_event_warning(split, part, settings)):
        if note is not None:
            warn(note, DataWarning)
