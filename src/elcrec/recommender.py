"""ELCRec as its users meet it: fit, recommend, look at intents, save, load. Ties the rooms together."""

from __future__ import annotations

import copy
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from elcrec.answering import Answering
from elcrec.config import Settings, resolve
from elcrec.data.by_settings import filtered, read_log
from elcrec.data.catalogue import Catalogue
from elcrec.data.files import fingerprint
from elcrec.data.interactions import Interactions
from elcrec.data.splits import Split, make_split
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError, RunError, SettingsError
from elcrec.evaluation.metrics import CUTOFFS, ranking_metrics
from elcrec.evaluation.ranking import UNRANKED, target_ranks
from elcrec.judging import Judging
from elcrec.model.network import ELCRecNetwork
from elcrec.model.published import sizes, translate
from elcrec.model_card import model_card
from elcrec.run_folder import RunFolder
from elcrec.storage import read_weights, write_frame
from elcrec.trained import Learnt
from elcrec.training.checkpoint import Progress
from elcrec.training.distributed import Team, joined, own_device
from elcrec.training.growth import grown
from elcrec.training.loop import SELECT_ON, Reporter, seeded, train, validate
from elcrec.training.report import SilentReporter, TerminalReporter


class ELCRec(Answering, Judging):
    """Next-item recommendation with learned intents.

    Example:
        >>> model = ELCRec(recipe="default", seed=1).fit("events.parquet")
        >>> model.recommend(users=["u1"], k=10)

    Attributes:
        settings: The resolved settings.
        recipe: Name or path of the recipe they came from.
        device: Where the tensors live.
        history: One record an epoch; see :func:`elcrec.training.loop.train`.
        metrics: Results of the last fit: ``valid``, ``test``, ``best_epoch``, ``train_seconds``, ...
    """

    def __init__(
        self, recipe: str | Path = "default", seed: int | None = None, device: str = "auto", **settings: Any
    ) -> None:
        """Choose a recipe.

        Args:
            recipe: A shipped name (``default``, ``paper``, ...) or the path of a TOML file.
            seed: Everything random follows from it; default: the recipe's.
            device: ``auto`` (CUDA if there is one), ``cpu`` or ``cuda``.
            settings: Any field of :class:`elcrec.config.Settings`, on top of the recipe.

        Raises:
            SettingsError: Unknown or impossible setting.
        """
        overrides = settings if seed is None else {**settings, "seed": seed}
        self.recipe = str(recipe)
        self.settings: Settings = resolve(recipe, overrides)
        self.device = own_device(resolve_device(device))
        self.history: list[dict[str, Any]] = []
        self.metrics: dict[str, Any] = {}
        self._network = None
        self._learnt = None
        self._given_names = {}

    # ------------------------------------------------------------------ learning

    def _read(self, data: Any, format: str | None) -> Interactions:
        """A log by this model's column names and filters; call it once for each log."""
        return filtered(read_log(data, format, self.settings), self.settings)

    def fit(
        self,
        data: Any,
        out: str | Path | None = None,
        resume: bool = False,
        overwrite: bool = False,
        progress: bool | Reporter = True,
        format: str | None = None,
        items: Any = None,
        names_from: str | Path | ELCRec | None = None,
    ) -> ELCRec:
        """Learn from a log; stop when validation ndcg@20 stops improving; keep the best epoch.

        Args:
            data: File, table or :class:`Interactions`.
            out: Run folder to write; the state is kept there after every epoch.
            resume: Go on with an interrupted run in ``out``, to the result it would have had.
            overwrite: Replace a run in ``out``.
            progress: Show a progress bar and a line an epoch on standard error; or who is told instead.
            format: Format of a data file.
            items: What is known about the items (titles, categories, ...), for names and reports, not for
                training: anything :meth:`elcrec.data.catalogue.Catalogue.read` takes.
            names_from: An earlier model or run whose given intent names are carried over, see
                :meth:`match_intents`.

        Returns:
            Itself. Of several processes (see docs/distributed.md) the first writes ``out`` and has the results.

        Raises:
            DataError: The log cannot be used.
            RunError: ``out`` holds another run, or cannot be written.
        """
        with joined(self.device) as team:
            return self._fit(team, data, out, resume, overwrite, progress, format, items, names_from)

    def _fit(
        self,
        team: Team,
        data: Any,
        out: str | Path | None,
        resume: bool,
        overwrite: bool,
        progress: bool | Reporter,
        format: str | None,
        items: Any,
        names_from: str | Path | ELCRec | None,
    ) -> ELCRec:
        if team.size > 1 and self.device.type == "cuda" and self.settings.item_updates == "touched":
            raise SettingsError("item_updates=touched (recipe large) on several GPUs: sums of such gradients need CPUs")
        if isinstance(progress, bool) or not team.leads:
            reporter: Reporter = TerminalReporter() if progress and team.leads else SilentReporter()
        else:
            reporter = progress
        log = self._read(data, format)
        catalogue = None if items is None else Catalogue.read(items)
        named = names_from if names_from is None or isinstance(names_from, ELCRec) else ELCRec.load(names_from)
        named = copy.copy(named)  # it may be this very model, which from here on is another
        mark = fingerprint(log.frame)
        folder = None if out is None else RunFolder(Path(out))
        if folder is not None and team.told(lambda: self._finished(folder, mark, resume, overwrite)):
            return self._restore(folder)
        self._use(log, Vocabulary.of(log.frame["item_id"], first=1, kind="item"), catalogue)
        self._split.learners()
        self._split.targets("valid")
        if named is not None:
            self._shared_items(named)  # better now than after the training
        reporter.log(log.summary())
        if folder is not None and team.leads and (overwrite or not folder.started):
            folder.begin(self.recipe, self.settings, log, self.items, mark)
        elif folder is not None and team.leads:
            folder.write_log(log, self.items)  # the start may have been interrupted
        with seeded(self.settings.seed, 0, self.device):
            network = ELCRecNetwork(self.settings, len(self.items)).to(self.device)
        checkpoint = None if folder is None else folder.checkpoint
        on_epoch = folder.write_history if folder is not None and team.leads else None
        state = train(network, self._split, self.settings, reporter, checkpoint, on_epoch, team)
        self._network, self.history = network.eval(), state.history
        self._given_names = {}
        if named is not None:
            self._carry_names(named)
        self.metrics = {
            "best_epoch": state.best_epoch,
            "epochs": len(state.history),
            "train_seconds": state.seconds,
            **(self._results() if team.leads else {}),
        }
        if folder is not None and team.leads:
            self._finish(folder)
        return self

    def partial_fit(
        self,
        data: Any,
        epochs: int = 3,
        progress: bool | Reporter = True,
        format: str | None = None,
        items: Any = None,
    ) -> ELCRec:
        """Learn on from new events, instead of from everything anew.

        They are joined to the log learnt from. Items keep their vectors and new ones begin as the sum of their
        neighbours' (:func:`elcrec.training.growth.grown`); intents keep their numbers and names (where k-means finds
        them anew, the names go to those that mean the same). Then a few epochs over the whole log, with a schedule of
        their own; the best on validation is kept, the start included. Until that is done the model stays what it was.
        Its settings do not change. What it costs in accuracy: docs/evaluation.md.

        Args:
            data: New events: file, table or :class:`Interactions`; with times, those that the log holds already
                count once.
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
        log = filtered(self.log.joined(read_log(data, format, s)), s)
        vocabulary = Vocabulary.of(log.frame["item_id"], first=1, kind="item")
        split = self._split_of(log, vocabulary)
        described = None if described is None else described.matched(vocabulary.ids)
        before_V = torch.from_numpy(self.items.indices(vocabulary.ids, unknown="skip")).to(self.device)
        with seeded(s.seed, 0, self.device):
            larger = grown(network, s, before_V, split)
        settings = s.model_copy(update={"epochs": epochs, "warmup_epochs": 0})
        start = Progress(best_value=validate(larger, split, settings)[SELECT_ON])
        if isinstance(progress, bool):
            progress = TerminalReporter() if progress else SilentReporter()
        state = train(larger, split, settings, progress, start=start)
        before, done, best = copy.copy(self), len(self.history), self.metrics.get("best_epoch", 0)
        self._use(log, vocabulary, described)
        self._network = larger.eval()
        self.history = [*self.history, *({**record, "epoch": done + record["epoch"]} for record in state.history)]
        if s.intent_learning == "em":
            self._given_names = {}
            self._carry_names(before)
        self.metrics = {
            "best_epoch": done + state.best_epoch if state.best_epoch else best,
            "epochs": len(self.history),
            "train_seconds": self.metrics.get("train_seconds", 0.0) + state.seconds,
            **self._results(),
        }
        return self

    def _finished(self, folder: RunFolder, mark: str, resume: bool, overwrite: bool) -> bool:
        """Whether there is nothing left to do in a folder.

        Raises:
            RunError: It holds another run.
        """
        if not folder.started or overwrite:
            return False
        self._check_same(folder, mark, resume)
        return folder.finished and not folder.checkpoint.exists()

    def _check_same(self, folder: RunFolder, mark: str, resume: bool) -> None:
        """Raise unless ``fit`` may go on in a folder that holds a run."""
        if not resume:
            state = "a finished run" if folder.finished else "an unfinished training (go on with --resume)"
            raise RunError(f"{folder.path} holds {state}: choose another --out, or replace it with --overwrite")
        document = folder.config()
        if document.get("data") != mark:
            raise RunError(f"{folder.path} learns from other data: resume with the same file, or use --overwrite")
        theirs, ours = document["settings"].model_dump(), self.settings.model_dump()
        changed = [f"{name} {theirs[name]!r} -> {ours[name]!r}" for name in ours if ours[name] != theirs[name]]
        if changed:
            raise RunError(f"{folder.path} has other settings ({', '.join(changed)}): resume without them")
        self.recipe = str(document.get("recipe"))

    def _results(self) -> dict[str, Any]:
        """Metrics of both parts and the health of the intents, on this model's own log."""
        results: dict[str, Any] = {}
        for part in ("valid", "test"):
            at_U = self._split.valid_U if part == "valid" else self._split.test_U
            if bool((at_U >= 0).any()):
                results[part] = self.evaluate(split=part, most=self.settings.judged_users)
        return {
            **results,
            "n_users": self._split.n_users,
            "n_items": len(self.items),
            "intents": self.intent_health(most=self.settings.judged_users),
        }

    # ------------------------------------------------------------------ judging

    def evaluate(
        self,
        data: Any = None,
        split: str = "test",
        format: str | None = None,
        unknown: str = "raise",
        ranks: str | Path | None = None,
        most: int | None = None,
    ) -> dict[str, Any]:
        """Rank the whole catalogue for every user's held-out item.

        Args:
            data: The log that holds the items to predict; default: the one learnt from.
            split: ``valid`` or ``test``.
            format: Format of a data file.
            unknown: What to do with items the model does not know: ``raise``, or ``skip`` their events.
            ranks: Also write each user's rank to this Parquet file: ``user_id``, ``item_id``, ``rank``.
            most: Of more users, only so many, drawn by the seed.

        Returns:
            ``hit_rate@k``, ``ndcg@k``, ``mrr@k`` and ``coverage@k`` (share of the catalogue that anybody is
            shown), all in [0, 1], for k in 1, 5, 10, 20, 50; ``ceiling`` (share of users whose item may be
            ranked at all: seen items are not); ``n_users``, ``n_items``, ``split``.
        """
        rank_Q, who, coverage = self._ranks(data, split, format, unknown, most)
        if ranks is not None:
            write_frame(Path(ranks), who.with_columns(_rank_column(rank_Q)))
        return {
            **ranking_metrics(rank_Q),
            **coverage,
            "ceiling": (rank_Q < UNRANKED).double().mean().item(),
            "n_users": rank_Q.numel(),
            "n_items": len(self.items),
            "split": split,
        }

    def ranks(
        self, data: Any = None, split: str = "test", format: str | None = None, unknown: str = "raise"
    ) -> pl.DataFrame:
        """Rank of each user's held-out item: ``user_id``, ``item_id``, ``rank`` (from 1; null: not ranked)."""
        rank_Q, who, _ = self._ranks(data, split, format, unknown)
        return who.with_columns(_rank_column(rank_Q))

    def _ranks(
        self, data: Any, split: str, format: str | None, unknown: str, most: int | None = None
    ) -> tuple[Tensor, pl.DataFrame, dict[str, float]]:
        """Ranks, whose and of what (``user_id``, ``item_id``), and coverage."""
        if data is None:
            evaluated, users = self._split, self.users
        else:
            log = self._known_items(self._read(data, format), unknown)
            evaluated, users = self._split_of(log, self.items), Vocabulary.of(log.frame["user_id"])
        user_Q, target_Q = evaluated.targets(split, most, self.settings.seed)
        rank_Q, coverage = target_ranks(
            self.network,
            evaluated.item_N,
            evaluated.start_U[user_Q],
            target_Q,
            self.settings.max_seq_len,
            self.settings.exclude_seen,
            CUTOFFS,
        )
        who = pl.DataFrame(
            [
                users.ids_of(user_Q.cpu().numpy()).alias("user_id"),
                self.items.ids_of(evaluated.item_N[target_Q].cpu().numpy()).alias("item_id"),
            ]
        )
        return rank_Q, who, coverage

    def _known_items(self, log: Interactions, unknown: str) -> Interactions:
        known = self.items.indices(log.frame["item_id"], unknown) >= 0
        if not known.any():
            raise DataError("the model knows none of the items in this data: is it the right file?")
        return log if known.all() else Interactions(log.frame.filter(pl.Series(known)))

    # ------------------------------------------------------------------ keeping

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write a run folder; a run that is replaced stays until all of the new one is written.

        Raises:
            RunError: The folder holds another run or other files, or cannot be written.
        """
        folder = RunFolder(Path(path))
        if folder.started and not overwrite:
            raise RunError(f"{folder.path} holds a run: choose another folder, or pass overwrite=True")
        _ = self.network  # raises before anything is touched
        with folder.replaced() if folder.started else nullcontext(folder) as target:
            target.begin(self.recipe, self.settings, self.log, self.items, fingerprint(self.log.frame))
            target.write_history(self.history)
            self._finish(target)
        if self._search_path is not None and not self._search_path.exists():
            self._search_path = None

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> ELCRec:
        """Read a run folder.

        Raises:
            RunError: Missing, damaged, unfinished or from a newer version.
        """
        model = cls(device=device)
        return model._restore(RunFolder(Path(path)))

    @classmethod
    def from_published(
        cls,
        weights: str | Path,
        data: Any,
        device: str = "auto",
        format: str | None = None,
        items: Any = None,
        **settings: Any,
    ) -> ELCRec:
        """A model with weights published with ELCRec.

        Args:
            weights: Published state dict, ``.safetensors`` or ``.pt``.
            data: The log they belong to: its item ids are the rows of the weights.
            device: See the constructor.
            format: Format of a data file.
            items: What is known about the items; see :meth:`fit`.
            settings: What shapes cannot tell: ``n_heads`` (2), ``fusion`` (``concat``).

        Raises:
            RunError: Not published weights.
            DataError: The log has other items.
        """
        published = read_weights(Path(weights))
        shapes = sizes(published)
        n_items = shapes.pop("n_items")
        clash = {name: value for name, value in settings.items() if name in shapes and str(shapes[name]) != str(value)}
        if clash:
            raise SettingsError(f"the weights say otherwise: {', '.join(f'{n}={shapes[n]}' for n in clash)}")
        model = cls("paper", device=device, **{"fusion": "concat", "n_heads": 2, **shapes, **settings})
        log = model._read(data, format)
        ids = log.frame["item_id"]
        lowest, highest = ids.min(), ids.max()
        if not isinstance(lowest, int) or not isinstance(highest, int) or lowest < 1 or highest > n_items:
            raise DataError(
                f"these weights number their items 1 to {n_items:,}, the data's item ids go from {lowest!r} "
                f"to {highest!r}: are they of the same data set?"
            )
        numbers = pl.Series("item_id", np.arange(1, n_items + 1)).cast(ids.dtype)
        catalogue = None if items is None else Catalogue.read(items)
        model._use(log, Vocabulary(numbers, first=1, kind="item"), catalogue)
        model._set_weights(translate(published), f"{weights}")
        model.metrics = {"imported_from": Path(weights).name, **model._results()}
        return model

    def _finish(self, folder: RunFolder) -> None:
        weights = {name: value.detach() for name, value in self.network.state_dict().items()}
        card = model_card(self.recipe, self.settings, self.log.summary(), self.metrics)
        if self.catalogue is not None:
            folder.write_catalogue(self.catalogue)
        folder.write_names(self._given_names)
        folder.finish(weights, self.metrics, card)

    def describe_items(self, items: Any) -> None:
        """Attach what is known about the items, for names and reports; see :meth:`fit`. ``save`` keeps it."""
        self._known.catalogue = Catalogue.read(items).matched(self.items.ids)
        self._forget()

    def write_names(self, path: str | Path) -> None:
        """Keep the names given to intents with the run in ``path``."""
        RunFolder(Path(path)).write_names(self._given_names)

    def read_names(self, path: str | Path) -> None:
        """Take over the names that are kept with the run in ``path``, instead of the ones given so far."""
        self._given_names = RunFolder(Path(path)).names()

    def _restore(self, folder: RunFolder) -> ELCRec:
        document = folder.config()
        self.recipe, self.settings = str(document.get("recipe")), document["settings"]
        weights = folder.weights()
        self._use(folder.interactions(), folder.vocabulary(), folder.catalogue())
        self._set_weights(weights, str(folder.model))
        self._given_names = folder.names()
        self.history, self.metrics = folder.history(), folder.metrics()
        self._search_path = folder.item_search if folder.item_search.exists() else None
        return self

    # ------------------------------------------------------------------ state

    def _use(self, log: Interactions, items: Vocabulary, catalogue: Catalogue | None) -> None:
        self._forget()
        self._network, self._search_path = None, None  # of another log
        users = Vocabulary.of(log.frame["user_id"])
        described = None if catalogue is None else catalogue.matched(items.ids)
        self._learnt = Learnt(log, items, users, self._split_of(log, items), described)

    def _split_of(self, log: Interactions, items: Vocabulary) -> Split:
        split = make_split(log, items, self.settings.split, self.settings.holdout_share)
        return split.learning_from(self.settings.train_share, self.settings.seed).to(self.device)

    def _set_weights(self, weights: dict[str, Tensor], source: str) -> None:
        network = ELCRecNetwork(self.settings, len(self.items))
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise RunError(f"{source} does not fit its settings: {reason}") from error
        if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
            raise RunError(f"{source} is damaged: it holds values that are not numbers")
        self._network = network.to(self.device).eval()


def _rank_column(rank_Q: Tensor) -> pl.Series:
    """Ranks from 1; null where an item is not ranked."""
    return pl.Series("rank", rank_Q.cpu().numpy()).replace(UNRANKED, None)


def resolve_device(device: str) -> torch.device:
    """``auto``, ``cpu`` or ``cuda`` (also ``cuda:1``) as a device that is there.

    Raises:
        SettingsError: There is no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cpu":
        return torch.device("cpu")
    if not device.startswith("cuda"):
        raise SettingsError(f"device={device!r}: use auto, cpu or cuda")
    if not torch.cuda.is_available():
        raise SettingsError("device=cuda: PyTorch sees no GPU here; use --device cpu or install a CUDA build")
    return torch.device(device)
