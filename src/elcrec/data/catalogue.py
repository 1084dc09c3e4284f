"""Item metadata: titles and attributes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from elcrec.data.attribute_columns import NOTHING, as_lists, as_text, describes, is_text, merged
from elcrec.data.catalogue_json import read_json_object
from elcrec.data.columns import candidates, is_name_of_items, plain, shown
from elcrec.data.feature_columns import as_kind, feature_columns, is_vector
from elcrec.data.files import read_one
from elcrec.data.id_columns import ReadContext, validate_ids
from elcrec.data.ids import BLANKS
from elcrec.data.raw import as_frame
from elcrec.data.vocabulary import natural_order
from elcrec.data.written_columns import as_meant
from elcrec.errors import DataError

PREFIX = "feature:"
IMAGE = "image_url"
TITLES = ("title", "name", "item_name", "item_title", "product_title", "product_name", "movie_title", "book_title")


@dataclass(frozen=True)
class Catalogue:
    """Descriptions of items, one row an item.

    Attributes:
        frame: ``item_id`` (integers or strings, as they came; text from delimited files and JSON objects),
            ``title`` (text or null) and ``attributes`` (list of distinct texts in the order they came,
            perhaps empty); ``image_url`` (text or null) where there is such a column.
        features: What a model can learn from, row by row the same items: see :mod:`elcrec.data.feature_columns`.
    """

    frame: pl.DataFrame
    features: pl.DataFrame = field(default_factory=pl.DataFrame)

    def __len__(self) -> int:
        return self.frame.height

    @classmethod
    def from_table(cls, table: pl.DataFrame) -> Catalogue:
        """What :meth:`table` gave."""
        names = [name for name in table.columns if name.startswith(PREFIX)]
        features = table.select(pl.col(name).alias(name.removeprefix(PREFIX)) for name in names)
        image = [IMAGE] if IMAGE in table.columns else []
        return cls(table.select("item_id", "title", "attributes", *image), features)

    def table(self) -> pl.DataFrame:
        """Both frames in one; names of features begin with ``feature:``."""
        return self.frame.hstack([column.alias(PREFIX + column.name) for column in self.features.get_columns()])

    @classmethod
    def read(cls, source: Any, item_column: str | None = None) -> Catalogue:
        """Read descriptions from a file or a frame.

        Columns are the item, perhaps a title, and attributes: every other column of text, categories or lists
        of text or numbers. ``a|b`` is two attributes.
        The address of a picture (``image_url``) is no attribute: pages show it. Numbers (prices), truth
        values, dates and vectors (lists of fractions,
        all of one length) are no attributes: they are features that a model learns from.

        Args:
            source: Path of a CSV, TSV, Parquet or JSON Lines file, or of a JSON object from item to attribute,
                list of attributes or object of columns (``.json``); or a pandas, Polars or Arrow table.
            item_column: Name of the item column; by default one of the usual names.

        Raises:
            DataError: What is wrong, with the column or item, and what to do.
        """
        if isinstance(source, Catalogue):
            return source
        if not isinstance(source, str | Path):
            return _tidy(as_frame(source, "items", "values"), item_column, untyped=False)
        path = Path(source)
        if path.suffix.lower() == ".json":
            return _tidy(read_json_object(path), None, untyped=False)
        raw, untyped = read_one(path)
        return _tidy(raw, item_column, untyped)

    def only(self, kept: pl.Series) -> Catalogue:
        """Those of some rows, a mask."""
        return Catalogue(self.frame.filter(kept), self.features.filter(kept) if self.features.width else self.features)

    def over(self, older: Catalogue | None) -> Catalogue:
        """These descriptions, and older ones of items that have none here."""
        if older is None:
            return self
        ours, theirs = (one.table().with_columns(pl.col("item_id").cast(pl.String)) for one in (self, older))
        kept = theirs.join(ours, on="item_id", how="anti", maintain_order="left")
        for name in self.features.columns:
            column = PREFIX + name
            if column not in theirs.columns or ours[column].dtype == theirs[column].dtype:
                continue
            alike = as_kind(ours[column], theirs[column].dtype)
            ours = ours.with_columns(alike)
            if alike.null_count() == len(alike):
                raise DataError(f"{name!r} is of another kind than in the items of the model: write it alike")
        return Catalogue.from_table(pl.concat([ours, kept], how="diagonal"))

    def matched(self, ids: pl.Series) -> Catalogue:
        """The descriptions of given items, under their ids.

        Args:
            ids: Distinct ids of a model or log; compared by their text, so ``7`` is ``"7"``.

        Returns:
            Those of ``ids`` that are described, of their type and in their order.

        Raises:
            DataError: None is described.
        """
        asked = pl.DataFrame({"item_id": ids, "text": ids.cast(pl.String)})
        known = self.table().select(pl.exclude("item_id"), text=pl.col("item_id").cast(pl.String))
        frame = asked.join(known, on="text", maintain_order="left").drop("text")
        if frame.is_empty():
            ours, theirs = self.frame["item_id"].head(1).to_list(), ids.head(1).to_list()
            raise DataError(
                f"the item file describes none of the model's items: it has ids like {_examples(ours)}, "
                f"the model like {_examples(theirs)}; use the ids of the log, or choose their column with item_column"
            )
        return Catalogue.from_table(frame)

    def titles(self) -> dict[Any, str]:
        """Title by item; items without one are left out."""
        return dict(self.frame.select("item_id", "title").drop_nulls("title").iter_rows())

    def pictures(self) -> dict[Any, str]:
        """Address of a picture by item, from the column ``image_url``; only addresses that begin with http(s)://."""
        if IMAGE not in self.frame.columns:
            return {}
        of_web = pl.col(IMAGE).str.contains(r"(?i)^https?://[^\s/]")
        return dict(self.frame.select("item_id", IMAGE).filter(of_web).iter_rows())

    def pairs(self) -> pl.DataFrame:
        """``item_id``, ``attribute``: one row each attribute of each item."""
        return self.frame.select("item_id", attribute="attributes").explode("attribute").drop_nulls("attribute")

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


