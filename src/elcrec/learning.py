"""Learning: from a log, and on from new events."""

from __future__ import annotations

import copy
import os
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

import torch

from elcrec.config import Settings
from elcrec.data.by_settings import filtered, read_log, read_new
from elcrec.data.catalogue import Catalogue
from elcrec.data.files import fingerprint
from elcrec.data.splits import Split
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataWarning, RunError, SettingsError
from elcrec.evaluation.repeats import repeat_share, repeat_warning
from elcrec.explain.matching import NamedIntents
from elcrec.keeping import Keeping
from elcrec.model.network import ELCRecNetwork
from elcrec.run_folder import RunFolder
from elcrec.training.distributed import Team, joined
from elcrec.training.increment import step_share, train_on
from elcrec.training.loop import Reporter, seeded, train
from elcrec.training.report import SilentReporter, TerminalReporter
from elcrec.training.warm_start import extend_vocabulary


class Learning(Keeping):
    """The part of :class:`elcrec.ELCRec` that learns."""

    def fit(
        self,
        data: Any,
        out: str | Path | None = None,
        resume: bool = False,
        overwrite: bool = False,
        progress: bool | Reporter = True,
        format: str | None = None,
        items: Any = None,
        names_from: str | Path | Keeping | None = None,
    ) -> Self:
        """Learn from a log; stop when validation ndcg@20 stops improving; keep the best epoch.

        Args:
            data: File, table or :class:`Interactions`.
            out: Run folder to write; the state is kept there after every epoch.
            resume: Go on with an interrupted training in ``out``, to the result it would have had, with the items and
                names it began with.
            overwrite: Replace a run in ``out``; it answers until the new one is whole. An interrupted training there is
                given up.
            progress: Show a progress bar and a line an epoch on standard error; or who is told instead.
            format: Format of a data file.
            items: What is known about the items (titles, categories, ...), for names and reports, not for
                training: anything :meth:`elcrec.data.catalogue.Catalogue.read` takes.
            names_from: An earlier model or run whose given intent names are carried over, see
                :meth:`match_intents`.

        Returns:
            Itself. Of several processes (see docs/distributed.md) the first writes ``out`` and has the results. Until
            all is done, and where it fails, the model stays what it was.

        Raises:
            DataError: The log cannot be used.
            RunError: ``out`` holds another run, is being written by another process, or cannot be written.
        """
        fresh = copy.copy(self)  # until all is done, this model stays what it was
        with joined(self.device) as team:
            folder = None if out is None else RunFolder(Path(out))
            with folder.locked() if folder is not None and team.is_main else nullcontext():
                fresh._fit(team, data, folder, resume, overwrite, progress, format, items, names_from)
        self.__dict__ = fresh.__dict__
        return self

    def _fit(
        self,
        team: Team,
        data: Any,
        folder: RunFolder | None,
        resume: bool,
        overwrite: bool,
        progress: bool | Reporter,
        format: str | None,
        items: Any,
        names_from: str | Path | Keeping | None,
    ) -> None:
        if team.size > 1 and self.device.type == "cuda" and self.settings.item_updates == "touched":
            raise SettingsError("item_updates=touched (recipe large) on several GPUs: sums of such gradients need CPUs")
        reporter = _reporter(progress, team.is_main)
        whole = read_log(data, format, self.settings)
        log = filtered(whole, self.settings)
        catalogue = None if items is None else Catalogue.read(items)
        named = None if names_from is None else self._earlier(names_from)
        work, left = folder, False
        if folder is not None:
            mark = fingerprint(whole.frame)
            work, left = team.broadcast_object(lambda: self._where_to_train(folder, mark, resume, overwrite))
            if work is None:
                self._restore(folder)
                return
        self._use(log, Vocabulary.of(log.frame["item_id"], first=1, kind="item"), catalogue, whole)
        self._split.learners()
        self._split.targets("valid")
        if team.is_main:
            _warn_of_repeats(self._split, self.settings)
        # Better now than after the training.
        earlier = None if named is None else self._intents_of(named)
        reporter.log(log.summary())
        if work is not None and team.is_main:
            if left:
                earlier = self._begun_with(work, items is not None, earlier, named is not None)
            else:
                work.begin(self._knowledge(earlier))
        self._train(team, work, reporter)
        self._given_names = {}
        if earlier is not None:
            self._carry_names(earlier)
        self.metrics |= self._results() if team.is_main else {}
        if folder is not None and work is not None and team.is_main:
            work.finish(self._outcome())
            if work != folder:
                folder.adopt_training()
            self._saved_as = folder.weights_mark()

    def _train(self, team: Team, work: RunFolder | None, reporter: Reporter) -> None:
        """From fresh weights, or from the checkpoint in a folder."""
        with seeded(self.settings.seed, 0, self.device):
            network = ELCRecNetwork(self.settings, len(self.items)).to(self.device)
        checkpoint = None if work is None else work.checkpoint
        on_epoch = work.write_history if work is not None and team.is_main else None
        state = train(network, self._split, self.settings, reporter, checkpoint, on_epoch, team)
        self._network, self.history = network.eval(), state.history
        self.metrics = {
            "best_epoch": state.best_epoch,
            "epochs": len(state.history),
            "train_seconds": state.seconds,
        }

    def partial_fit(
        self,
        data: Any,
        epochs: int = 3,
        progress: bool | Reporter = True,
        format: str | None = None,
        items: Any = None,
    ) -> Self:
        """Learn on from new events, instead of from everything anew.

        They are joined to the whole log; filters (``min_user_count``, ...) look at all of it again. Items keep their
        vectors and new ones begin as the sum of their neighbours'
        (:func:`elcrec.training.warm_start.extend_vocabulary`); intents keep their numbers and names (where k-means
        finds them anew, the names go to those that mean the same). Then a few epochs over the whole log, with a
        schedule of their own; the best on validation is kept, the start included. Where less than 1% of the log is
        new, the weights go only part of the way (:func:`elcrec.training.increment.step_share`): one event does not
        change everybody's lists. Until that is done the model stays what it was. Its settings do not change.
        ``metrics["learnt_on"]`` says what was new, and how far the weights went. What it costs in accuracy:
        docs/evaluation.md.

        Args:
            data: New events: file, table or :class:`Interactions`; those that the log holds already count once, see
                :meth:`Interactions.joined`. Where the log holds all of them nothing changes, with a warning.
            epochs: Epochs to go, 1 or more.
            progress: See :meth:`fit`.
            format: Format of a data file.
            items: What is known about items, see :meth:`fit`; on top of what is known already.

        Returns:
            Itself; :meth:`save` writes it.

        Raises:
            RunError: Nothing is learnt yet.
            DataError: The events cannot be used, or do not fit the log.
            SettingsError: ``epochs`` is below 1, or several processes were started.
        """
        network, s = self.network, self.settings
        if epochs < 1:
            raise SettingsError(f"epochs={epochs}: ask for one or more")
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise SettingsError("learning on (partial_fit, --from) is done by one process: start it without torchrun")
        described = self.catalogue if items is None else Catalogue.read(items).over(self.catalogue)
        newer = read_new(data, format, s)
        whole = self._known.whole.joined(newer)
        added = len(whole) - len(self._known.whole)
        if added == 0:
            if items is not None:
                self.describe_items(described)
            new = {"new_events": 0, "known_events": len(newer), "new_users": 0, "new_items": 0, "step": 0.0}
            self.metrics = {**self.metrics, "learnt_on": new}
            note = f"nothing new: all {len(newer):,} events are in the log already; the model stays what it was"
            warnings.warn(note, DataWarning, stacklevel=2)
            return self
        log = filtered(whole, s)
        vocabulary = Vocabulary.of(log.frame["item_id"], first=1, kind="item")
        split = self._split_of(log, vocabulary)
        described = None if described is None else described.matched(vocabulary.ids)
        before_V = torch.from_numpy(self.items.indices(vocabulary.ids, unknown="skip")).to(self.device)
        _warn_of_repeats(split, s)
        with seeded(s.seed, 0, self.device):
            larger = extend_vocabulary(network, s, before_V, split)
        share = step_share(max(len(log) - len(self.log), 0), len(log))
        state = train_on(larger, split, s, epochs, _reporter(progress), share)
        done, best, fresh = len(self.history), self.metrics.get("best_epoch", 0), copy.copy(self)
        fresh._use(log, vocabulary, described, whole)
        fresh._network = larger.eval()
        fresh.history = [*self.history, *({**record, "epoch": done + record["epoch"]} for record in state.history)]
        if s.intent_learning == "em":
            fresh._given_names = {}
            fresh._carry_names(fresh._intents_of(self))
        fresh.metrics = {
            "best_epoch": done + state.best_epoch if state.best_epoch else best,
            "epochs": len(fresh.history),
            "train_seconds": self.metrics.get("train_seconds", 0.0) + state.seconds,
            "learnt_on": {
                "new_events": added,
                "known_events": len(newer) - added,
                "new_users": len(fresh.users) - len(self.users),
                "new_items": len(fresh.items) - len(self.items),
                "step": share,
            },
            **fresh._results(),
        }
        self.__dict__ = fresh.__dict__
        return self

    def _earlier(self, model: str | Path | Keeping) -> Keeping:
        """A copy of a model (it may be this very one, which soon is another), or a run read."""
        if isinstance(model, Keeping):
            return copy.copy(model)
        return copy.copy(self)._restore(RunFolder(Path(model)))

    def _where_to_train(
        self, folder: RunFolder, mark: str, resume: bool, overwrite: bool
    ) -> tuple[RunFolder | None, bool]:
        """The folder to train in, and whether a training goes on there; no folder where nothing is left to do.

        A run that is there answers until the new one is whole.

        Raises:
            RunError: It holds another run.
        """
        if overwrite or not folder.started:
            return (folder.training if folder.finished else folder), False
        if not resume:
            left = " (go on with --resume)"
            state = "a finished run" if folder.finished else f"an unfinished training{left}"
            state += f" and an unfinished training that is to replace it{left}" if folder.training.started else ""
            raise RunError(f"{folder.path} holds {state}: choose another --out, or replace it with --overwrite")
        unfinished = folder.unfinished
        self._check_same(unfinished or folder, mark)
        if unfinished is not None and unfinished.finished:  # only the switch was missing
            folder.adopt_training()
            return None, False
        return unfinished, unfinished is not None

    def _begun_with(
        self, work: RunFolder, described: bool, earlier: NamedIntents | None, named: bool
    ) -> NamedIntents | None:
        """Items and earlier intents that an interrupted training began with; those given again must be the same.

        Raises:
            RunError: They are others.
        """
        kept, items = work.earlier(), work.catalogue()
        again = "go on without, or start anew with --overwrite"
        if described and not (items and self._known.catalogue and items.frame.equals(self._known.catalogue.frame)):
            raise RunError(f"{work.path} began with other items, or none (items, --items): {again}")
        if named and not (earlier and earlier.equals(kept)):
            raise RunError(f"{work.path} began with other names, or none (names_from, --names-from): {again}")
        self._known.catalogue = items
        return kept

    def _check_same(self, folder: RunFolder, mark: str) -> None:
        """Raise unless ``fit`` may go on in a folder that holds a run."""
        document = folder.config()
        if document.get("data") != mark:
            raise RunError(f"{folder.path} learns from other data: resume with the same file, or use --overwrite")
        theirs, ours = document["settings"].model_dump(), self.settings.model_dump()
        changed = [f"{name} {theirs[name]!r} -> {ours[name]!r}" for name in ours if ours[name] != theirs[name]]
        if changed:
            raise RunError(f"{folder.path} has other settings ({', '.join(changed)}): resume without them")
        if not folder.finished:
            folder.check_start()
        self.recipe = str(document.get("recipe"))


def _reporter(progress: bool | Reporter, is_main: bool = True) -> Reporter:
    """The reporter; only the main process reports to people."""
    if isinstance(progress, bool) or not is_main:
        return TerminalReporter() if progress and is_main else SilentReporter()
    return progress


def _warn_of_repeats(split: Split, settings: Settings) -> None:
    """Say where held-out items cannot be found: those of the test, or of validation where there is no test."""
    part = "test" if bool((split.test_U >= 0).any()) else "valid"
    user_Q, target_Q = split.targets(part, settings.judged_users, settings.seed)
    note = repeat_warning(repeat_share(split.item_N, split.start_U[user_Q], target_Q), settings.exclude_seen)
    if note is not None:
        warnings.warn(note, DataWarning, stacklevel=4)
