"""Tables of metadata, a row an item or a user: their ids, and the features that a model can learn from."""

from __future__ import annotations

import polars as pl

from elcrec.data.attribute_columns import NOTHING
from elcrec.data.columns import candidates, is_name_of_items, shown
from elcrec.data.feature_columns import as_kind
from elcrec.data.id_columns import ReadContext, validate_ids
from elcrec.data.ids import BLANKS
from elcrec.errors import DataError
from elcrec.process.wording import counted

PREFIX = "feature:"
"""How the names of columns of features begin in a table that is kept."""


def with_features(known: pl.DataFrame, features: pl.DataFrame) -> pl.DataFrame:
    """Both frames in one; names of features begin with ``feature:``."""
    return known.hstack([column.alias(PREFIX + column.name) for column in features.get_columns()])


def features_in(table: pl.DataFrame) -> pl.DataFrame:
    """The features in what :func:`with_features` gave, under their own names."""
    names = [name for name in table.columns if name.startswith(PREFIX)]
    return table.select(pl.col(name).alias(name.removeprefix(PREFIX)) for name in names)


def id_column(there: list[str], role: str, asked: str | None = None) -> str:
    """The column of ids.

    Args:
        there: The columns of the data.
        role: ``item_id`` or ``user_id``.
        asked: The caller's choice; None: one of the usual names.

    Raises:
        DataError: There is none, or the name of a column is a pattern, which stands for other columns.
    """
    kind = role.removesuffix("_id")
    if pattern := next((name for name in there if name.startswith("^") and name.endswith("$")), None):
        raise DataError(f"the {kind} data has a column {pattern!r}: rename it, without ^ and $")
    if asked is not None:
        if asked not in there:
            raise DataError(f"no column {asked!r}: the {kind} data has {shown(there)}")
        return asked
    found = next((name for name in candidates(role, there) if not is_name_of_items(name)), None)
    if found is None:
        raise DataError(f"no {role} column: the {kind} data has {shown(there)}; name it {role}")
    return found


def ids_in(column: pl.Series, role: str, untyped: bool) -> pl.Series:
    """Ids by the rule of logs, one a row; those of delimited files stay text.

    Raises:
        DataError: One is missing, comes twice, or can be none.
    """
    kind, column = role.removesuffix("_id"), column.alias(role)
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    if column.dtype.is_float():
        column = column.fill_nan(None)
    missing = column.null_count()
    if column.dtype == pl.String:
        column = column.str.strip_chars(BLANKS)
        missing += int(column.is_in(NOTHING).sum())
    if missing:
        raise DataError(f"{counted(missing, 'row', 'has', 'have')} no {role}: remove such rows or give them an id")
    ids = validate_ids(column, untyped, ReadContext(f"the {kind} data", lambda row: f"row {row + 1}"))
    ids = ids.cast(column.dtype) if column.dtype == pl.String else ids
    repeated = ids.filter(ids.is_duplicated())
    if not repeated.is_empty():
        raise DataError(
            f"{kind} {repeated[0]!r} has {int((ids == repeated[0]).sum())} rows: "
            f"keep one row {'an item' if kind == 'item' else 'a user'}, with several values as a list or joined by |"
        )
    return ids


def over(ours: pl.DataFrame, theirs: pl.DataFrame) -> pl.DataFrame:
    """Newer rows, and older ones of ids that have none there; both have ids in their first column.

    Raises:
        DataError: A column holds another kind of features now.
    """
    role = ours.columns[0]
    ours, theirs = (one.with_columns(pl.col(role).cast(pl.String)) for one in (ours, theirs))
    kept = theirs.join(ours, on=role, how="anti", maintain_order="left")
    for column in (name for name in ours.columns if name.startswith(PREFIX)):
        if column not in theirs.columns or ours[column].dtype == theirs[column].dtype:
            continue
        alike = as_kind(ours[column], theirs[column].dtype)
        ours = ours.with_columns(alike)
        if alike.null_count() == len(alike):
            name, kind = column.removeprefix(PREFIX), role.removesuffix("_id")
            raise DataError(f"{name!r} is of another kind than in the {kind}s of the model: write it alike")
    return pl.concat([ours, kept], how="diagonal")


def matched(table: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """The rows of given ids, under these; ids are in the first column.

    Args:
        table: See :func:`with_features`.
        ids: Distinct ids of a model or log; compared by their text, so ``7`` is ``"7"``.

    Returns:
        Those of ``ids`` that have a row, of their type and in their order.

    Raises:
        DataError: None has one.
    """
    role = table.columns[0]
    kind = role.removesuffix("_id")
    asked = pl.DataFrame({role: ids, "text": ids.cast(pl.String)})
    known = table.select(pl.exclude(role), text=pl.col(role).cast(pl.String))
    frame = asked.join(known, on="text", maintain_order="left").drop("text")
    if frame.is_empty():
        raise DataError(
            f"the {kind} file describes none of the model's {kind}s: it has ids like {_examples(table[role])}, "
            f"the model like {_examples(ids)}; use the ids of the log, and name their column {role}"
        )
    return frame


def _examples(ids: pl.Series) -> str:
    return ", ".join(repr(value) for value in ids.head(1)) or "none"
