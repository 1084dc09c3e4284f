"""The data of a model: the log, its vocabularies, its split, and item metadata."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
import torch

from elcrec.config import Settings
from elcrec.data.by_settings import filtered
from elcrec.data.catalogue import Catalogue
from elcrec.data.columns import shown
from elcrec.data.event_codes import event_codes
from elcrec.data.feature_agreement import without_agreement
from elcrec.data.features import Features, FeatureSpace, said_featureless
from elcrec.data.histories import HistoryBatch
from elcrec.data.ids import as_list
from elcrec.data.interactions import Interactions
from elcrec.data.kinds import check_kinds, worth_of
from elcrec.data.splits import Moments, Split, make_split
from elcrec.data.titles import ItemTitles
from elcrec.data.user_table import UserTable
from elcrec.data.visitor_features import encoded_rows
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError, DataWarning, SettingsError
from elcrec.process.warning import warn
from elcrec.process.wording import argument, counted, setting


@dataclass(frozen=True)
class Dataset:
    """A log as a model reads it.

    Attributes:
        log: Filtered and in order.
        whole_log: The same before the filters.
        items: The items a model knows.
        users: The users of the log.
        split: The log as tensors, on the device of the model.
        whole_catalogue: What is known about items, those without events too; None without metadata.
        features: How the features of the items are numbered; None where a model learns from none.
        user_table: What is known about the users; None where nothing is.
        user_features: How the features of the users are numbered; None where a model learns from none.
    """

    log: Interactions
    whole_log: Interactions
    items: Vocabulary
    users: Vocabulary
    split: Split
    whole_catalogue: Catalogue | None = None
    features: FeatureSpace | None = None
    user_table: UserTable | None = None
    user_features: FeatureSpace | None = None

    @classmethod
    def of(
        cls,
        whole_log: Interactions,
        settings: Settings,
        device: torch.device,
        catalogue: Catalogue | None = None,
        items: Vocabulary | None = None,
        log: Interactions | None = None,
    ) -> Dataset:
        """Filter a log, number its users and items, and split it.

        Args:
            whole_log: Before the filters.
            settings: Filters, split, share of users, seed.
            device: Where the tensors go.
            catalogue: What is known about items, where it is given for the first time.
            items: The vocabulary; default: the items of the filtered log.
            log: The filtered log, where it is known already.

        Raises:
            DataError: The catalogue belongs to other items.
        """
        check_kinds(whole_log, settings)
        log = filtered(whole_log, settings) if log is None else log
        items = Vocabulary.of(log.frame["item_id"], first=1, kind="item") if items is None else items
        users, split = Vocabulary.of(log.frame["user_id"]), split_of(log, items, settings, device)
        if catalogue is not None:
            catalogue.refuse_others(items.ids)
        return cls(log, whole_log, items, users, split).described(catalogue)

    @cached_property
    def catalogue(self) -> Catalogue | None:
        """What is known about the items of the model; None where nothing is."""
        if self.whole_catalogue is None:
            return None
        known = self.whole_catalogue.frame["item_id"].is_in(self.items.ids.implode())
        if not known.any():
            return None
        return self.whole_catalogue if known.all() else self.whole_catalogue.only(known)

    @cached_property
    def titles(self) -> ItemTitles:
        """The titles of the items, as far as the metadata have any."""
        return ItemTitles(self.items, self.catalogue, self.log.frame)

    def items_as_known(self, items: Catalogue) -> Catalogue:
        """Items that are given after the training, each column of the kind that the model knows.

        It says which columns and values are missing or of no use to the model.

        Raises:
            DataError: A column is of another kind throughout.
        """
        found, unlike = items.as_in(self.whole_catalogue)
        _warn([*found.notes_over(self.whole_catalogue, self.features), *unlike])
        return found

    def items_instead(self, items: Catalogue) -> Catalogue:
        """The same of items that replace those of the model: only what it has learned from has a kind already."""
        unlike: list[str] = []
        found, older = items, self.whole_catalogue
        if older is not None and self.features is not None:
            learned = [column.name for column in self.features.columns if column.name in older.features.columns]
            found, unlike = items.as_in(replace(older, features=older.features.select(learned)))
        _warn([*found.notes_over(None, self.features), *unlike])
        return found

    def users_as_known(self, users: UserTable) -> UserTable:
        """The same of users."""
        found, unlike = users.as_in(self.user_table)
        _warn([*found.notes_over(self.user_table, self.user_features), *unlike])
        return found

    def described(self, catalogue: Catalogue | None) -> Dataset:
        """The same log with other metadata."""
        return replace(self, whole_catalogue=None if catalogue is None else catalogue.known_to(self.items.ids))

    def with_features(self, settings: Settings, users: UserTable | None = None) -> Dataset:
        """The same with features fitted on its metadata, where a model is to learn from it.

        Args:
            settings: Whether it is.
            users: What is known about users.

        Raises:
            DataError: The table knows nothing about any user.
        """
        dataset = self._with_item_features() if settings.item_features else replace(self, features=None)
        if users is None:
            return dataset
        warn_of_others(users, self.users.ids)  # all customers, in a log of guests
        if not settings.user_features:
            return dataset.with_users(users, None)
        known = users.matched(self.users.ids)
        space = FeatureSpace.of(known.features, known.featureless)
        _warn(space.notes_on_vectors(known.ids, known.features, "user"))
        return dataset.with_users(replace(users, featureless=space.featureless), space.without(()))

    def _with_item_features(self) -> Dataset:
        """The same with features of the items, without columns that tell nothing; with None where none is left."""
        if self.catalogue is None or self.whole_catalogue is None:
            return replace(self, features=None)
        features, ids = self.catalogue.features, self.catalogue.frame["item_id"]
        space = FeatureSpace.of(features, self.catalogue.featureless)
        _warn(space.notes_on_vectors(ids, features))
        whole = replace(self.whole_catalogue, featureless=space.featureless)
        left_out = without_agreement(space, features, self.items.indices(ids), self.split)
        kept = space.without(left_out)
        if left_out:
            others = said_featureless(space.featureless) if kept is None else ""
            warn(
                f"nothing is learned from {shown(left_out)} of the items: what users take one after another is no "
                f"more alike there than other items (item_features=false: learn from no column){others}",
                DataWarning,
            )
        return replace(self, whole_catalogue=whole, features=kept)

    def without_rare(self, log: Interactions) -> Interactions:
        """Another log without the items and users that the filters left out of this one.

        Raises:
            DataError: Nothing is left.
        """
        if len(self.log) == len(self.whole_log):
            return log
        left_out = np.zeros(len(log), dtype=bool)
        for name, kept in (("item_id", self.items), ("user_id", self.users)):
            all_ids = Vocabulary.of(self.whole_log.frame[name])
            ids = log.frame[name]
            left_out |= (kept.indices(ids, "skip") < 0) & (all_ids.indices(ids, "skip") >= 0)
        if not left_out.any():
            return log
        if left_out.all():
            raise DataError("nothing is left of this data: all its items or users were too rare in the training")
        _warn([f"left out: {counted(int(left_out.sum()), 'event')} of items or users too rare in the training"])
        return Interactions(log.frame.filter(pl.Series(~left_out)))

    def with_users(self, table: UserTable | None, space: FeatureSpace | None) -> Dataset:
        """The same with what is known about its users, and how a model numbers their features.

        Raises:
            DataError: The table knows nothing about any of them.
        """
        table = None if table is None else table.known_to(self.users.ids)
        dataset = replace(self, user_table=table, user_features=space)
        return replace(dataset, split=replace(self.split, user_features=dataset.user_features_of(self.users)))

    def user_features_of(self, users: Vocabulary) -> Features | None:
        """Features of the users of a log, a row each; None where a model learns from none."""
        if self.user_features is None:
            return None
        table = self.user_table or UserTable(self.users.ids.head(0), pl.DataFrame())
        return table.encoded(self.user_features, users).to(self.split.item_N.device)

    def user_features_of_one(self, user: Any) -> Features | None:
        """Features of a user of the table, with events or without: a row; None where the model knows none."""
        if self.user_table is None or self.user_features is None or (row := self.user_table.row_of(user)) is None:
            return None
        features = self.user_features.encode(self.user_table.features[row], np.zeros(1, dtype=np.int64), 1)
        return features.to(self.split.item_N.device)

    def needed_user_features(self) -> FeatureSpace:
        """How the features of users are numbered, where the caller needs some.

        Raises:
            SettingsError: The model has learned from none.
        """
        if self.user_features is not None:
            return self.user_features
        remedy = argument("users")
        if self.user_table is not None:
            remedy = f"{setting('user_features', True)}, and users with a column of two values or more, of 3 users each"
        raise SettingsError(f"this model has learned from no user features: train it with {remedy}")

    def unknown_among(self, given: dict[str, Any]) -> list[str]:
        """The columns whose given values, of one user, the model does not know; see :meth:`user_features_in`."""
        return [name for name, value in given.items() if not self.user_features_in([{name: value}], 1).known().any()]

    def user_features_in(self, given: Any, count: int) -> Features:
        """Features of users that come with their histories: ``count`` rows.

        Args:
            given: ``{column: value}`` of each, or a table.
            count: Number of histories.

        Raises:
            SettingsError: The model has learned from no user features.
            DataError: There are more rows, or fewer; or a column is none of the training.
        """
        features = encoded_rows(given, self.needed_user_features())
        if features.n_rows != count:
            raise DataError(f"user_features: give a row for each history, {count:,} in all, not {features.n_rows:,}")
        return features.to(self.split.item_N.device)

    def said_features(self) -> list[str]:
        """What is learned of items and users apart from events, in sentences; nothing without metadata."""
        said = self.said_catalogue()
        if said:
            said[0] = f"{said[0]}; {_learned(self.features, self.catalogue)}"
        if self.user_table is not None:
            n_described = int((self.users.indices(self.user_table.ids, unknown="skip") >= 0).sum())
            described = f"{n_described:,} of {len(self.users):,} users are described"
            said.append(f"{described}; {_learned(self.user_features, self.user_table)}")
        return said

    def said_catalogue(self) -> list[str]:
        """How many items the metadata describes, and which column is shown as the title where none is called so."""
        if self.whole_catalogue is None:
            return []
        if self.catalogue is None:
            return ["no item is described"]
        said = [f"{len(self.catalogue):,} of {len(self.items):,} items are described"]
        text = self.catalogue.stands_for_title
        if text is not None:
            said.append(f"no column is called title: {text.name} is shown as the title (title_column names another)")
        return said

    def for_training(self) -> Split:
        """The split with the features of its items, where a model learns from some."""
        if self.features is None:
            return self.split
        return replace(self.split, features=self.item_features().to(self.split.item_N.device))

    def item_features(self) -> Features:
        """Features of all items, rows 0 .. V.

        Raises:
            ValueError: No features are learned.
        """
        if self.features is None:
            raise ValueError("no features are learned")
        known, row_I = pl.DataFrame(), np.zeros(0, dtype=np.int64)
        if self.catalogue is not None:
            known, row_I = self.catalogue.features, self.items.indices(self.catalogue.frame["item_id"])
        return self.features.encode(known, row_I, len(self.items) + 1)

    def of_users(self, users: Iterable[Any] | None = None, unknown: str = "raise") -> HistoryBatch:
        """Full histories of users.

        Args:
            users: User ids; default: all users.
            unknown: ``raise`` on an unknown user, or ``skip`` them.
        """
        device = self.split.item_N.device
        if users is None:
            number_Q = torch.arange(len(self.users), device=device)
        else:
            number_Q = torch.from_numpy(self.users.indices(users, unknown)).to(device)
            number_Q = number_Q[number_Q >= 0]
        ids = self.users.ids_of(number_Q.cpu().numpy()).alias("user_id")
        return replace(self.split.histories(number_Q, self.split.end_U[number_Q]), ids=ids)

    def sample(self, most: int, seed: int) -> HistoryBatch:
        """Full histories of so many users, drawn by the seed, in their order."""
        generator = torch.Generator().manual_seed(seed)
        number_Q = torch.randperm(len(self.users), generator=generator)[:most].sort().values
        return self.of_users(self.users.ids_of(number_Q.numpy()))

    def before_targets(self, part: str) -> HistoryBatch:
        """The history before each user's held-out item.

        Args:
            part: ``valid`` or ``test``.
        """
        return self.split.held_out(part)[1]

    def of_items(
        self, histories: Iterable[Iterable[Any]], unknown: str = "raise", user_features: Any = None
    ) -> HistoryBatch:
        """Histories given as sequences of item ids or titles.

        Args:
            histories: Item ids, or whole titles, of each history, oldest first.
            unknown: ``raise`` on an unknown item, or ``skip`` it, and histories with none left.
            user_features: What is known of whose histories these are, see :meth:`user_features_in`; None: nothing.

        Raises:
            DataError: A history is empty, or is no list, or ``user_features`` are none.
            SettingsError: The model has learned from no user features.
            UnknownIdError: An item is not known and ``unknown`` is ``raise``, or several have a title.
        """
        lists = [as_list("each history", history) for history in as_list("histories", histories)]
        index_N = self.titles.indices(list(chain.from_iterable(lists)), unknown)
        row_N = np.repeat(np.arange(len(lists)), [len(history) for history in lists])
        known_N = index_N > 0
        length_H = np.bincount(row_N[known_N], minlength=len(lists))
        if unknown == "raise" and not length_H.all():
            raise DataError("a history is empty: give at least one item id")
        number_Q = np.flatnonzero(length_H)
        device = self.split.item_N.device
        item_N, length_Q = (torch.from_numpy(array).to(device) for array in (index_N[known_N], length_H[number_Q]))
        batch = HistoryBatch.joined(item_N, length_Q, pl.Series("history", number_Q, dtype=pl.Int64))
        if user_features is None:
            return batch
        features = self.user_features_in(user_features, len(lists)).at(torch.from_numpy(number_Q).to(device))
        return replace(batch, user_features=features)


def split_of(
    log: Interactions,
    items: Vocabulary,
    settings: Settings,
    device: torch.device,
    moments: Moments | None = None,
    unknown: str = "raise",
) -> Split:
    """A log as tensors; see :func:`make_split`."""
    worth = worth_of(log, settings)
    split = make_split(log, items, settings.split, settings.holdout_share, settings.ties, worth, moments, unknown)
    if (codes := event_codes(log, settings)) is not None:
        split = replace(split, event_N=torch.from_numpy(codes))
    return split.learning_from(settings.train_share, settings.seed).to(device)


def _learned(space: FeatureSpace | None, known: Catalogue | UserTable | None) -> str:
    if space is not None:
        return space.said
    return f"nothing is learned from it{'' if known is None else said_featureless(known.featureless)}"


def warn_of_others(given: Catalogue | UserTable, ids: pl.Series) -> None:
    """Warn where a table is mostly about items or users other than these.

    Raises:
        DataError: It is about none of them.
    """
    few = given.few_note(ids)
    if few is not None:
        warn(f"{few}: the others are kept until they have events", DataWarning)


def _warn(notes: list[str]) -> None:
    for note in notes:
        warn(note, DataWarning)