def _examples(ids: list[Any]) -> str:
    return ", ".join(repr(value) for value in ids) or "none"


def _tidy(raw: pl.DataFrame, item_column: str | None, untyped: bool) -> Catalogue:
    """A catalogue from columns of any kind."""
    if raw.is_empty():
        raise DataError("the item data has no rows: give it one row an item")
    item = _item_column(raw, item_column)
    title = _title_column(raw, item)
    titles = _titles(raw, title)
    image = IMAGE if IMAGE in raw.columns and is_text(raw[IMAGE]) else None
    rest = [as_meant(column) for column in raw.get_columns() if column.name not in (item, title, image)]
    used = [column for column in rest if describes(column, untyped) and not is_vector(column)]
    features = feature_columns(rest, untyped, titles)
    if title is None and not used + features:
        raise DataError(
            f"nothing describes the items: the data has {shown(raw.columns)}; "
            f"add a title, or a column of text or of lists of attributes"
        )
    ids, attributes = _ids(raw[item].alias("item_id"), untyped), merged([as_lists(one) for one in used], raw.height)
    images = [] if image is None else [as_text(raw[image]).alias(IMAGE)]
    return Catalogue(pl.DataFrame([ids, titles.alias("title"), attributes, *images]), pl.DataFrame(features))


def _titles(raw: pl.DataFrame, title: str | None) -> pl.Series:
    if title is None:
        return pl.Series("title", [None] * raw.height, dtype=pl.String)
    return as_text(raw[title]).alias(title)


def _title_column(raw: pl.DataFrame, item: str) -> str | None:
    """The column of text that names the items; None where there is none."""
    by_name = {plain(column).lower(): column for column in raw.columns}
    found = [by_name[name] for name in TITLES if name in by_name]
    return next((column for column in found if column != item and is_text(raw[column])), None)


def _item_column(raw: pl.DataFrame, asked: str | None) -> str:
    if asked is not None:
        if asked not in raw.columns:
            raise DataError(f"no column {asked!r}: the item data has {shown(raw.columns)}")
        return asked
    found = next((name for name in candidates("item_id", raw.columns) if not is_name_of_items(name)), None)
    if found is None:
        raise DataError(f"no item_id column: the item data has {shown(raw.columns)}; name it with item_column")
    return found


def _ids(column: pl.Series, untyped: bool) -> pl.Series:
    """Ids by the rule of logs, one an item; those of delimited files stay text."""
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    if column.dtype.is_float():
        column = column.fill_nan(None)
    missing = column.null_count()
    if column.dtype == pl.String:
        column = column.str.strip_chars(BLANKS)
        missing += int(column.is_in(NOTHING).sum())
    if missing:
        raise DataError(f"{missing:,} rows have no item_id: remove them or give them an id")
    ids = validate_ids(column, untyped, ReadContext("the item data", lambda row: f"row {row + 1}"))
    ids = ids.cast(column.dtype) if column.dtype == pl.String else ids
    _refuse_repeated(ids)
    return ids


def _refuse_repeated(ids: pl.Series) -> None:
    repeated = ids.filter(ids.is_duplicated())
    if not repeated.is_empty():
        raise DataError(
            f"item {repeated[0]!r} has {int((ids == repeated[0]).sum())} rows: "
            f"keep one row an item, with several attributes as a list or joined by |"
        )
