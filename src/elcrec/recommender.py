"""ELCRec, the facade: signatures and documentation; it delegates to components."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from elcrec.config import Settings, recipe_names, resolve
from elcrec.data import notebook
from elcrec.data.accepted import Id, UserFeatures
from elcrec.data.by_settings import read_items
from elcrec.data.catalogue import Catalogue, ItemSource
from elcrec.data.interactions import Interactions, LogSource
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import RunError
from elcrec.inference.policy import POPULARITY, STRENGTH, RankingPolicy, requested_policy
from elcrec.process.lazy import LazyModule
from elcrec.process.threads import use_threads
from elcrec.process.wording import counted

if TYPE_CHECKING:
    from elcrec import components
    from elcrec.data.splits import Split
    from elcrec.data.user_table import UserSource
    from elcrec.evaluation.metrics import Metrics
    from elcrec.fitted import FittedModel
    from elcrec.inference.index import ItemSearch
    from elcrec.inference.lookup import Lookup
    from elcrec.inference.topn import TopN
    from elcrec.intents.assignment import IntentAssigner
    from elcrec.intents.intent_health import IntentHealth
    from elcrec.intents.intents import Intents
    from elcrec.intents.user_map import Points
    from elcrec.model.network import ELCRecNetwork
    from elcrec.runs.records import EpochRecord, RunMetrics
    from elcrec.runs.run import Run
    from elcrec.training.loop import Reporter
else:
    components = LazyModule("elcrec.components")

SHOWN_INTENTS = 8
SHOWN_METRICS = ("hit_rate@10", "ndcg@10", "mrr@10")
"""Intents and metrics that a notebook shows of a model."""


class ELCRec:
    """Next-item recommendation with learned intents.

    Examples:
        >>> model = ELCRec(recipe="default", seed=1, epochs=1, n_intents=8)
        >>> model = model.fit("events.csv", progress=False)
        >>> model.recommend(users=["u1"], k=10).columns
        ['user_id', 'item_id', 'score', 'rank']
        >>> model.recommend_from_history([["i3", "i9"]], k=3)["rank"].to_list()
        [1, 2, 3]

    Attributes:
        recipe: Name or path of the recipe that the settings come from.
        device: Device of the network and the data.
    """

    def __init__(
        self, recipe: str | Path = "default", seed: int | None = None, device: str = "auto", **settings: Any
    ) -> None:
        """Choose a recipe.

        Args:
            recipe: A shipped name (``default``, ``paper``, ...) or the path of a TOML file.
            seed: Random seed; default: the recipe's.
            device: ``auto`` (CUDA if there is one), ``cpu`` or ``cuda``.
            settings: Any field of :class:`elcrec.config.Settings`; it overrides the recipe.

        Raises:
            SettingsError: A setting is unknown or impossible.
        """
        overrides = settings if seed is None else {**settings, "seed": seed}
        self.recipe = str(recipe)
        self._settings = resolve(recipe, overrides)
        self._given: dict[str, Any] = {"recipe": recipe, "seed": seed, "device": device, **settings}
        use_threads(self._settings.threads)
        self.device = components.own_device(device)
        self._components: components.Components | None = None

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> ELCRec:
        """Read a run folder.

        Raises:
            RunError: The run is missing, damaged, unfinished or from a newer version.
        """
        return cls._of_run(components.read_run(components.RunFolder(Path(path)), components.own_device(device)), device)

    @classmethod
    def from_published(
        cls,
        weights: str | Path,
        data: LogSource,
        device: str = "auto",
        format: str | None = None,
        items: ItemSource | None = None,
        **settings: Any,
    ) -> ELCRec:
        """A model with weights published with ELCRec.

        Args:
            weights: Published state dict, ``.safetensors`` or ``.pt``.
            data: The log they belong to: its item ids are the rows of the weights.
            device: See the constructor.
            format: Format of a data file.
            items: Item metadata; see :meth:`fit`.
            settings: Settings that do not follow from the shapes: ``n_heads`` (2), ``fusion`` (``concat``).

        Raises:
            RunError: The file does not hold published weights.
            DataError: The log has other items.
        """
        where = components.own_device(device)
        run = components.read_published(Path(weights), data, where, format, items, settings)
        return cls._of_run(replace(run, metrics={**run.metrics, **components.results_of(run.intents)}), device)

    @classmethod
    def from_fitted(cls, fitted: FittedModel, recipe: str = "default") -> ELCRec:
        """A model of a network and data that come from elsewhere.

        Args:
            fitted: Settings, network and data.
            recipe: Name of the recipe that the settings come from.
        """
        return cls._of_run(
            components.Run(recipe, components.Intents(components.IntentAssigner(fitted))), str(fitted.device)
        )

    @classmethod
    def _of_run(cls, run: Run, device: str) -> ELCRec:
        """A model of a run: its parameters are all settings of the run but the threads, which are this machine's."""
        model = cls(device=device)
        kept = run.fitted.settings.model_dump(exclude={"threads"})
        recipe = run.recipe if run.recipe in recipe_names() else "default"  # a file may be gone
        model._given = {"recipe": recipe, "device": device, **kept}
        model._adopt(run)
        return model

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments that make a model like this one, unfitted: ``ELCRec(**model.get_params())``.

        ``sklearn.base.clone`` uses them.

        Args:
            deep: Has no effect; scikit-learn passes it.

        Returns:
            Arguments of the constructor: those that were given; of a loaded model, its settings.
        """
        return dict(self._given)

    def set_params(self, **params: Any) -> Self:
        """Change arguments of the constructor, before :meth:`fit`.

        Args:
            params: Arguments of the constructor; the others are kept.

        Returns:
            The model itself. It stays as it was where an error is raised.

        Raises:
            SettingsError: A setting is unknown or impossible.
            RunError: The model is fitted: its settings do not change.
        """
        if self._components is not None:
            raise RunError("a fitted model keeps its settings: make a new one, ELCRec(**{**model.get_params(), ...})")
        changed = type(self)(**{**self._given, **params})
        self.recipe, self.device = changed.recipe, changed.device
        self._settings, self._given = changed._settings, changed._given
        return self

    def __repr__(self) -> str:
        settings = self.settings
        if self._components is None:
            return f"ELCRec(recipe={self.recipe!r}, seed={settings.seed}, not fitted)"
        sizes = {"user": len(self.users), "item": len(self.items), "intent": self.assigner.n_intents}
        size = ", ".join(counted(number, thing) for thing, number in sizes.items())
        return f"ELCRec(recipe={self.recipe!r}, seed={settings.seed}, {size})"

    def _repr_html_(self) -> str:
        """For notebooks: what the model was fitted to, its test metrics, and its largest intents."""
        rows: dict[str, object] = {"recipe": self.recipe, "seed": self.settings.seed}
        if self._components is None:
            return notebook.table("ELCRec", {**rows, "state": "not fitted"})
        sizes = {"users": len(self.users), "items": len(self.items), "intents": self.assigner.n_intents}
        rows |= {name: f"{size:,}" for name, size in sizes.items()}
        test: Mapping[str, Any] = components.measured_parts(self.metrics).get("test", {})
        rows |= {f"test {name}": f"{test[name]:.4f}" for name in SHOWN_METRICS if name in test}
        largest = self._parts.run.intents.largest(SHOWN_INTENTS)
        return notebook.table("ELCRec", rows) + notebook.bars("Largest intents, by their share of users", largest)

    def _adopt(self, run: Run) -> None:
        """Replace the model by that of a run."""
        self.recipe, self._settings = run.recipe, run.fitted.settings
        self._components = components.Components.of(run)

    @property
    def _parts(self) -> components.Components:
        if self._components is None:
            raise RunError("this model is not fitted yet: call fit, or load a run")
        return self._components

    # ------------------------------------------------------------------ learning

    # reason: public signature
    def fit(
        self,
        data: LogSource,
        out: str | Path | None = None,
        resume: bool = False,
        overwrite: bool = False,
        progress: bool | Reporter = True,
        format: str | None = None,
        items: ItemSource | None = None,
        names_from: str | Path | ELCRec | None = None,
        users: UserSource | None = None,
    ) -> Self:
        """Train on a log.

        Training stops when validation ndcg@20 stops improving; the model of the best epoch is kept.

        Args:
            data: File, table or :class:`Interactions`.
            out: Run folder to write; a checkpoint is written there after every epoch.
            resume: Resume an interrupted training in ``out``, with the items, users and names it was started with. The
                result is that of an uninterrupted training.
            overwrite: Replace a run in ``out``. The old run can be used until the new one is complete. An interrupted
                training there is discarded.
            progress: Show a progress bar and a line an epoch on standard error; or a reporter that is called instead.
            format: Format of a data file.
            items: Item metadata (titles, categories, ...), which the model learns from (``item_features``) and names
                and describes intents by: anything :meth:`elcrec.data.catalogue.Catalogue.read` takes.
            names_from: An earlier model or run whose given intent names are carried over, see
                :meth:`match_intents`.
            users: What is known about users (age band, country, ...), which the model learns from (``user_features``):
                anything :meth:`elcrec.data.user_table.UserTable.read` takes.

        Returns:
            The model itself. It changes only when training is complete, and stays as it was where training fails. Of
            several processes (see docs/distributed.md) the first writes ``out`` and has the results.

        Raises:
            DataError: The log cannot be used.
            RunError: ``out`` holds another run, is being written by another process, or cannot be written.
        """
        use_threads(self.settings.threads)  # another model may have set its own since
        start = components.Start(
            self.recipe,
            self.settings,
            self.device,
            data,
            format,
            items,
            self._intents_of(names_from),
            None if out is None else components.RunFolder(Path(out)),
            resume,
            overwrite,
            progress,
            users,
        )
        self._adopt(components.fit(start))
        return self

    def _intents_of(self, model: str | Path | ELCRec | None) -> Intents | None:
        """The intents of a model or of a run folder."""
        if model is None:
            return None
        if isinstance(model, ELCRec):
            return model._parts.run.intents
        return components.read_run(components.RunFolder(Path(model)), self.device).intents

    def partial_fit(
        self,
        data: LogSource,
        epochs: int = 3,
        progress: bool | Reporter = True,
        format: str | None = None,
        items: ItemSource | None = None,
        users: UserSource | None = None,
    ) -> Self:
        """Train on new events (incremental training) instead of from scratch.

        The new events are joined to the whole log, to which the filters (``min_user_count``, ...) are applied again.
        Known items keep their vectors. New items start as the sum of their neighbours' vectors
        (:func:`elcrec.training.warm_start.extend_vocabulary`). Intents keep their numbers and names; where k-means
        initialises them again (``intent_learning=em``), names are carried over to matching intents.

        A few epochs over the whole log follow, with their own learning-rate schedule. The best epoch on validation is
        kept; the extended model before the first epoch is a candidate, too. Where less than 1% of the log is new, the
        weights are interpolated (:func:`elcrec.training.increment.step_share`), so that one event does not change the
        recommendations of all users. The settings do not change.

        ``metrics["learnt_on"]`` states what was new, and how far the weights moved. What incremental training costs in
        accuracy: docs/results.md.

        Args:
            data: New events: file, table or :class:`Interactions`. Events that the log holds already count once, see
                :meth:`Interactions.joined`. Where the log holds all of them, a warning says so and nothing changes.
            epochs: Number of epochs, 1 or more.
            progress: See :meth:`fit`.
            format: Format of a data file.
            items: Item metadata, see :meth:`fit`. It counts over what the run knows about the same items, as far as it
                has columns; other items may be described, too, and are known when their events come.
            users: What is known about users, see :meth:`fit`; it counts in the same way.

        Returns:
            The model itself; :meth:`save` writes it. It changes only when training is complete.

        Raises:
            RunError: The model is not fitted.
            DataError: The events cannot be used, or do not fit the log.
            SettingsError: ``epochs`` is below 1, several processes were started, or users are given to a model that
                has learned from no user features.
        """
        self._adopt(components.partial_fit(self._parts.run, data, epochs, progress, format, items, users))
        return self

    def add_items(self, items: ItemSource, popularity: float = POPULARITY) -> Self:
        """Add items without events, placed by their features: they can be recommended at once.

        A vector is the part of the item's features and, by ridge regression over the known items, what items with such
        features have on top (:func:`elcrec.training.new_items.vectors_of_new`).
        Vectors of known items do not change. The log has events of a new item only where a filter
        (``min_item_count``, ``k_core``) had left it out: they count again.

        Args:
            items: Metadata of the new items, see :meth:`fit`; items that the model knows are left as they are. Those
                without a feature that the model knows are left out, with a warning.
            popularity: How much new items are shown, 0 to 1. At .5 their mean scores are what their features say;
                else what lies between the median of the known items' mean scores and this quantile is added.

        Returns:
            The model itself; :meth:`save` writes it.

        Raises:
            RunError: The model is not fitted.
            SettingsError: The model has learned from no item features, or ``popularity`` is out of range.
            DataError: No item is new, or none has a feature that the model knows.
        """
        self._adopt(components.add_items(self._parts.run, items, popularity))
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
    def metrics(self) -> RunMetrics:
        """Results of the last fit: ``valid``, ``test``, ``best_epoch``, ``train_seconds``, ...; empty before it."""
        return {} if self._components is None else self._components.run.metrics.copy()

    @property
    def fitted(self) -> FittedModel:
        """The fitted state: settings, network and data.

        Raises:
            RunError: The model is not fitted.
        """
        return self._parts.topn.fitted

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
        """The component that answers a server's requests."""
        return self._parts.lookup

    @property
    def network(self) -> ELCRecNetwork:
        """The network, in evaluation mode.

        Raises:
            RunError: The model is not fitted.
        """
        return self.fitted.network

    @property
    def log(self) -> Interactions:
        """The training log, filtered and in order."""
        return self.fitted.log

    @property
    def items(self) -> Vocabulary:
        """The items of the log: the catalogue that is ranked."""
        return self.fitted.items

    @property
    def users(self) -> Vocabulary:
        """The users of the log."""
        return self.fitted.users

    @property
    def catalogue(self) -> Catalogue | None:
        """Item metadata: titles, categories, brands; None without metadata."""
        return self.fitted.catalogue

    def describe_items(self, items: ItemSource) -> None:
        """Attach item metadata, for names and reports; see :meth:`fit`. :meth:`save` writes it into the run.

        Raises:
            DataError: The metadata cannot be read, or belong to other items; or a column that the model has learned
                from is of another kind.
        """
        run = self._parts.run
        described = read_items(items, self.settings)
        described.refuse_others(run.fitted.items.ids)
        self._adopt(run.described(run.fitted.described(run.fitted.dataset.items_instead(described))))

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write a run folder. A run that is replaced can be used until the new one is complete.

        Raises:
            RunError: The folder holds another run or other files, is being written by another process, or cannot be
                written.
        """
        parts = self._parts
        run = parts.run.save(Path(path), overwrite)
        parts.topn.index_path = run.index_path
        self._components = replace(parts, run=run)

    # ------------------------------------------------------------------ recommendations

    # reason: public signature
    def recommend(
        self,
        users: Iterable[Id] | None = None,
        k: int = 10,
        exclude_seen: bool | None = None,
        unknown: str = "raise",
        *,
        only_seen: bool = False,
        explain: bool = False,
        intents: Sequence[int] = (),
        exclude_intents: Sequence[int] = (),
        strength: float | None = None,
        diversify: float = 0.0,
        allow: Sequence[Id] | None = None,
        deny: Sequence[Id] = (),
        attributes: Sequence[str] = (),
        all_attributes: Sequence[str] = (),
        approximate: bool = False,
        titles: bool = True,
    ) -> pl.DataFrame:
        """Recommend the top k items to known users, from their full histories.

        Args:
            users: User ids, of their own type or as text; default: all users.
            k: Number of items per user; fewer where the catalogue has no more.
            exclude_seen: Leave out items that are in the history; default: as in the settings.
            unknown: ``raise`` on an unknown user, or item of ``allow`` and ``deny``, or ``skip`` them.
            only_seen: Recommend only items that are in the history (buy again).
            explain: Add an explanation to each item; see Returns.
            intents: Steer toward these intents: the score becomes ``(1 - strength) * score + strength * log(lift)``,
                with the lift of :class:`elcrec.intents.item_intents.ItemIntents`. At .5 that is Bayes' rule for a user
                known to have one of the intents. At 1 the user's history no longer counts.
            exclude_intents: Remove what these intents contribute to the scores.
            strength: Weight of ``intents``, 0 to 1; default: .8.
            diversify: Calibrated re-ranking, 0 to 1: 0 ranks by score alone, 1 by the mix of the user's intents alone.
                The k items are chosen from the 100 or 2 k best, see :func:`elcrec.intents.calibration.calibrate`.
                ``rank`` is then the place after re-ranking.
            allow: Ids of items: recommend only these; default: all.
            deny: Ids of items: recommend none of these.
            attributes: Recommend only items with at least one of these attributes of the item metadata: a value, or
                ``COLUMN=VALUE``.
            all_attributes: Recommend only items with every one of these attributes.
            approximate: Use approximate nearest-neighbour search, for large catalogues; see
                :class:`elcrec.inference.index.ItemSearch`. It cannot be combined with explanations, steering or
                re-ranking. Scores are exact, but a few items may be missed.
            titles: Show the titles of the items, where the metadata has some.

        Returns:
            ``user_id``, ``item_id``, ``score`` (dot product, unbounded), ``rank`` (from 1), in the order of ``users``.
            With ``explain`` also:
            ``intent``, of the user's three nearest the one with the largest part of the score (null if no part is
            positive); ``intent_share``, that part over the score (null where the score is not positive; the shares of
            all parts and the residual sum to 1); ``because``, evidence: up to three items of the history that bring it
            nearer to this intent, by leave-one-out attribution, strongest first; ``rank_without``, the item's rank
            without the contribution of this intent, as ``exclude_intents`` would rank it (null with ``diversify``);
            ``parts``, a list of ``intent`` and ``part``; ``residual``; ``steering``; ``repeat``, the repeat score of
            an item that the history holds (:class:`elcrec.model.repeats.RepeatScore`).
            Score = sum of parts + residual + steering + repeat.
            With ``titles`` at the end ``title`` and, with ``explain``, ``because_titles`` (a list like ``because``); a
            title is null where it is not known, and the columns are missing where none is.

        Raises:
            DataError: ``users`` is no list.
            SettingsError: An option is out of range, or an intent or attribute does not exist.
            UnknownIdError: A user or an item does not exist, unless ``unknown`` is ``skip``.
        """
        policy = requested_policy(
            k=k,
            exclude_seen=exclude_seen,
            only_seen=only_seen,
            explain=explain,
            intents=intents,
            exclude_intents=exclude_intents,
            strength=strength,
            diversify=diversify,
            allow=allow,
            deny=deny,
            attributes=attributes,
            all_attributes=all_attributes,
            approximate=approximate,
            titles=titles,
            unknown=unknown,
        )
        return self.topn.recommend(self.fitted.dataset.of_users(users, unknown), policy)

    def recommend_in_blocks(self, k: int = 10, strength: float | None = None, **policy: Any) -> Iterator[pl.DataFrame]:
        """Recommend to all users, a block of some thousands at a time, so that memory holds one block.

        Args:
            k: See :meth:`recommend`.
            strength: See :meth:`recommend`.
            policy: Its other keyword arguments, as fields of :class:`elcrec.inference.policy.RankingPolicy`.

        Returns:
            The rows of :meth:`recommend`, in its order.
        """
        wanted = requested_policy(k=k, strength=strength, **policy)
        return self.topn.recommend_in_blocks(self.fitted.dataset.of_users(), wanted)

    # reason: public signature
    def recommend_from_history(
        self,
        histories: Iterable[Iterable[Id]],
        k: int = 10,
        exclude_seen: bool | None = None,
        unknown: str = "raise",
        *,
        only_seen: bool = False,
        explain: bool = False,
        intents: Sequence[int] = (),
        exclude_intents: Sequence[int] = (),
        strength: float | None = None,
        diversify: float = 0.0,
        allow: Sequence[Id] | None = None,
        deny: Sequence[Id] = (),
        attributes: Sequence[str] = (),
        all_attributes: Sequence[str] = (),
        approximate: bool = False,
        user_features: UserFeatures | None = None,
        titles: bool = True,
    ) -> pl.DataFrame:
        """Recommend the top k items to new users, from their histories; the model is not trained.

        Args:
            histories: Item ids of each user, oldest first; or whole titles, in any case, where they are no ids.
            k: Number of items per history.
            exclude_seen: Leave out items that are in the history; default: as in the settings.
            unknown: ``raise`` on an unknown item, or ``skip`` it (and histories without a known item).
            only_seen: Recommend only items that are in the history (buy again).
            explain: See :meth:`recommend`.
            intents: See :meth:`recommend`.
            exclude_intents: See :meth:`recommend`.
            strength: See :meth:`recommend`.
            diversify: See :meth:`recommend`.
            allow: See :meth:`recommend`.
            deny: See :meth:`recommend`.
            attributes: See :meth:`recommend`.
            all_attributes: See :meth:`recommend`.
            approximate: See :meth:`recommend`.
            user_features: What is known about the users: ``{column: value}`` for each history, or a table with a row
                for each; columns are those of ``users`` in :meth:`fit`. Values that the model does not know count as
                unknown.
            titles: See :meth:`recommend`.

        Returns:
            ``history`` (its place in ``histories``, from 0) and the columns of :meth:`recommend`.
        """
        policy = requested_policy(
            k=k,
            exclude_seen=exclude_seen,
            only_seen=only_seen,
            explain=explain,
            intents=intents,
            exclude_intents=exclude_intents,
            strength=strength,
            diversify=diversify,
            allow=allow,
            deny=deny,
            attributes=attributes,
            all_attributes=all_attributes,
            approximate=approximate,
            titles=titles,
            unknown=unknown,
        )
        return self.topn.recommend(self.fitted.dataset.of_items(histories, unknown, user_features), policy)

    def recommend_for_intent(
        self, intents: Iterable[int] | None = None, k: int = 10, *, titles: bool = True
    ) -> pl.DataFrame:
        """The most typical items of intents: what an intent means.

        What a user with an intent is likely to take: :meth:`recommend_to_new_user`.

        Args:
            intents: Numbers of intents; default: all that have users.
            k: Items an intent.
            titles: See :meth:`recommend`.

        Returns:
            ``intent``, ``item_id``, ``score`` (lift, > 0; 1 is average), ``rank`` (from 1) and ``title``.
        """
        return self._with_titles(self.topn.for_intents(intents, k), titles)

    def recommend_to_new_user(self, intents: Iterable[int], k: int = 10, *, titles: bool = True) -> pl.DataFrame:
        """The items that a user without a history is most likely to take, who chose some intents.

        See :class:`elcrec.inference.new_users.NewUserRanking`.

        Args:
            intents: Numbers of intents, one or more.
            k: Number of items.
            titles: See :meth:`recommend`.

        Returns:
            ``item_id``, ``score`` (logarithm of a likelihood, up to a constant), ``rank`` (from 1) and ``title``.
        """
        return self._with_titles(self.topn.for_new_user(intents, k), titles)

    def _with_titles(self, frame: pl.DataFrame, titles: bool) -> pl.DataFrame:
        """A table of items as it is, or with their titles."""
        return self.fitted.dataset.titles.beside(frame) if titles else frame

    # reason: public signature
    def slate(
        self,
        users: Iterable[Id] | None = None,
        rows: int = 3,
        k: int = 10,
        exclude_seen: bool | None = None,
        unknown: str = "raise",
        strength: float = STRENGTH,
        *,
        titles: bool = True,
    ) -> pl.DataFrame:
        """Recommendations in rows, one for each of a user's strongest intents, without an item twice: a shop page.

        Args:
            users: See :meth:`recommend`.
            rows: Number of rows (intents) per user.
            k: Number of items per row.
            exclude_seen: See :meth:`recommend`.
            unknown: See :meth:`recommend`.
            strength: How far each row is steered toward its intent, 0 to 1, see :meth:`recommend`.
            titles: See :meth:`recommend`.

        Returns:
            ``user_id``, ``row`` (from 1, strongest intent first), ``intent``, ``weight`` (0 to 1), ``item_id``,
            ``score``, ``rank`` (from 1 in its row) and ``title``.
        """
        histories = self.fitted.dataset.of_users(users, unknown)
        policy = RankingPolicy(k=k, exclude_seen=exclude_seen, strength=strength)
        return self._with_titles(self.topn.slate(histories, rows, policy), titles)

    def similar_items(
        self, items: Iterable[Id], k: int = 10, unknown: str = "raise", *, titles: bool = True
    ) -> pl.DataFrame:
        """Similar items: those whose vectors have the highest cosine similarity.

        Args:
            items: Item ids; or whole titles, in any case, where they are no ids.
            k: Number of similar items per item.
            unknown: ``raise`` on an unknown item, or ``skip`` it.
            titles: See :meth:`recommend`.

        Returns:
            ``target_item_id``, ``item_id``, ``score`` (cosine, -1 to 1), ``rank`` (from 1), and the titles of both:
            ``title``, ``target_title``.
        """
        return self._with_titles(self.topn.similar(items, k, unknown), titles)

    @property
    def item_search(self) -> ItemSearch:
        """The index that ``approximate`` searches: that of the run, or one that is built when first used."""
        return self.topn.item_search

    @item_search.setter
    def item_search(self, search: ItemSearch) -> None:
        self.topn.item_search = search

    def make_item_search(self) -> ItemSearch:
        """An approximate nearest-neighbour index of the items, fitted to some users sampled by the seed."""
        return self.topn.make_item_search()

    def write_item_search(self, path: str | Path, search: ItemSearch) -> Path:
        """Write an index of the items into the run in ``path``, which this model was loaded from or saved to.

        Returns:
            Path of the index.

        Raises:
            RunError: The run was replaced in the meantime, or cannot be written.
        """
        return self._parts.run.write_index(Path(path), search)

    def search_quality(self, k: int = 20) -> dict[str, float]:
        """Compare approximate with exact search, for some users sampled by the seed.

        Returns:
            ``recall`` (share of the exact top k that approximate search finds, 0 to 1), ``exact_seconds`` and
            ``approximate_seconds`` per user, without encoding.
        """
        return self.topn.search_quality(k)

    # ------------------------------------------------------------------ evaluation

    # reason: public signature
    def evaluate(
        self,
        data: LogSource | None = None,
        split: str = "test",
        format: str | None = None,
        unknown: str = "raise",
        ranks: str | Path | None = None,
        most: int | None = None,
        baselines: bool = False,
        exclude_seen: bool | None = None,
    ) -> Metrics:
        """Rank the full catalogue for every user's held-out item.

        Args:
            data: The log that holds the items to predict, by the split of the training (its moments, its filters);
                default: the training log.
            split: ``valid`` or ``test``.
            format: Format of a data file.
            unknown: What to do with items the model does not know: ``raise``, or ``skip`` their events, and the users
                whose held-out item is one of them.
            ranks: Also write ``user_id``, ``item_id``, ``rank`` and, where known, ``title`` of each user's held-out
                item to this file: .parquet, .csv or .jsonl.
            most: Maximum number of users; of more users, a sample drawn by the seed.
            baselines: Evaluate the baselines too; they count in the training part of the log.
            exclude_seen: Do not rank items of the history; None: as in the settings.

        Returns:
            ``hit_rate@k``, ``ndcg@k``, ``mrr@k`` and ``coverage@k`` (share of the catalogue that any user is
            recommended), all in [0, 1], for k in 1, 5, 10, 20, 50; ``ceiling`` (share of rankable targets: seen items
            are not ranked); ``repeats`` (share of users whose held-out item is in the history already); of baskets
            ``recall@k`` and ``chance@10`` (hit rate of ten random items); ``n_users``, ``n_items``, ``split``; on
            request ``baselines``, see :class:`elcrec.evaluation.metrics.BaselineMetrics`.
        """
        evaluator = self._parts.evaluator.that_excludes(exclude_seen)
        return evaluator.evaluate(data, split, format, unknown, ranks, most, baselines)

    def ranks(
        self, data: LogSource | None = None, split: str = "test", format: str | None = None, unknown: str = "raise"
    ) -> pl.DataFrame:
        """Rank of each user's held-out item: ``user_id``, ``item_id``, ``rank`` (from 1; null: unranked), ``title``."""
        return self._parts.evaluator.ranks(data, split, format, unknown)

    def measured(self, split: str = "test", histories: Split | None = None) -> tuple[Metrics, pl.DataFrame]:
        """Metrics over all users of the training log, and the ranks they are computed from, in one pass.

        Args:
            split: ``valid`` or ``test``.
            histories: Other histories of the same users to predict from.

        Returns:
            The results of ``evaluate`` and ``ranks``.
        """
        found = self._parts.evaluator.measured(split, histories)
        return found.metrics, found.ranks

    # ------------------------------------------------------------------ intents

    def intents(self, k: int = 10, *, titles: bool = True, trend: bool = True) -> pl.DataFrame:
        """Describe the intents, by the full histories of the training log; the largest first.

        Args:
            k: Number of typical items and attributes per intent.
            titles: See :meth:`recommend`.
            trend: Whether ``trend`` is there: it encodes up to 20,000 histories.

        Returns:
            ``intent``; ``name``; ``users``; ``share`` (0 to 1); ``items`` (ids, highest lift first), ``lifts`` and
            ``item_users`` (its users who have the item), see
            :func:`elcrec.intents.intent_table.typical_items`; ``attributes``, ``attribute_lifts`` and
            ``attribute_users``, the same of attributes (empty without metadata); ``nearest`` (the three intents with
            the closest centres); ``cosine`` (mean cosine of its users to its centre) and ``margin`` (its lead over that
            to the next centre; both null when unused); ``trend`` (share of the events of each of :attr:`trend_periods`;
            null without times); ``flags``, see :func:`elcrec.intents.intent_health.intent_flags`; ``item_titles``, the
            titles of ``items``. Unused intents come last.
        """
        return self._with_titles(self._parts.run.intents.table(k, trend), titles)

    def user_intents(self, users: Iterable[Id] | None = None, unknown: str = "raise", top: int = 1) -> pl.DataFrame:
        """The intents of each user's full history, nearest first.

        Args:
            users: User ids; default: all users.
            unknown: ``raise`` on an unknown user, or ``skip`` them.
            top: Number of intents per user.

        Returns:
            ``user_id``, ``intent`` (0 .. K - 1), ``similarity`` (cosine to its centre, -1 to 1), ``weight``
            (softmax of the cosines over all intents, 0 to 1; see
            :func:`elcrec.intents.attribution.intent_weights`), ``rank`` (from 1).
        """
        return self._parts.run.intents.of_users(users, unknown, top)

    def history_intents(self, histories: Iterable[Iterable[Id]], unknown: str = "raise", top: int = 1) -> pl.DataFrame:
        """The intents of any histories, as :meth:`user_intents`; each is a list of item ids or titles, oldest first.

        Returns:
            ``history`` (its place, from 0) and the columns of :meth:`user_intents`.
        """
        return self._parts.run.intents.of(self.fitted.dataset.of_items(histories, unknown), top)

    def intent_timeline(
        self, user: Id | None = None, history: Iterable[Id] | None = None, *, titles: bool = True
    ) -> pl.DataFrame:
        """How the intent of a history changed as it grew.

        Args:
            user: A known user; or
            history: item ids, or titles, of any history, oldest first.
            titles: See :meth:`recommend`.

        Returns:
            One row an event, oldest first: ``position`` (from 1), ``item_id``, ``timestamp`` (where known),
            ``intent`` and ``weight`` (0 to 1) of the history up to and including it, and ``pull``: leave-one-out
            attribution, how much nearer the item brings the whole history to the intent it ends with, see
            :func:`elcrec.intents.attribution.leave_one_out` (null for items older than ``max_seq_len``); ``title``.
        """
        return self._with_titles(self._parts.run.intents.timeline(user, history), titles)

    def intent_health(self, most: int | None = None) -> IntentHealth:
        """How users spread over the intents, by full histories.

        Args:
            most: Maximum number of users; of more users, a sample drawn by the seed.

        Returns:
            The record of ``elcrec.intents.intent_health.intent_health``; ``cosine`` and ``margin``, means over users
            of the cosine to the own centre and its lead over the next; ``warning``, a sentence when the intents
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

    def with_intent_names(self, table: pl.DataFrame) -> pl.DataFrame:
        """A table with a column ``intent`` (:meth:`user_intents`, :meth:`slate`, explanations, ...) and the names.

        The first names of a model take the time to encode all users: tables do not wait for them.

        Returns:
            The table, with ``intent_name`` as its last column; as it is where it has no ``intent``, or has the names.
        """
        return self._parts.run.intents.beside(table)

    @property
    def given_names(self) -> dict[int, str]:
        """The names given by :meth:`rename_intents`, by intent."""
        return dict(self._parts.run.intents.given_names)

    def rename_intents(self, names: Mapping[int, str]) -> None:
        """Give intents names of your own; an empty name restores the automatic one.

        :meth:`save` writes the names. A later training takes them over with ``fit(..., names_from=run)``.
        """
        self._parts.run.intents.rename(names)

    def write_names(self, path: str | Path, changes: Mapping[int, str] | None = None) -> None:
        """Write names of intents into the run in ``path``, which this model was loaded from or saved to.

        Args:
            path: The run folder.
            changes: Rename only these, see :meth:`rename_intents`, and keep the other names that are in the run now;
                default: replace the names in the run by those of this model.

        Raises:
            RunError: The run was replaced in the meantime, or cannot be written.
        """
        self._parts.run.write_names(Path(path), changes)

    def read_names(self, path: str | Path) -> None:
        """Replace the given names by those in the run in ``path``."""
        self._parts.run.read_names(Path(path))

    def match_intents(self, other: ELCRec) -> pl.DataFrame:
        """Match this model's intents one to one with another's, after a rotation that aligns their items (Procrustes).

        Returns:
            ``intent``, ``other_intent``, ``cosine`` (-1 to 1), best pairs first; see
            :func:`elcrec.intents.matching.match_centers`.

        Raises:
            DataError: The two models share no items.
        """
        return self._parts.run.intents.match(other._parts.run.intents)

    def intent_quality(self, catalogue: ItemSource | None = None, split: str = "test") -> dict[str, Any]:
        """Measure cluster quality: see :func:`elcrec.intents.intent_quality.intent_quality`.

        The intent is that of the history before each user's held-out item. The same measures are given for k-means and
        for random intents.

        Args:
            catalogue: Item metadata, as for :meth:`elcrec.data.catalogue.Catalogue.read`; default: the model's.
            split: ``valid`` or ``test``.
        """
        return components.diagnostics.quality(self.assigner, catalogue, split)

    def intent_stability(self, other: ELCRec) -> dict[str, Any]:
        """Measure how well the intents of two trainings agree: see :func:`elcrec.intents.intent_quality.stability`."""
        return components.diagnostics.agreement(self._parts.run.intents, other._parts.run.intents)

    def suggest_n_intents(self, candidates: Sequence[int] | None = None) -> pl.DataFrame:
        """Suggest the number of intents that the data support: see :func:`elcrec.intents.suggest_k.suggest_k`.

        The intents are k-means clusters of this model's behaviour embeddings of the training histories; the
        next item is each user's validation item.

        Args:
            candidates: Numbers to try; default: powers of 2 up to a tenth of the users, others around the one that
                these suggest, and the model's own.
        """
        return components.diagnostics.suggest_n_intents(self.assigner, candidates)

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
            out: Also write the users to this file: .parquet, .csv or .jsonl.
            min_weight: Minimum weight of the intent for a user, 0 to 1.
            top: Include users who have the intent among their ``top`` nearest intents.

        Returns:
            ``user_id``, ``intent``, ``intent_name``, ``weight`` (0 to 1), ``similarity`` (cosine), ``events``
            (length of the history).
        """
        return self._parts.run.intents.audience(intents, out, min_weight, top)

    # ------------------------------------------------------------------ look-ups

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits that identify these weights and items."""
        return self.lookup.version

    @property
    def titles(self) -> dict[Id, str]:
        """Title by item id, of items that have one."""
        return self.lookup.titles

    def find_items(self, text: str, k: int = 10) -> pl.DataFrame:
        """Items whose id or title contains a text, ignoring case; those that begin with it come first.

        Histories and :meth:`similar_items` take the ids, and whole titles.

        Returns:
            ``item_id``, ``title``, ``events`` (in the log), most popular first.
        """
        return self.lookup.find_items(text, k)

    def find_users(self, text: str, k: int = 10) -> list[Id]:
        """Users of the log whose id begins with a text, in natural order."""
        return self.lookup.find_users(text, k)
