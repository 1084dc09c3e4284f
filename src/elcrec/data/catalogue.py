"""Item metadata: titles and attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl

from elcrec.data import described
from elcrec.data.accepted import Table
from elcrec.data.attribute_columns import TEXTS, as_lists, as_text, as_titles, describes, is_text, merged, pairs
from elcrec.data.catalogue_json import read_json_object
from elcrec.data.columns import plain, shown
from elcrec.data.feature_columns import MOMENT, NUMBER, TEXT, feature_columns, featureless, is_vector
from elcrec.data.files import read_described
from elcrec.data.raw import as_frame
from elcrec.data.specific import most_specific
from elcrec.data.vocabulary import natural_order
from elcrec.data.written_columns import as_meant
from elcrec.errors import DataError

if TYPE_CHECKING:  # it loads PyTorch
    from elcrec.data.features import FeatureSpace

IMAGE = "image_url"
TITLES = ("title", "name", "item_name", "item_title", "product_title", "product_name", "movie_title", "book_title")

ItemSource: TypeAlias = "str | Path | Table | Catalogue"
"""See :meth:`Catalogue.read`."""


@dataclass(frozen=True)
class Catalogue:
    """Descriptions of items, one row an item.

    Attributes:
        frame: ``item_id`` (integers or strings, as they came; text from delimited files and JSON objects),
            ``title`` (text or null) and ``attributes`` (list of distinct texts in the order they came,
            perhaps empty); ``image_url`` (text or null) where there is such a column.
        features: What a model can learn from, row by row the same items: see :mod:`elcrec.data.feature_columns`.
        featureless: Why nothing can be learned from further columns, by name; files of runs do not keep it.
        columns: Columns of :meth:`table` that the file gives, those without any value, too; none of what a run kept.
        written: Columns of the file as they came, but for ids, titles and pictures, row by row the same items; none of
            what a run kept.
        attributed: Those whose values are the attributes.
    """

    frame: pl.DataFrame
    features: pl.DataFrame = field(default_factory=pl.DataFrame)
    featureless: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    written: pl.DataFrame = field(default_factory=pl.DataFrame, repr=False, compare=False)
    attributed: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.frame.height

    @classmethod
    def from_table(cls, table: pl.DataFrame) -> Catalogue:
        """What :meth:`table` gave."""
        image = [IMAGE] if IMAGE in table.columns else []
        return cls(table.select("item_id", "title", "attributes", *image), described.features_in(table))

    def table(self) -> pl.DataFrame:
        """Both frames in one; names of features begin with ``feature:``."""
        return described.with_features(self.frame, self.features)

    @classmethod
    def read(
        cls,
        source: ItemSource,
        item_column: str | None = None,
        title_column: str | None = None,
        log_column: str | None = None,
    ) -> Catalogue:
        """Read descriptions from a file or a frame.

        Columns are the item, perhaps a title, and attributes: every other column of text, categories or lists
        of text or numbers. ``a|b`` is two attributes. Numbers (prices), truth values, dates and vectors (lists of
        fractions, most of one length) are no attributes: they are features that a model learns from.
        ``image_url``, the address of a picture, is neither: pages show it.

        Args:
            source: Path of a CSV, TSV, Parquet or JSON Lines file, or of a JSON object from item to attribute,
                list of attributes or object of columns (``.json``); or a pandas, Polars or Arrow table.
            item_column: Name of the item column; by default ``item_id``, else ``log_column``, else one of the usual
                names.
            title_column: Name of the column with titles; by default one of the usual names, and without one none:
                :meth:`shown_titles` shows another column, then.
            log_column: Name of the item column of the log, where the caller gives one.

        Raises:
            DataError: What is wrong, with the column or item, and what to do.
        """
        if isinstance(source, Catalogue):
            return source
        if not isinstance(source, str | Path):
            raw = as_frame(source, "items", "values")
            return _tidy(raw, _item_column(raw, item_column, log_column), title_column)
        path = Path(source)
        if path.suffix.lower() == ".json":
            raw = read_json_object(path)
            return _tidy(raw, _item_column(raw), title_column)
        raw, file = read_described(path, "item_id", log_column)
        item = _item_column(raw, item_column, log_column)
        return _tidy(raw, item, title_column, file.untyped, file.decimal_commas)

    def only(self, kept: pl.Series) -> Catalogue:
        """Those of some rows, a mask."""
        features = self.features.filter(kept) if self.features.width else self.features
        written = self.written.filter(kept) if self.written.width else self.written
        return replace(self, frame=self.frame.filter(kept), features=features, written=written)

    def as_in(self, older: Catalogue | None) -> tuple[Catalogue, list[str]]:
        """The same, each column of the kind that is known, and what to say; see :func:`elcrec.data.described.as_in`."""
        if older is None:
            return self, []
        features, note = described.as_in(self.frame["item_id"], self.features, self.written, older.features)
        found = replace(self, features=features, written=pl.DataFrame())
        if self.written.width:
            found = replace(found, frame=self.frame.with_columns(self._attributes_as_in(older, features)))
        return found, [] if note is None else [note]

    def _attributes_as_in(self, older: Catalogue, features: pl.DataFrame) -> pl.Series:
        """The attributes, of columns that are such in older descriptions, and of new ones."""
        lists = []
        for column in self.written.get_columns():
            name = column.name
            if name not in older.features.columns:
                lists += [as_lists(column)] if name in self.attributed else []
            elif name in features.columns and older._are_attributes(name):
                lists.append(as_lists(column) if features[name].dtype == TEXT else features[name])
        return merged(lists, len(self))

    def _are_attributes(self, name: str) -> bool:
        """Whether the values of a column of features are attributes: those of most items that have some."""
        column = self.features[name]
        if column.dtype not in (TEXTS, TEXT):
            return False
        texts = as_lists(column) if column.dtype == TEXT else column
        rows = pl.DataFrame([texts.alias("text"), self.frame["attributes"]]).drop_nulls("text")
        others = rows.select(pl.col("text").list.set_difference("attributes").list.len())["text"]
        return 2 * int((others == 0).sum()) > len(others)

    def over(self, older: Catalogue | None) -> Catalogue:
        """These descriptions, and of other items the older ones; see :func:`elcrec.data.described.over`.

        Attributes that an item has from columns which are missing here stay.

        Raises:
            DataError: A column holds another kind of features now.
        """
        if older is None:
            return self
        return self.as_in(older)[0]._over(older)

    def _over(self, older: Catalogue) -> Catalogue:
        """The same where each column is of the kind of the older ones."""
        table = self.table().with_columns(self._attributes_over(older))
        if "title" not in self.columns and self.frame["title"].null_count() == len(self):
            table = table.drop("title")
        return Catalogue.from_table(described.over(table, older.table(), self.columns))

    def _attributes_over(self, older: Catalogue) -> pl.Series:
        """Its attributes, and those of older descriptions but for what came from columns that are here again."""
        asked, known = (one.frame.select(pl.col("item_id").cast(pl.String)) for one in (self, older))
        older = older.only(known["item_id"].is_in(asked["item_id"].implode()))
        kept = older._pairs_without({*described.own_names(self.columns), *self.features.columns})
        if kept.is_empty():
            return self.frame["attributes"]
        lists = kept.group_by(pl.col("item_id").cast(pl.String), maintain_order=True).agg("attribute")
        found = asked.join(lists, on="item_id", how="left", maintain_order="left")["attribute"]
        return merged([self.frame["attributes"], found], len(self))

    def _pairs_without(self, names: set[str]) -> pl.DataFrame:
        """Items and their attributes, but for those that come from columns of these names alone."""
        told = [column for column in self.features.get_columns() if column.dtype in (TEXTS, TEXT)]
        ids, both = self.frame["item_id"], ["item_id", "attribute"]
        named = pairs(ids, [column for column in told if column.name in names])
        others = pairs(ids, [column for column in told if column.name not in names])
        return self.pairs().join(named.join(others, on=both, how="anti"), on=both, how="anti", maintain_order="left")

    def notes_over(self, older: Catalogue | None, space: FeatureSpace | None) -> list[str]:
        """What to say of the columns; see :func:`elcrec.data.described.notes_over`."""
        return described.notes_over(self.table(), None if older is None else older.table(), self.columns, space)

    def matched(self, ids: pl.Series) -> Catalogue:
        """The descriptions of given items, under their ids.

        Args:
            ids: Distinct ids of a model or log; compared by their text, so ``7`` is ``"7"``.

        Returns:
            Those of ``ids`` that are described, of their type and in their order.

        Raises:
            DataError: None is described.
        """
        return replace(Catalogue.from_table(described.matched(self.table(), ids)), featureless=self.featureless)

    def describing(self, ids: pl.Series) -> Catalogue:
        """The same as :meth:`matched`, of a catalogue that is clearly of these items.

        Raises:
            DataError: It describes almost none of them, and is mostly about others.
        """
        self.refuse_others(ids)
        return self.matched(ids)

    def refuse_others(self, ids: pl.Series) -> None:
        """Raise DataError unless the catalogue is clearly of these items."""
        described.refuse_others(self.frame["item_id"], ids)

    def few_note(self, ids: pl.Series) -> str | None:
        """What to say where it describes almost none of these items; see :func:`elcrec.data.described.few_note`."""
        return described.few_note(self.frame["item_id"], ids)

    def known_to(self, ids: pl.Series) -> Catalogue:
        """What a model of given items keeps; see :func:`elcrec.data.described.known_to`."""
        return replace(Catalogue.from_table(described.known_to(self.table(), ids)), featureless=self.featureless)

    def titles(self) -> dict[Any, str]:
        """Title by item; items without one are left out."""
        return dict(self.frame.select("item_id", "title").drop_nulls("title").iter_rows())

    def shown_titles(self) -> dict[Any, str]:
        """The same; where no item has a title, the texts of :attr:`stands_for_title`."""
        text = self.stands_for_title
        if text is None:
            return self.titles()
        return dict(pl.DataFrame([self.frame["item_id"], text]).drop_nulls(text.name).iter_rows())

    @cached_property
    def stands_for_title(self) -> pl.Series | None:
        """Where no item has a title: the column that :func:`most_specific` finds."""
        untitled = self.frame["title"].null_count() == len(self)
        return most_specific(self.features) if untitled else None

    def pictures(self) -> dict[Any, str]:
        """Address of a picture by item, from the column ``image_url``; only addresses that begin with http(s)://."""
        if IMAGE not in self.frame.columns:
            return {}
        of_web = pl.col(IMAGE).str.contains(r"(?i)^https?://[^\s/]")
        return dict(self.frame.select("item_id", IMAGE).filter(of_web).iter_rows())

    def pairs(self) -> pl.DataFrame:
        """``item_id``, ``attribute``: one row each attribute of each item."""
        return self.frame.select("item_id", attribute="attributes").explode("attribute").drop_nulls("attribute")

    def differences(self, ids: pl.Series, most: int = 3) -> dict[Any, list[str]]:
        """What tells some items apart: attributes and numbers that not all of them have.

        Args:
            ids: Ids of the items.
            most: Texts of an item.

        Returns:
            Texts by item, attributes first: ``steel``, ``price 12.99``.
        """
        some = self.only(self.frame["item_id"].is_in(ids.implode()))
        pairs = some.pairs()
        shared = pairs.group_by("attribute").len().filter(pl.col("len") == len(some))
        found: dict[Any, list[str]] = {item: [] for item in some.frame["item_id"]}
        for item, text in pairs.join(shared, on="attribute", how="anti", maintain_order="left").iter_rows():
            found[item].append(text)
        for column in some.features.get_columns():
            form = {NUMBER: ".10g", MOMENT: "%Y-%m-%d"}.get(column.dtype)
            if form is not None and column.n_unique() > 1:
                for item, value in zip(found, column, strict=True):
                    found[item] += [] if value is None else [f"{column.name} {value:{form}}"]
        return {item: texts[:most] for item, texts in found.items()}

    def main_attribute(self, largest_share: float = 0.1) -> pl.DataFrame:
        """The one attribute that stands for each item: its most frequent that is not too general.

        Args:
            largest_share: Attributes of this share of all items, or more, are too general (0 to 1).

        Returns:
            ``item_id``, ``attribute``, in the catalogue's order; equally frequent attributes are decided by
            natural order. Items without a fitting attribute are left out.
        """
        pairs = self.pairs()
        order = pl.DataFrame({"attribute": natural_order(pairs["attribute"].unique())}).with_row_index("rank")
        counts = pairs.group_by("attribute").len("items").filter(pl.col("items") / len(self) < largest_share)
        best = (
            pairs.join(counts, on="attribute")
            .join(order, on="attribute")
            .sort("items", "rank", descending=[True, False])
            .unique("item_id", keep="first", maintain_order=True)
            .select("item_id", "attribute")
        )
        return self.frame.select("item_id").join(best, on="item_id", maintain_order="left")


