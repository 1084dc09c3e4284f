"""Item metadata: titles and attributes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from elcrec.data.columns import candidates, is_name_of_items, plain, shown
from elcrec.data.files import read_one
from elcrec.data.ids import BLANKS
from elcrec.data.raw import as_frame
from elcrec.data.vocabulary import natural_order
from elcrec.errors import DataError, decoding

TITLES = ("title", "name", "item_name", "item_title", "product_title", "product_name", "movie_title", "book_title")
TEXTS = pl.List(pl.String)
# What spreadsheets and pandas write where nothing is known.
NOTHING = ("", "nan", "NaN")


@dataclass(frozen=True)
class Catalogue:
    """Descriptions of items, one row an item.

    Attributes:
        frame: ``item_id`` (integers or strings, as they came; text from delimited files and JSON objects),
            ``title`` (text or null) and ``attributes`` (list of distinct texts in the order they came,
            perhaps empty).
    """

    frame: pl.DataFrame

    def __len__(self) -> int:
        return self.frame.height

    @classmethod
    def read(cls, source: Any, item_column: str | None = None) -> Catalogue:
        """Read descriptions from a file or a frame.

        Columns are the item, perhaps a title, and attributes: every other column of text, categories or lists
        of text or numbers. ``a|b`` is two attributes. Plain numbers (prices), truth values and dates are ignored.

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
            return cls(_tidy(as_frame(source, "items", "values"), item_column, untyped=False))
        path = Path(source)
        if path.suffix.lower() == ".json":
            return cls(_tidy(_read_json(path), None, untyped=False))
        raw, untyped = read_one(path)
        return cls(_tidy(raw, item_column, untyped))

    def over(self, older: Catalogue | None) -> Catalogue:
        """These descriptions, and older ones of items that have none here."""
        if older is None:
            return self
        ours, theirs = (one.frame.with_columns(pl.col("item_id").cast(pl.String)) for one in (self, older))
        return Catalogue(pl.concat([ours, theirs.join(ours, on="item_id", how="anti", maintain_order="left")]))

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
        known = self.frame.select("title", "attributes", text=pl.col("item_id").cast(pl.String))
        frame = asked.join(known, on="text", maintain_order="left").drop("text")
        if frame.is_empty():
            ours, theirs = self.frame["item_id"].head(1).to_list(), ids.head(1).to_list()
            raise DataError(
                f"the item file describes none of the model's items: it has ids like {_examples(ours)}, "
                f"the model like {_examples(theirs)}; use the ids of the log, or choose their column with item_column"
            )
        return Catalogue(frame)

    def titles(self) -> dict[Any, str]:
        """Title by item; items without one are left out."""
        return dict(self.frame.select("item_id", "title").drop_nulls("title").iter_rows())

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


def _read_json(path: Path) -> pl.DataFrame:
    """A JSON object from item to what describes it, as a frame of text and lists of text."""
    with decoding(
        lambda reason: DataError(f"cannot read {path} as JSON ({reason}): correct the file, or use .jsonl or .csv")
    ):
        document = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_distinct)
        if not isinstance(document, dict) or not document:
            raise DataError(f"{path} is no object with items in it: use {{item: [attribute, ...]}}, or .jsonl or .csv")
        return _json_frame(document)


def _json_frame(document: dict[str, Any]) -> pl.DataFrame:
    items = list(document)
    rows = [value if isinstance(value, dict) else {"attributes": value} for value in document.values()]
    names = dict.fromkeys(name for name in chain.from_iterable(rows) if not candidates("item_id", [name]))
    columns = {name: [row.get(name) for row in rows] for name in names}
    described = [_json_column(name, values, items) for name, values in columns.items() if _holds_text(values)]
    return pl.DataFrame([pl.Series("item_id", items, dtype=pl.String), *described])


def _holds_text(values: list[Any]) -> bool:
    """Whether values may be attributes: numbers and truth values alone are none."""
    return any(isinstance(value, str | list) for value in values)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    name, count = Counter(name for name, _ in pairs).most_common(1)[0] if pairs else ("", 1)
    if count > 1:
        raise DataError(f"the JSON object has {name!r} {count} times: keep one entry an item")
    return dict(pairs)


