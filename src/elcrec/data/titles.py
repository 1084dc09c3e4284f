"""Titles of items: shown next to ids, and understood in place of them."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from elcrec.data.catalogue import Catalogue
from elcrec.data.ids import as_list
from elcrec.data.vocabulary import Indices, Vocabulary, check_unknown
from elcrec.errors import UnknownIdError
from elcrec.process.wording import counted

SHOWN = 5
MOST_COMPARED = 50_000
"""Of more titles none is compared letter by letter with one that is misspelt."""
OF_ITEMS = {"item_id": "title", "target_item_id": "target_title"}
OF_LISTS = {"because": "because_titles", "items": "item_titles"}


class ItemTitles:
    """The titles of a vocabulary's items; all methods work without any, too."""

    def __init__(self, items: Vocabulary, catalogue: Catalogue | None, log: pl.DataFrame | None = None) -> None:
        """Of the items that a catalogue describes; a log tells how many events an item has."""
        self.items = items
        self._catalogue, self._log = catalogue, log

    def __len__(self) -> int:
        """Number of items that have a title."""
        return len(self.by_id)

    @cached_property
    def by_id(self) -> dict[Any, str]:
        """Title by item id, of items that have one."""
        return {} if self._catalogue is None else self._catalogue.shown_titles()

    # ------------------------------------------------------------------ shown

    def of(self, indices: Indices) -> pl.Series:
        """Titles of item indices, null where there is none: [n]."""
        return self._title_V.gather(indices - self.items.first)

    def beside(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A table of items with their titles as its last columns; as it is where no item has a title.

        ``title`` is that of ``item_id``, ``target_title`` that of ``target_item_id``; lists of ids (``because``,
        ``items``) get lists of titles (``because_titles``, ``item_titles``).
        """
        if not self.by_id:
            return frame
        single = [
            self.of(self.items.indices(frame[name])).alias(title)
            for name, title in OF_ITEMS.items()
            if name in frame.columns
        ]
        lists = [
            pl.Series(title, [self.each(ids) for ids in frame[name].to_list()], dtype=pl.List(pl.String))
            for name, title in OF_LISTS.items()
            if name in frame.columns
        ]
        return frame.with_columns(single + lists)

    def each(self, ids: Iterable[Any]) -> list[str | None]:
        """The title of each of some items."""
        return [self.by_id.get(item) for item in ids]

    @cached_property
    def _title_V(self) -> pl.Series:
        return pl.Series("title", self.each(self.items.ids.to_list()), dtype=pl.String)

    # ------------------------------------------------------------------ understood

    def indices(self, given: pl.Series | Iterable[Any], unknown: str = "raise") -> Indices:
        """Indices of items by their ids or, where a text is no id, by their whole titles, ignoring case.

        Args:
            given: Ids or titles.
            unknown: ``raise`` on what is neither, or ``skip``: give -1.

        Returns:
            int64 [n].

        Raises:
            UnknownIdError: Several items have a title, or one is not known and ``unknown`` is ``raise``.
        """
        if not self.by_id:
            return self.items.indices(given, unknown)
        check_unknown(unknown)
        values = given if isinstance(given, pl.Series) else as_list("items", given)
        index = self.items.indices(values, "skip")
        missing = np.flatnonzero(index < 0)
        for place in missing.tolist():
            index[place] = self._index_of(values[place])
        unfound = [values[place] for place in missing.tolist() if index[place] < 0]
        if unfound and unknown == "raise":
            self._raise_unknown(unfound)
        return index

    def named(self, text: str) -> bool:
        """Whether a text is a whole title."""
        return folded(text) in self._indices_by_title

    def unknown_among(self, given: Sequence[Any]) -> list[Any]:
        """What is neither an id nor a whole title."""
        known_n = self.items.found(given) >= self.items.first
        return [one for one, known in zip(given, known_n, strict=True) if not known and not self.named(str(one))]

    def _index_of(self, title: Any) -> int:
        """Index of the item that has a title; -1 where none has it.

        Raises:
            UnknownIdError: Several have.
        """
        found = self._indices_by_title.get(folded(str(title)), [])
        if len(found) > 1:
            several = self._shown(found, self._told_apart(self.items.ids_of(found)).__getitem__)
            raise UnknownIdError(f"{title!r} is the title of {len(found)} items: give the id of one: {several}")
        return found[0] if found else -1

    def _raise_unknown(self, unfound: list[Any]) -> None:
        near = self._similar(str(unfound[0]))
        if not near:
            self.items.indices(unfound)
        several = self._shown(near, self.by_id.__getitem__)
        raise UnknownIdError(
            f"{unfound[0]!r} is neither an id nor a whole title: give one of these, by id or title: {several}"
        )

    def _similar(self, text: str) -> list[int]:
        """Items whose titles hold a text, the shortest first; without any, those whose titles are spelt alike."""
        wanted, titles = folded(text), self._indices_by_title
        near = sorted((title for title in titles if wanted in title), key=len) if wanted else []
        if not near and len(titles) <= MOST_COMPARED:
            near = difflib.get_close_matches(wanted, titles, SHOWN)
        return [index for title in near for index in titles[title]]

    def _shown(self, indices: list[int], described: Any) -> str:
        """Ids with what describes them in brackets."""
        ids = self.items.ids_of(indices[:SHOWN]).to_list()
        shown = [f"{item} ({text})" if (text := described(item)) else str(item) for item in ids]
        more = len(indices) - SHOWN
        return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")

    @cached_property
    def _indices_by_title(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for index, title in enumerate(self._title_V.to_list(), start=self.items.first):
            if title is not None:
                found.setdefault(folded(title), []).append(index)
        return found

    def _told_apart(self, ids: pl.Series) -> dict[Any, str]:
        """What tells items of one title apart, by id: attributes and numbers that differ, and how often they occur."""
        assert self._catalogue is not None
        differences = self._catalogue.differences(ids)
        parts = {item: differences.get(item, []) for item in ids.to_list()}
        if self._log is not None:
            logged = self._log["item_id"]
            counts = dict(logged.filter(logged.is_in(ids.implode())).value_counts().iter_rows())
            parts = {item: [*texts, counted(counts.get(item, 0), "event")] for item, texts in parts.items()}
        return {item: ", ".join(texts) for item, texts in parts.items()}


def folded(text: str) -> str:
    """A text as titles are compared and searched: in one case and one spelling of accents, with single blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