def _item_column(raw: pl.DataFrame, item_column: str | None = None, log_column: str | None = None) -> str:
    """The column of ids of a table that has rows; see :meth:`Catalogue.read`."""
    if raw.is_empty():
        raise DataError("the item data has no rows: give it one row an item")
    return described.id_column(raw.columns, "item_id", item_column, log_column)


def _tidy(
    raw: pl.DataFrame, item: str, title_column: str | None, untyped: bool = False, decimal_commas: bool = False
) -> Catalogue:
    """A catalogue from columns of any kind."""
    title = _title_column(raw, item, title_column)
    titles = _titles(raw, title)
    image = _image_column(raw, item, title)
    written = _without(raw, item, title, image)
    rest = [as_meant(column, decimal_commas) for column in written.get_columns()]
    used = _used(rest, untyped)
    features = feature_columns(rest, untyped, titles)
    if title is None and image is None and not used + features:
        raise DataError(
            f"nothing describes the items: the data has {shown(raw.columns)}; "
            f"add a title, or a column of text or of lists of attributes"
        )
    ids = described.ids_in(raw[item], "item_id", untyped)
    attributes = merged([as_lists(one) for one in used], raw.height)
    images = [as_text(raw[IMAGE])] if image else []
    frame = pl.DataFrame([ids, titles.alias("title"), attributes, *images])
    columns = (*described.given_names(raw.columns), *(() if title is None else ("title",)))
    attributed = tuple(column.name for column in used)
    return Catalogue(frame, pl.DataFrame(features), featureless(rest, features), columns, written, attributed)


