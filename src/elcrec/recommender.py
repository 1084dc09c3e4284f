"""ELCRec as its users meet it: fit, recommend, look at intents, save, load. Ties the rooms together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.config import Settings, resolve
from elcrec.data.files import fingerprint
from elcrec.data.interactions import Interactions
from elcrec.data.splits import Part, Split, make_split
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError, RunError, SettingsError
from elcrec.evaluation.behaviour import behaviours
from elcrec.evaluation.intent_health import intent_health
from elcrec.evaluation.metrics import CUTOFFS, ranking_metrics
from elcrec.evaluation.ranking import UNRANKED, best_items, target_ranks, top_items
from elcrec.explain.intent_table import intent_rows
from elcrec.model.network import ELCRecNetwork
from elcrec.model.published import sizes, translate
from elcrec.model_card import model_card
from elcrec.run_folder import RunFolder
from elcrec.storage import read_weights, write_frame
from elcrec.training.loop import Reporter, seeded, train
from elcrec.training.report import SilentReporter, TerminalReporter


@dataclass(frozen=True)
class _Learnt:
    log: Interactions
    items: Vocabulary
    users: Vocabulary
    split: Split


class ELCRec:
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
        self.device = resolve_device(device)
        self.history: list[dict[str, Any]] = []
        self.metrics: dict[str, Any] = {}
        self._network: ELCRecNetwork | None = None
        self._learnt: _Learnt | None = None

    # ------------------------------------------------------------------ learning

    def _read(self, data: Any, format: str | None) -> Interactions:
        """A log by this model's column names and filters; call it once for each log."""
        s = self.settings
        log = Interactions.read(data, format, s.user_column, s.item_column, s.timestamp_column)
        return log.filtered(s.min_user_count, s.min_item_count, s.k_core)

    def fit(
        self,
        data: Any,
        out: str | Path | None = None,
        resume: bool = False,
        overwrite: bool = False,
        progress: bool | Reporter = True,
        format: str | None = None,
    ) -> ELCRec:
        """Learn from a log; stop when validation ndcg@20 stops improving; keep the best epoch.

        Args:
            data: File, table or :class:`Interactions`.
            out: Run folder to write; the state is kept there after every epoch.
            resume: Go on with an interrupted run in ``out``, to the result it would have had.
            overwrite: Replace a run in ``out``.
            progress: Show a progress bar and a line an epoch on standard error; or who is told instead.
            format: Format of a data file.

        Returns:
            Itself.

        Raises:
            DataError: The log cannot be used.
            RunError: ``out`` holds another run, or cannot be written.
        """
        if isinstance(progress, bool):
            reporter: Reporter = TerminalReporter() if progress else SilentReporter()
        else:
            reporter = progress
        log = self._read(data, format)
        mark = fingerprint(log.frame)
        folder = None if out is None else RunFolder(Path(out))
        if folder is not None and folder.started and not overwrite:
            self._check_same(folder, mark, resume)
            if folder.finished and not folder.checkpoint.exists():
                return self._restore(folder)
        self._use(log, Vocabulary.of(log.frame["item_id"], first=1, kind="item"))
        self._split.learners()
        self._split.targets("valid")
        reporter.log(log.summary())
        if folder is not None and (overwrite or not folder.started):
            folder.begin(self.recipe, self.settings, log, self.items, mark)
        elif folder is not None:
            folder.write_log(log, self.items)  # the start may have been interrupted
        with seeded(self.settings.seed, 0, self.device):
            network = ELCRecNetwork(self.settings, len(self.items)).to(self.device)
        checkpoint = None if folder is None else folder.checkpoint
        on_epoch = None if folder is None else folder.write_history
        state = train(network, self._split, self.settings, reporter, checkpoint, on_epoch)
        self._network, self.history = network.eval(), state.history
        self.metrics = {
            "best_epoch": state.best_epoch,
            "epochs": len(state.history),
            "train_seconds": state.seconds,
            **self._results(),
        }
        if folder is not None:
            self._finish(folder)
        return self

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
                results[part] = self.evaluate(split=part)
        return {
            **results,
            "n_users": self._split.n_users,
            "n_items": len(self.items),
            "intents": self.intent_health(),
        }

    # ------------------------------------------------------------------ judging

    def evaluate(
        self,
        data: Any = None,
        split: str = "test",
        format: str | None = None,
        unknown: str = "raise",
        ranks: str | Path | None = None,
    ) -> dict[str, Any]:
        """Rank the whole catalogue for every user's held-out item.

        Args:
            data: The log that holds the items to predict; default: the one learnt from.
            split: ``valid`` or ``test``.
            format: Format of a data file.
            unknown: What to do with items the model does not know: ``raise``, or ``skip`` their events.
            ranks: Also write each user's rank to this Parquet file: ``user_id``, ``item_id``, ``rank``.

        Returns:
            ``hit_rate@k``, ``ndcg@k``, ``mrr@k`` and ``coverage@k`` (share of the catalogue that anybody is
            shown), all in [0, 1], for k in 1, 5, 10, 20, 50; ``ceiling`` (share of users whose item may be
            ranked at all: seen items are not); ``n_users``, ``n_items``, ``split``.
        """
        evaluated, users, rank_Q, coverage = self._ranks(data, split, format, unknown)
        if ranks is not None:
            write_frame(Path(ranks), self._rank_frame(evaluated, users, split, rank_Q))
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
        evaluated, users, rank_Q, _ = self._ranks(data, split, format, unknown)
        return self._rank_frame(evaluated, users, split, rank_Q)

    def _rank_frame(self, evaluated: Split, users: Vocabulary, split: str, rank_Q: Tensor) -> pl.DataFrame:
        user_Q, target_Q = evaluated.targets(_part(split))
        return pl.DataFrame(
            [
                users.ids_of(user_Q.cpu().numpy()).alias("user_id"),
                self.items.ids_of(evaluated.item_N[target_Q].cpu().numpy()).alias("item_id"),
                pl.Series("rank", rank_Q.cpu().numpy()).replace(UNRANKED, None),
            ]
        )

    def _ranks(
        self, data: Any, split: str, format: str | None, unknown: str
    ) -> tuple[Split, Vocabulary, Tensor, dict[str, float]]:
        if data is None:
            evaluated, users = self._split, self.users
        else:
            log = self._known_items(self._read(data, format), unknown)
            evaluated, users = self._split_of(log, self.items), Vocabulary.of(log.frame["user_id"])
        user_Q, target_Q = evaluated.targets(_part(split))
        rank_Q, coverage = target_ranks(
            self.network,
            evaluated.item_N,
            evaluated.start_U[user_Q],
            target_Q,
            self.settings.max_seq_len,
            self.settings.exclude_seen,
            CUTOFFS,
        )
        return evaluated, users, rank_Q, coverage

    def _known_items(self, log: Interactions, unknown: str) -> Interactions:
        known = self.items.indices(log.frame["item_id"], unknown) >= 0
        if not known.any():
            raise DataError("the model knows none of the items in this data: is it the right file?")
        return log if known.all() else Interactions(log.frame.filter(pl.Series(known)))

    # ------------------------------------------------------------------ recommending

    def recommend(
        self,
        users: Iterable[Any] | None = None,
        k: int = 10,
        exclude_seen: bool | None = None,
        unknown: str = "raise",
    ) -> pl.DataFrame:
        """Best items for known users, given all of their history.

        Args:
            users: User ids, of their own type or as text; default: all users.
            k: Items a user; fewer where the catalogue has no more.
            exclude_seen: Leave out what is in the history; default: as in the settings.
            unknown: ``raise`` on an unknown user, or ``skip`` him.

        Returns:
            ``user_id``, ``item_id``, ``score`` (dot product, unbounded), ``rank`` (from 1); users as asked.
        """
        number_Q = self._user_numbers(users, unknown)
        if number_Q.numel() == 0:
            return self._nothing(pl.Series("user_id", [], dtype=self.users.ids.dtype))
        ids = self.users.ids_of(number_Q.cpu().numpy()).alias("user_id")
        at = (self._split.start_U[number_Q], self._split.end_U[number_Q])
        return self._best(ids, self._split.item_N, *at, k, exclude_seen)

    def recommend_from_history(
        self,
        histories: Sequence[Sequence[Any]],
        k: int = 10,
        exclude_seen: bool | None = None,
        unknown: str = "raise",
    ) -> pl.DataFrame:
        """Best items for people the model has never seen, given what they did; nothing is retrained.

        Args:
            histories: Item ids of each person, oldest first.
            k: Items a person.
            exclude_seen: Leave out what is in the history; default: as in the settings.
            unknown: ``raise`` on an unknown item, or ``skip`` it (and histories with none left).

        Returns:
            ``history`` (its place in ``histories``, from 0), ``item_id``, ``score``, ``rank`` (from 1).
        """
        rows = [self.items.indices(list(history), unknown) for history in histories]
        rows = [row[row > 0] for row in rows]
        if unknown == "raise" and not all(len(row) for row in rows):
            raise DataError("a history is empty: give at least one item id")
        numbers = pl.Series("history", [number for number, row in enumerate(rows) if len(row)], dtype=pl.Int64)
        if numbers.is_empty():
            return self._nothing(numbers)
        item_N = torch.from_numpy(np.concatenate(rows)).to(self.device)
        end_Q = torch.tensor([len(row) for row in rows if len(row)], device=self.device).cumsum(0)
        start_Q = torch.cat([end_Q.new_zeros(1), end_Q[:-1]])
        return self._best(numbers, item_N, start_Q, end_Q, k, exclude_seen)

    def similar_items(self, items: Iterable[Any], k: int = 10, unknown: str = "raise") -> pl.DataFrame:
        """Items whose vectors point the same way.

        Returns:
            ``target_item_id``, ``item_id``, ``score`` (cosine, -1 to 1), ``rank`` (from 1).
        """
        index_Q = torch.from_numpy(self.items.indices(items, unknown)).to(self.device)
        index_Q = index_Q[index_Q > 0]
        unit_VD = F.normalize(self.network.items_VD.detach(), dim=-1)
        score_QV = F.pad(unit_VD[index_Q - 1] @ unit_VD.T, (1, 0), value=float("-inf"))
        score_QV.scatter_(1, index_Q[:, None], float("-inf"))
        item_QK, score_QK = top_items(score_QV, _positive(k))
        ids = self.items.ids_of(index_Q.cpu().numpy()).alias("target_item_id")
        return self._listed(ids, item_QK.cpu(), score_QK.cpu())

    def _best(
        self, ids: pl.Series, item_N: Tensor, start_Q: Tensor, end_Q: Tensor, k: int, exclude_seen: bool | None
    ) -> pl.DataFrame:
        if exclude_seen is None:
            exclude_seen = self.settings.exclude_seen
        length = self.settings.max_seq_len
        found = best_items(self.network, item_N, start_Q, end_Q, _positive(k), length, exclude_seen)
        return self._listed(ids, *found)

    def _nothing(self, ids: pl.Series) -> pl.DataFrame:
        return self._listed(ids, torch.zeros(0, 1, dtype=torch.int64), torch.zeros(0, 1))

    def _listed(self, ids: pl.Series, item_QK: Tensor, score_QK: Tensor) -> pl.DataFrame:
        """Rows of ids, item matrix and score matrix as one long table; item 0 is no item."""
        width = item_QK.shape[1]
        kept = (item_QK > 0).flatten().numpy()
        return pl.DataFrame(
            [
                ids.gather(np.repeat(np.arange(len(ids)), width)[kept]),
                self.items.ids_of(item_QK.flatten().numpy()[kept]).alias("item_id"),
                pl.Series("score", score_QK.flatten().numpy()[kept], dtype=pl.Float32),
                pl.Series("rank", np.tile(np.arange(1, width + 1), len(ids))[kept], dtype=pl.Int64),
            ]
        )

    # ------------------------------------------------------------------ intents

    def user_intents(self, users: Iterable[Any] | None = None, unknown: str = "raise") -> pl.DataFrame:
        """The intent of each user's full history.

        Returns:
            ``user_id``, ``intent`` (0 .. K - 1), ``similarity`` (cosine to its centre, -1 to 1).
        """
        number_Q = self._user_numbers(users, unknown)
        if number_Q.numel() == 0:
            return pl.DataFrame(
                {"user_id": self.users.ids.clear(), "intent": [], "similarity": []},
                schema_overrides={"intent": pl.Int64, "similarity": pl.Float32},
            )
        at = (self._split.start_U[number_Q], self._split.end_U[number_Q])
        unit_QD = F.normalize(behaviours(self.network, self._split.item_N, *at, self.settings), dim=-1)
        intent_Q = self.network.centers.assign(unit_QD)
        center_QD = F.normalize(self.network.centers.weight.detach()[intent_Q], dim=-1)
        return pl.DataFrame(
            [
                self.users.ids_of(number_Q.cpu().numpy()).alias("user_id"),
                pl.Series("intent", intent_Q.cpu().numpy()),
                pl.Series("similarity", (unit_QD * center_QD).sum(dim=1).cpu().numpy()),
            ]
        )

    def intents(self, k: int = 10) -> pl.DataFrame:
        """What the intents are, by the full histories of the log learnt from; the largest first.

        Args:
            k: Typical items an intent.

        Returns:
            ``intent``, ``users``, ``share`` (0 to 1), ``items`` (ids, highest lift first) and ``lifts``; see
            :func:`elcrec.explain.intent_table.typical_items`. Unused intents come last, without items.
        """
        rows = intent_rows(self.user_intents(), self.log.frame, self.settings.n_intents, _positive(k))
        schema = {"items": pl.List(self.items.ids.dtype), "lifts": pl.List(pl.Float64)}
        return pl.DataFrame(rows, schema_overrides=schema)

    def intent_health(self) -> dict[str, float]:
        """How users spread over the intents; see :func:`elcrec.evaluation.intent_health.intent_health`."""
        intents = torch.from_numpy(self.user_intents()["intent"].to_numpy().copy())
        return intent_health(torch.bincount(intents, minlength=self.settings.n_intents))

    # ------------------------------------------------------------------ keeping

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write a run folder.

        Raises:
            RunError: The folder holds another run or other files, or cannot be written.
        """
        folder = RunFolder(Path(path))
        if folder.started and not overwrite:
            raise RunError(f"{folder.path} holds a run: choose another folder, or pass overwrite=True")
        _ = self.network  # raises before anything is touched
        folder.begin(self.recipe, self.settings, self.log, self.items, fingerprint(self.log.frame))
        folder.write_history(self.history)
        self._finish(folder)

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
        **settings: Any,
    ) -> ELCRec:
        """A model with weights published with ELCRec.

        Args:
            weights: Published state dict, ``.safetensors`` or ``.pt``.
            data: The log they belong to: its item ids are the rows of the weights.
            device: See the constructor.
            format: Format of a data file.
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
        model._use(log, Vocabulary(numbers, first=1, kind="item"))
        model._set_weights(translate(published), f"{weights}")
        model.metrics = {"imported_from": Path(weights).name, **model._results()}
        return model

    def _finish(self, folder: RunFolder) -> None:
        weights = {name: value.detach() for name, value in self.network.state_dict().items()}
        card = model_card(self.recipe, self.settings, self.log.summary(), self.metrics)
        folder.finish(weights, self.metrics, card)

    def _restore(self, folder: RunFolder) -> ELCRec:
        document = folder.config()
        self.recipe, self.settings = str(document.get("recipe")), document["settings"]
        weights = folder.weights()
        self._use(folder.interactions(), folder.vocabulary())
        self._set_weights(weights, str(folder.model))
        self.history, self.metrics = folder.history(), folder.metrics()
        return self

    # ------------------------------------------------------------------ state

    @property
    def network(self) -> ELCRecNetwork:
        """The network, in evaluation mode.

        Raises:
            RunError: Nothing is learnt yet.
        """
        if self._network is None:
            raise RunError("this model has not learnt anything yet: call fit, or load a run")
        return self._network

    @property
    def log(self) -> Interactions:
        """The log learnt from, filtered and in order."""
        return self._known.log

    @property
    def items(self) -> Vocabulary:
        """The items the model knows."""
        return self._known.items

    @property
    def users(self) -> Vocabulary:
        """The users of the log."""
        return self._known.users

    @property
    def _split(self) -> Split:
        return self._known.split

    @property
    def _known(self) -> _Learnt:
        if self._learnt is None:
            raise RunError("this model has not learnt anything yet: call fit, or load a run")
        return self._learnt

    def _use(self, log: Interactions, items: Vocabulary) -> None:
        users = Vocabulary.of(log.frame["user_id"])
        self._learnt = _Learnt(log, items, users, self._split_of(log, items))

    def _split_of(self, log: Interactions, items: Vocabulary) -> Split:
        return make_split(log, items, self.settings.split, self.settings.holdout_share).to(self.device)

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

    def _user_numbers(self, users: Iterable[Any] | None, unknown: str) -> Tensor:
        if users is None:
            return torch.arange(len(self.users), device=self.device)
        numbers = torch.from_numpy(self.users.indices(users, unknown)).to(self.device)
        return numbers[numbers >= 0]


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


def _positive(k: int) -> int:
    if k < 1:
        raise SettingsError(f"k={k}: ask for at least one item")
    return k


def _part(split: str) -> Part:
    if split not in ("valid", "test"):
        raise SettingsError(f"split={split!r}: use valid or test")
    return "valid" if split == "valid" else "test"
