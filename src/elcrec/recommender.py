"""ELCRec as its users meet it: signatures and documentation; the components do the work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from elcrec.config import Settings, resolve
from elcrec.data.by_settings import filtered, read_log
from elcrec.data.catalogue import Catalogue
from elcrec.data.clock import Clock
from elcrec.data.dataset import Dataset
from elcrec.data.interactions import Interactions
from elcrec.data.splits import Split
from elcrec.data.vocabulary import Indices, Vocabulary
from elcrec.errors import DataError, RunError, SettingsError
from elcrec.evaluation.evaluator import Evaluator
from elcrec.fitted import FittedModel
from elcrec.inference.index import ItemSearch
from elcrec.inference.lookup import Lookup, Recommendations
from elcrec.inference.policy import STRENGTH, RankingPolicy, ResolvedPolicy
from elcrec.inference.topn import TopN
from elcrec.intents import worth
from elcrec.intents.assignment import IntentAssigner
from elcrec.intents.intent_health import IntentHealth
from elcrec.intents.intents import Intents
from elcrec.intents.user_map import Points
from elcrec.model.network import ELCRecNetwork
from elcrec.model.published import sizes, translate
from elcrec.runs.records import EpochRecord, RunMetrics
from elcrec.runs.run import Run, network_of, read_run
from elcrec.runs.run_folder import RunFolder
from elcrec.runs.state_dict import read_weights
from elcrec.training.distributed import own_device
from elcrec.training.fit import Start, fit, results_of
from elcrec.training.loop import Reporter
from elcrec.training.partial_fit import partial_fit


@dataclass(frozen=True)
class _Components:
    """A run and what works on it; replaced together."""

    run: Run
    topn: TopN
    lookup: Lookup
    evaluator: Evaluator

    @classmethod
    def of(cls, run: Run) -> _Components:
        topn = TopN(run.intents.assigner, run.index_path)
        return cls(run, topn, Lookup(topn), Evaluator(run.fitted))


class ELCRec:
    """Next-item recommendation with learned intents.

    Examples:
        >>> model = ELCRec(recipe="default", seed=1, epochs=1, n_intents=8).fit("events.csv", progress=False)
        >>> model.recommend(users=["u1"], k=10).columns
        ['user_id', 'item_id', 'score', 'rank']
        >>> model.recommend_from_history([["i3", "i9"]], k=3)["rank"].to_list()
        [1, 2, 3]

    Attributes:
        recipe: Name or path of the recipe that the settings come from.
        device: Where the tensors live.
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
        self._settings = resolve(recipe, overrides)
        self.device = own_device(resolve_device(device))
        self._components: _Components | None = None

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> ELCRec:
        """Read a run folder.

        Raises:
            RunError: Missing, damaged, unfinished or from a newer version.
        """
        model = cls(device=device)
        model._adopt(read_run(RunFolder(Path(path)), model.device))
        return model

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
        whole = read_log(data, format, model.settings)
        log = filtered(whole, model.settings)
        numbers = _numbered(log, n_items)
        catalogue = None if items is None else Catalogue.read(items)
        vocabulary = Vocabulary(numbers, first=1, kind="item")
        dataset = Dataset.of(whole, model.settings, model.device, catalogue, vocabulary, log)
        network = network_of(translate(published), model.settings, n_items, f"{weights}").to(model.device)
        intents = Intents(IntentAssigner(FittedModel(model.settings, network, dataset)))
        metrics: RunMetrics = {"imported_from": Path(weights).name, **results_of(intents)}
        model._adopt(Run(model.recipe, intents, metrics=metrics))
        return model

    @classmethod
    def from_fitted(cls, fitted: FittedModel, recipe: str = "default") -> ELCRec:
        """A model of a network and data that come from elsewhere.

        Args:
            fitted: Settings, network and data.
            recipe: Name of the recipe that the settings come from.
        """
        model = cls(device=str(fitted.device))
        model._adopt(Run(recipe, Intents(IntentAssigner(fitted))))
        return model

    def _adopt(self, run: Run) -> None:
        """Be another model from here on."""
        self.recipe, self._settings = run.recipe, run.fitted.settings
        self._components = _Components.of(run)

    @property
    def _parts(self) -> _Components:
        if self._components is None:
            raise RunError("this model has not learnt anything yet: call fit, or load a run")
        return self._components

    # ------------------------------------------------------------------ learning

    # reason: public signature
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
        start = Start(
            self.recipe,
            self.settings,
            self.device,
            data,
            format,
            items,
            self._intents_of(names_from),
            None if out is None else RunFolder(Path(out)),
            resume,
            overwrite,
            progress,
        )
        self._adopt(fit(start))
        return self

    def _intents_of(self, model: str | Path | ELCRec | None) -> Intents | None:
        """The intents of a model or of a run folder."""
        if model is None:
            return None
        if isinstance(model, ELCRec):
            return model._parts.run.intents
        return read_run(RunFolder(Path(model)), self.device).intents

    def partial_fit(
        self,
        data: Any,
        epochs: int = 3,
        progress: bool | Reporter = True,
        format: str | None = None,
        items: Any = None,
    ) -> Self:
        """Train on new events (incremental training) instead of from scratch.

        They are joined to the whole log; filters (``min_user_count``, ...) look at all of it again. Items keep their
        vectors and new ones begin as the sum of their neighbours'
        (:func:`elcrec.training.warm_start.extend_vocabulary`); intents keep their numbers and names (where k-means
        finds them again, the names go to those that mean the same). Then a few epochs over the whole log, with a
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
        self._adopt(partial_fit(self._parts.run, data, epochs, progress, format, items))
        return self

    # ------------------------------------------------------------------ state

    @property
    def settings(self) -> Settings:
        """The resolved settings; those of a fitted model do not change."""
        return self._settings

    @property
    def history(self) -> list[EpochRecord]:
        """One record an epoch, see :func:`elcrec.training.loop.train`; empty before the first fit."""
        return [] if self._components is None else self._components.run.history

    @property
    def metrics(self) -> dict[str, Any]:
        """Results of the last fit: ``valid``, ``test``, ``best_epoch``, ``train_seconds``, ...; empty before it."""
        return {} if self._components is None else dict(self._components.run.metrics)

    @property
    def fitted(self) -> FittedModel:
        """The state: settings, network and data.

        Raises:
            RunError: Nothing is learnt yet.
        """
        return self._parts.run.fitted

    @property
    def assigner(self) -> IntentAssigner:
        """The component that assigns histories to intents."""
        return self._parts.run.intents.assigner

    @property
    def topn(self) -> TopN:
        """The component that makes recommendations."""
        return self._parts.topn

    @property
    def lookup(self) -> Lookup:
        """The component that answers a server's single questions."""
        return self._parts.lookup

    @property
    def network(self) -> ELCRecNetwork:
        """The network, in evaluation mode.

        Raises:
            RunError: Nothing is learnt yet.
        """
        return self.fitted.network

    @property
    def log(self) -> Interactions:
        """The log learnt from, filtered and in order."""
        return self.fitted.log

    @property
    def items(self) -> Vocabulary:
        """The items the model knows."""
        return self.fitted.items

    @property
    def users(self) -> Vocabulary:
        """The users of the log."""
        return self.fitted.users

    @property
    def catalogue(self) -> Catalogue | None:
        """What is known about the items: titles, categories, brands; None without metadata."""
        return self.fitted.catalogue

    def describe_items(self, items: Any) -> None:
        """Attach what is known about the items, for names and reports; see :meth:`fit`. ``save`` keeps it."""
        run = self._parts.run
        self._adopt(run.described(run.fitted.described(Catalogue.read(items))))

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write a run folder; a run that is replaced stays until all of the new one is written.

        Raises:
            RunError: The folder holds another run or other files, is being written by another process, or cannot be
                written.
        """
        components = self._parts
        run = components.run.save(Path(path), overwrite)
        components.topn.index_path = run.index_path
        self._components = replace(components, run=run)

    # ------------------------------------------------------------------ recommendations

    # reason: public signature
    def recommend(
        self,
        users: Iterable[Any] | None = None,
        k: int = 10,
        exclude_seen: bool | None = None,
        unknown: str = "raise",
        *,
        explain: bool = False,
        intents: Sequence[int] = (),
        exclude_intents: Sequence[int] = (),
        strength: float = STRENGTH,
        diversify: float = 0.0,
        approximate: bool = False,
    ) -> pl.DataFrame:
        """Best items for known users, given all of their history.

        Args:
            users: User ids, of their own type or as text; default: all users.
            k: Items a user; fewer where the catalogue has no more.
            exclude_seen: Leave out what is in the history; default: as in the settings.
            unknown: ``raise`` on an unknown user, or ``skip`` them.
            explain: Add why; see Returns.
            intents: Steer toward these: the score becomes ``(1 - strength) * score + strength * log(lift)``, the
                lift being that of :class:`elcrec.intents.item_intents.ItemIntents`. At .5 that is Bayes' rule for
                somebody known to have one of the intents; at 1 the user's own taste no longer counts.
            exclude_intents: Score without what the user has of these intents.
            strength: The dial of ``intents``, 0 to 1.
            diversify: 0 to 1: how far the list follows the mix of the user's intents instead of the scores; the k items
                are chosen from the 100 or 2 k best, see :func:`elcrec.intents.calibration.calibrate`; ranks are then
                places in that list.
            approximate: For large catalogues: look into an index instead of scoring every item, see
                :class:`elcrec.inference.index.ItemSearch`; for plain lists. Scores are exact, a few items may be
                missed.

        Returns:
            ``user_id``, ``item_id``, ``score`` (dot product, unbounded), ``rank`` (from 1); users as asked. With
            ``explain`` also:
            ``intent``, of the user's three nearest the one that adds most to the score (null if none adds any);
            ``intent_share``, its part over the score (null where the score is not positive; the shares of all
            parts and the residual sum to 1); ``because``, up to three items of the history that pulled it toward
            this intent, strongest first; ``rank_without``, the item's rank when the user has nothing of this
            intent, as ``exclude_intents`` would rank it (null with ``diversify``); ``parts``, a list of ``intent``
            and ``part``; ``residual``; ``steering``. Score = sum of parts + residual + steering.
        """
        policy = RankingPolicy(
            k=k,
            exclude_seen=exclude_seen,
            explain=explain,
            intents=intents,
            exclude_intents=exclude_intents,
            strength=strength,
            diversify=diversify,
            approximate=approximate,
        )
        return self.topn.recommend(self.fitted.dataset.of_users(users, unknown), policy)

    def recommend_in_blocks(self, k: int = 10, **policy: Any) -> Iterator[pl.DataFrame]:
        """Recommendations for all users, some thousands at a time: more than fit into memory together.

        Args:
            k: See :meth:`recommend`.
            policy: Its other keyword arguments, as fields of :class:`elcrec.inference.policy.RankingPolicy`.

        Yields:
            The rows of :meth:`recommend`, in its order.
        """
        yield from self.topn.recommend_in_blocks(self.fitted.dataset.of_users(), RankingPolicy(k=k, **policy))

    # reason: public signature
    def recommend_from_history(
        self,
        histories: Sequence[Sequence[Any]],
        k: int = 10,
        exclude_seen: bool | None = None,
        unknown: str = "raise",
        *,
        explain: bool = False,
        intents: Sequence[int] = (),
        exclude_intents: Sequence[int] = (),
        strength: float = STRENGTH,
        diversify: float = 0.0,
        approximate: bool = False,
    ) -> pl.DataFrame:
        """Best items for people the model has never seen, given what they did; nothing is retrained.

        Args:
            histories: Item ids of each person, oldest first.
            k: Items a person.
            exclude_seen: Leave out what is in the history; default: as in the settings.
            unknown: ``raise`` on an unknown item, or ``skip`` it (and histories with none left).
            explain: See :meth:`recommend`, as for the others.
            intents: See :meth:`recommend`.
            exclude_intents: See :meth:`recommend`.
            strength: See :meth:`recommend`.
            diversify: See :meth:`recommend`.
            approximate: See :meth:`recommend`.

        Returns:
            ``history`` (its place in ``histories``, from 0) and the columns of :meth:`recommend`.
        """
        policy = RankingPolicy(
            k=k,
            exclude_seen=exclude_seen,
            explain=explain,
            intents=intents,
            exclude_intents=exclude_intents,
            strength=strength,
            diversify=diversify,
            approximate=approximate,
        )
        return self.topn.recommend(self.fitted.dataset.of_items(histories, unknown), policy)

    def recommend_for_intent(self, intents: Iterable[int] | None = None, k: int = 10) -> pl.DataFrame:
        """The most typical items of intents: a list for somebody of whom no more is known.

        Args:
            intents: Numbers of intents; default: all that have users.
            k: Items an intent.

        Returns:
            ``intent``, ``item_id``, ``score`` (lift, > 0; 1 is average), ``rank`` (from 1).
        """
        return self.topn.for_intents(intents, k)

    def slate(
        self,
        users: Iterable[Any] | None = None,
        rows: int = 3,
        k: int = 10,
        exclude_seen: bool | None = None,
        unknown: str = "raise",
    ) -> pl.DataFrame:
        """One list for each of a user's strongest intents, no item twice: the rows of a shop page.

        Args:
            users: See :meth:`recommend`.
            rows: Intents a user.
            k: Items a row.
            exclude_seen: See :meth:`recommend`.
            unknown: See :meth:`recommend`.

        Returns:
            ``user_id``, ``row`` (from 1, strongest intent first), ``intent``, ``weight`` (0 to 1), ``item_id``,
            ``score``, ``rank`` (from 1 in its row).
        """
        histories = self.fitted.dataset.of_users(users, unknown)
        return self.topn.slate(histories, rows, RankingPolicy(k=k, exclude_seen=exclude_seen))

    def similar_items(self, items: Iterable[Any], k: int = 10, unknown: str = "raise") -> pl.DataFrame:
        """Items whose vectors point the same way.

        Returns:
            ``target_item_id``, ``item_id``, ``score`` (cosine, -1 to 1), ``rank`` (from 1).
        """
        return self.topn.similar(items, k, unknown)

    @property
    def item_search(self) -> ItemSearch:
        """The index that ``approximate`` looks into: the run's, where it has one, else made when first used."""
        return self.topn.item_search

    @item_search.setter
    def item_search(self, search: ItemSearch) -> None:
        self.topn.item_search = search

    def make_item_search(self) -> ItemSearch:
        """An index of the items' vectors, fitted to some users drawn by the seed."""
        return self.topn.make_item_search()

    def write_item_search(self, path: str | Path, search: ItemSearch) -> Path:
        """Keep an index of the items with the run in ``path``, which this model was loaded from or saved to.

        Returns:
            Where it lies.

        Raises:
            RunError: The run is another by now, or cannot be written.
        """
        return self._parts.run.write_index(Path(path), search)

    def search_quality(self, k: int = 20) -> dict[str, float]:
        """What approximate lists are worth, beside exact ones, for some users drawn by the seed.

        Returns:
            ``recall`` (share of the exact list's items, 0 to 1), ``exact_seconds`` and ``approximate_seconds`` a user,
            encoding left out.
        """
        return self.topn.search_quality(k)

    # ------------------------------------------------------------------ evaluation

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
            ranked at all: seen items are not); ``repeats`` (share of users who had the item before); ``n_users``,
            ``n_items``, ``split``.
        """
        return dict(self._parts.evaluator.evaluate(data, split, format, unknown, ranks, most))

    def ranks(
        self, data: Any = None, split: str = "test", format: str | None = None, unknown: str = "raise"
    ) -> pl.DataFrame:
        """Rank of each user's held-out item: ``user_id``, ``item_id``, ``rank`` (from 1; null: not ranked)."""
        return self._parts.evaluator.ranks(data, split, format, unknown)

    def measured(self, split: str = "test", histories: Split | None = None) -> tuple[dict[str, Any], pl.DataFrame]:
        """Metrics over all users of the log learnt from and the ranks they are made of, of one and the same pass.

        Args:
            split: ``valid`` or ``test``.
            histories: Ask with these histories instead; of the same users.

        Returns:
            As :meth:`evaluate` and :meth:`ranks`.
        """
        found = self._parts.evaluator.measured(split, histories)
        return dict(found.metrics), found.ranks

    # ------------------------------------------------------------------ intents

    def intents(self, k: int = 10) -> pl.DataFrame:
        """What the intents are, by the full histories of the log learnt from; the largest first.

        Args:
            k: Typical items and attributes an intent.

        Returns:
            ``intent``; ``name``; ``users``; ``share`` (0 to 1); ``items`` (ids, highest lift first), ``lifts`` and
            ``item_users`` (its users who have the item), see
            :func:`elcrec.intents.intent_table.typical_items`; ``attributes``, ``attribute_lifts`` and
            ``attribute_users`` likewise (empty without metadata); ``nearest`` (the three intents with the closest
            centres); ``cosine`` (mean of its users' to its centre) and ``margin`` (how much less to the next
            centre; both null when unused); ``trend`` (share of the events of each of :attr:`trend_periods`; null
            without times); ``flags``, see :func:`elcrec.intents.intent_health.intent_flags`. Unused intents
            come last.
        """
        return self._parts.run.intents.table(k)

    def user_intents(self, users: Iterable[Any] | None = None, unknown: str = "raise", top: int = 1) -> pl.DataFrame:
        """The intents of each user's full history, nearest first.

        Args:
            users: User ids; default: all users.
            unknown: ``raise`` on an unknown user, or ``skip`` them.
            top: Intents a user.

        Returns:
            ``user_id``, ``intent`` (0 .. K - 1), ``similarity`` (cosine to its centre, -1 to 1), ``weight``
            (softmax of the cosines over all intents, 0 to 1; see
            :func:`elcrec.intents.attribution.intent_weights`), ``rank`` (from 1).
        """
        return self._parts.run.intents.of_users(users, unknown, top)

    def history_intents(self, histories: Sequence[Sequence[Any]], unknown: str = "raise", top: int = 1) -> pl.DataFrame:
        """The same for anybody's histories, lists of item ids, oldest first.

        Returns:
            ``history`` (its place, from 0) and the columns of :meth:`user_intents`.
        """
        return self._parts.run.intents.of(self.fitted.dataset.of_items(histories, unknown), top)

    def intent_timeline(self, user: Any = None, history: Sequence[Any] | None = None) -> pl.DataFrame:
        """How the intent of a history changed as it grew.

        Args:
            user: A known user; or
            history: item ids of anybody, oldest first.

        Returns:
            One row an event, oldest first: ``position`` (from 1), ``item_id``, ``timestamp`` (where known),
            ``intent`` and ``weight`` (0 to 1) of the history up to and including it, and ``pull``: how much nearer
            the item brings the whole history to the intent it ends with, see
            :func:`elcrec.intents.attribution.leave_one_out` (null for items older than ``max_seq_len``).
        """
        if (user is None) == (history is None):
            raise SettingsError("say whose timeline: a user, or a history (one of them)")
        intents, dataset = self._parts.run.intents, self.fitted.dataset
        if history is not None:
            return intents.timeline(dataset.of_items([history]))
        known = dataset.of_users([user])
        return intents.timeline(known, intents.times_of(known))

    def intent_health(self, most: int | None = None) -> IntentHealth:
        """How users spread over the intents, by full histories.

        Args:
            most: Of more users, ask so many drawn by the seed.

        Returns:
            See :func:`elcrec.intents.intent_health.intent_health`; ``cosine`` and ``margin``, means over users
            of the cosine to the own centre and its lead on the next; ``warning``, a sentence when the intents
            have collapsed, else None.
        """
        return self._parts.run.intents.health(most)

    @property
    def trend_periods(self) -> list[str] | None:
        """When the periods of the trends begin, as text; None where the log has no times."""
        return self._parts.run.intents.trend_periods

    @property
    def intent_names(self) -> list[str]:
        """A name for each intent: the one given by :meth:`rename_intents`, else an automatic one."""
        return self._parts.run.intents.names

    @property
    def given_names(self) -> dict[int, str]:
        """The names that people gave, by intent."""
        return dict(self._parts.run.intents.given_names)

    def rename_intents(self, names: Mapping[int, str]) -> None:
        """Give intents names of your own; an empty name brings the automatic one back.

        Names are kept by :meth:`save`, and in a later training by ``fit(..., names_from=run)``.
        """
        self._parts.run.intents.rename(names)

    def write_names(self, path: str | Path, changes: Mapping[int, str] | None = None) -> None:
        """Keep names of intents with the run in ``path``, which this model was loaded from or saved to.

        Args:
            path: The run folder.
            changes: Rename only these, see :meth:`rename_intents`, on top of the names that are kept there by now;
                default: keep the names given so far instead.

        Raises:
            RunError: The run is another by now, or cannot be written.
        """
        self._parts.run.write_names(Path(path), changes)

    def read_names(self, path: str | Path) -> None:
        """Take over the names that are kept with the run in ``path``, instead of the ones given so far."""
        self._parts.run.read_names(Path(path))

    def match_intents(self, other: ELCRec) -> pl.DataFrame:
        """Pair this model's intents one to one with another's, in a space turned so that their items agree.

        Returns:
            ``intent``, ``other_intent``, ``cosine`` (-1 to 1), best pairs first; see
            :func:`elcrec.intents.matching.match_centers`.

        Raises:
            DataError: The two share no items.
        """
        return self._parts.run.intents.match(other._parts.run.intents)

    def intent_quality(self, catalogue: Any = None, split: str = "test") -> dict[str, Any]:
        """Whether intents mean anything: see :func:`elcrec.intents.intent_quality.intent_quality`.

        The intent is that of the history before each user's held-out item; k-means and chance stand beside.

        Args:
            catalogue: Item metadata, as for :meth:`elcrec.data.catalogue.Catalogue.read`; default: the model's.
            split: ``valid`` or ``test``.
        """
        known = self.catalogue if catalogue is None else Catalogue.read(catalogue).matched(self.items.ids)
        return worth.quality(self.assigner, known, split)

    def intent_stability(self, other: ELCRec) -> dict[str, Any]:
        """How far two trainings found the same intents: see :func:`elcrec.intents.intent_quality.stability`."""
        return worth.agreement(self._parts.run.intents, other._parts.run.intents)

    def suggest_n_intents(self, candidates: Sequence[int] | None = None) -> pl.DataFrame:
        """How many intents the data can tell apart: see :func:`elcrec.intents.suggest_k.suggest_k`.

        The intents are k-means clusters of this model's behaviour embeddings of the training histories; the
        next item is each user's validation item.

        Args:
            candidates: Numbers to try; default: powers of 2 up to a tenth of the users.
        """
        return worth.suggest_n_intents(self.assigner, candidates)

    def user_map(self) -> Points:
        """Every user's place on a plane, [U, 2], 0 to 1, in the order of :attr:`users`.

        See :func:`elcrec.intents.user_map.user_map`.
        """
        return self._parts.run.intents.user_map()

    def audience(
        self, intents: Iterable[int], out: str | Path | None = None, min_weight: float = 0.0, top: int = 1
    ) -> pl.DataFrame:
        """The users of intents, strongest first.

        Args:
            intents: Numbers of intents.
            out: Also write them to this Parquet file.
            min_weight: Only users with at least this much of it, 0 to 1.
            top: Count an intent among a user's ``top`` nearest, not only as the nearest.

        Returns:
            ``user_id``, ``intent``, ``intent_name``, ``weight`` (0 to 1), ``similarity`` (cosine), ``events``
            (length of the history).
        """
        return self._parts.run.intents.audience(intents, out, min_weight, top)

    # ------------------------------------------------------------------ single questions, as a server asks them

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits that tell these weights and items from others."""
        return self.lookup.version

    @property
    def clock(self) -> Clock:
        """How the log tells time."""
        return self.lookup.clock

    @property
    def learnt_events(self) -> frozenset[str]:
        """Ids of events that a log without times holds; with times these tell."""
        return self.lookup.learnt_events

    @property
    def titles(self) -> dict[Any, str]:
        """Title by item id, of items that have one."""
        return self.lookup.titles

    def item_numbers(self, ids: Iterable[Any]) -> Indices:
        """Indices of items by the text form of their ids: int64 [n], -1 for unknown ones."""
        return self.topn.item_numbers(ids)

    def items_known(self, ids: Sequence[Any]) -> Indices:
        """The same, of items that must be known.

        Raises:
            UnknownIdError: Some are not.
        """
        return self.topn.items_known(ids)

    def item_ids(self, numbers: Indices) -> list[Any]:
        """Ids of item indices."""
        return self.lookup.item_ids(numbers)

    def history_of(self, user: Any) -> Indices | None:
        """A user's items in the log learnt from, oldest first: int64 [n]; None for an unknown user."""
        return self.lookup.history_of(user)

    def times_of(self, user: Any) -> npt.NDArray[np.int64 | np.float64] | None:
        """When those were, in the log's own unit (dates and moments as whole numbers of it): [n].

        None for an unknown user, or where the log has no times.
        """
        return self.lookup.times_of(user)

    def plan(
        self,
        k: int = 10,
        exclude_seen: bool | None = None,
        *,
        approximate: bool = False,
        **policy: Any,
    ) -> ResolvedPolicy:
        """How lists are to be made, checked once for many of them.

        Args:
            k: Items a list.
            exclude_seen: Leave out what is in the history; default: as in the settings.
            approximate: Look plain lists up in the index; those that are anything else are scored in full.
            policy: The other fields of :class:`elcrec.inference.policy.RankingPolicy`.

        Raises:
            SettingsError: An intent, dial or attribute that does not exist.
            UnknownIdError: An item that does not exist.
        """
        asked = RankingPolicy(k=k, exclude_seen=exclude_seen, **policy)
        return self.topn.resolve(replace(asked, approximate=approximate and asked.is_plain))

    def pick(self, histories: Sequence[Indices], policy: ResolvedPolicy) -> list[Recommendations]:
        """The best items for each of some histories, none of them empty."""
        return self.lookup.recommend(histories, policy)

    def pick_popular(self, policy: ResolvedPolicy) -> Recommendations:
        """The items with most events, of those allowed; scores are their numbers of events."""
        return self.lookup.most_popular(policy)

    def pick_typical(self, intents: Sequence[int], policy: ResolvedPolicy) -> Recommendations:
        """The items most typical of intents, of those allowed; scores are lifts."""
        return self.lookup.most_typical(intents, policy)

    def find_items(self, text: str, k: int = 10) -> pl.DataFrame:
        """Items whose id or title holds a text, upper or lower case; those that begin with it first.

        Returns:
            ``item_id``, ``title``, ``events`` (in the log), most popular first.
        """
        return self.lookup.find_items(text, k)

    def find_users(self, text: str, k: int = 10) -> list[Any]:
        """Users of the log whose id begins with a text, in natural order."""
        return self.lookup.find_users(text, k)


def _numbered(log: Interactions, n_items: int) -> pl.Series:
    """The ids of published weights' items, 1 to ``n_items``, in the type of a log's.

    Raises:
        DataError: The log has other items.
    """
    ids = log.frame["item_id"]
    lowest, highest = ids.min(), ids.max()
    if not isinstance(lowest, int) or not isinstance(highest, int) or lowest < 1 or highest > n_items:
        raise DataError(
            f"these weights number their items 1 to {n_items:,}, the data's item ids go from {lowest!r} "
            f"to {highest!r}: are they of the same data set?"
        )
    return pl.Series("item_id", np.arange(1, n_items + 1)).cast(ids.dtype)


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