def _without(raw: pl.DataFrame, *names: str | None) -> pl.DataFrame:
    return raw.drop(name for name in names if name is not None)


def _used(columns: list[pl.Series], untyped: bool) -> list[pl.Series]:
    """The columns whose values are attributes."""
    return [column for column in columns if describes(column, untyped) and not is_vector(column)]


def _titles(raw: pl.DataFrame, title: str | None) -> pl.Series:
    if title is None:
        return pl.Series("title", [None] * raw.height, dtype=pl.String)
    return as_titles(raw[title])


def _title_column(raw: pl.DataFrame, item: str, title_column: str | None) -> str | None:
    """The column that names the items: the caller's choice, or one of text; None where there is none."""
    if title_column is not None:
        return _named_title(raw, title_column)
    by_name = {plain(column).lower(): column for column in raw.columns}
    found = [by_name[name] for name in TITLES if name in by_name]
    return next((column for column in found if column != item and is_text(raw[column])), None)


def _image_column(raw: pl.DataFrame, item: str, title: str | None) -> str | None:
    """The column with addresses of pictures; None where there is none."""
    return IMAGE if IMAGE in raw.columns and IMAGE not in (item, title) and is_text(raw[IMAGE]) else None


def _named_title(raw: pl.DataFrame, title_column: str) -> str:
    """The column with titles that the caller named."""
    if title_column not in raw.columns:
        raise DataError(f"no column {title_column!r} (title_column): the item data has {shown(raw.columns)}")
    if raw[title_column].dtype.is_nested():
        raise DataError(f"title_column={title_column!r} holds lists: name a column with one text an item")
    return title_column