def _json_column(name: str, values: list[Any], items: list[str]) -> pl.Series:
    """Text, or lists of text where a value is a list."""
    if any(isinstance(value, list) for value in values):
        lists = [
            [_json_text(each, item) for each in (value.split("|") if isinstance(value, str) else _listed(value))]
            for value, item in zip(values, items, strict=True)
        ]
        return pl.Series(name, lists, dtype=TEXTS)
    return pl.Series(
        name, [_json_text(value, item) for value, item in zip(values, items, strict=True)], dtype=pl.String
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _json_text(value: Any, item: str) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        kind = type(value).__name__
        raise DataError(f"item {item!r} has an attribute of type {kind}: attributes are texts or numbers")
    return None if value is None else str(value)


def _tidy(raw: pl.DataFrame, item_column: str | None, untyped: bool) -> pl.DataFrame:
    """The columns of a catalogue from columns of any kind."""
    if raw.is_empty():
        raise DataError("the item data has no rows: give it one row an item")
    item = _item_column(raw, item_column)
    title = _title_column(raw, item)
    rest = [column for column in raw.get_columns() if column.name not in (item, title)]
    used = [column for column in rest if _describes(column, untyped)]
    if title is None and not used:
        raise DataError(
            f"nothing describes the items: the data has {shown(raw.columns)}; "
            f"add a title, or a column of text or of lists of attributes"
        )
    titles = pl.Series([None] * raw.height, dtype=pl.String) if title is None else _text(raw[title])
    frame = pl.DataFrame([_ids(raw[item].alias("item_id"), untyped), titles.alias("title")])
    lists = [_lists(column).alias(f"{number}") for number, column in enumerate(used)]
    return frame.with_columns(attributes=_merged(lists, raw.height))


def _title_column(raw: pl.DataFrame, item: str) -> str | None:
    """The column of text that names the items; None where there is none."""
    by_name = {plain(column).lower(): column for column in raw.columns}
    found = [by_name[name] for name in TITLES if name in by_name]
    return next((column for column in found if column != item and _is_text(raw[column])), None)


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
    """Ids without blanks around them, one an item."""
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    if column.dtype.is_float():
        column = column.fill_nan(None)
        column = column.cast(pl.Int64, strict=False) if (column.drop_nulls() % 1 == 0).all() else column
    missing = column.null_count()
    if column.dtype == pl.String:
        column = column.str.strip_chars(BLANKS)
        missing += int(column.is_in(NOTHING).sum())
        if untyped and column.str.contains(r"^-?[0-9]+(\.0+)?$").all():  # as the log's reader takes them
            column = column.str.replace(r"\.0+$", "")
    if missing:
        raise DataError(f"{missing:,} rows have no item_id: remove them or give them an id")
    if not (column.dtype.is_integer() or column.dtype == pl.String):
        raise DataError(f"item_id is of type {column.dtype}: ids are integers or strings, one type a column")
    _refuse_repeated(column)
    return column


def _refuse_repeated(ids: pl.Series) -> None:
    repeated = ids.filter(ids.is_duplicated())
    if not repeated.is_empty():
        raise DataError(
            f"item {repeated[0]!r} has {int((ids == repeated[0]).sum())} rows: "
            f"keep one row an item, with several attributes as a list or joined by |"
        )


def _is_text(column: pl.Series) -> bool:
    return isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum)


def _describes(column: pl.Series, untyped: bool) -> bool:
    """Whether a column holds attributes; in delimited files numbers and truth values are text, too."""
    if _is_text(column):
        known = _text(column).drop_nulls()
        number = known.cast(pl.Float64, strict=False).is_not_null() | known.str.to_lowercase().is_in(["true", "false"])
        return not (untyped and number.all())
    if isinstance(column.dtype, pl.List | pl.Array):
        inner = column.dtype.inner
        return isinstance(inner, pl.String | pl.Categorical | pl.Enum | pl.Null) or inner.is_numeric()
    return False


def _text(column: pl.Series) -> pl.Series:
    """Text without blanks around it; null where there is nothing."""
    return (
        column.cast(pl.String)
        .to_frame("text")
        .select(pl.col("text").str.strip_chars())
        .select(pl.when(~pl.col("text").is_in(NOTHING)).then("text"))
        .to_series()
    )


def _lists(column: pl.Series) -> pl.Series:
    if _is_text(column):
        return _text(column).str.split("|")
    column = column.cast(pl.List(column.dtype.inner))  # type: ignore[attr-defined]
    if column.dtype.inner.is_float():  # type: ignore[attr-defined]
        numbers = column.explode().drop_nulls().drop_nans()
        column = column.cast(pl.List(pl.Int64), strict=False) if (numbers % 1 == 0).all() else column
    return column.cast(TEXTS)


def _merged(lists: list[pl.Series], height: int) -> pl.Series:
    """The lists of all columns as one a row: distinct, in order, without nothings."""
    if not lists:
        return pl.Series("attributes", [[]] * height, dtype=TEXTS)
    text = pl.element().str.strip_chars()
    return (
        pl.DataFrame(lists)
        .select(attributes=pl.concat_list(pl.all().fill_null(pl.lit([], dtype=TEXTS))))
        .select(pl.col("attributes").list.eval(text.filter(~text.is_in(NOTHING))).list.unique(maintain_order=True))
        .to_series()
    )
