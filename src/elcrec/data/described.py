"""Tables of metadata, a row an item or a user: their ids, and the features that a model can learn from."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from elcrec.data.attribute_columns import BLANK, TEXTS
from elcrec.data.columns import candidates, canonical, is_name_of_items, shown
from elcrec.data.feature_columns import MOMENT, NUMBER, TEXT, as_kind
from elcrec.data.id_columns import ReadContext, validate_ids
from elcrec.data.ids import BLANKS
from elcrec.data.later_columns import as_known
from elcrec.data.markup import composed
from elcrec.errors import DataError
from elcrec.process.wording import counted

if TYPE_CHECKING:  # it loads PyTorch
    from elcrec.data.features import FeatureSpace

PREFIX = "feature:"
"""How the names of columns of features begin in a table that is kept."""
MOST_SHOWN = 60
"""Only so many characters of a value are shown in a message."""
LEAST_SHARE = 0.05
"""A file of another log: it describes less of a model's items or users, and less of its own rows is about them."""


def with_features(known: pl.DataFrame, features: pl.DataFrame) -> pl.DataFrame:
    """Both frames in one; names of features begin with ``feature:``."""
    return known.hstack([column.alias(PREFIX + column.name) for column in features.get_columns()])


def features_in(table: pl.DataFrame) -> pl.DataFrame:
    """The features in what :func:`with_features` gave, under their own names."""
    names = [name for name in table.columns if name.startswith(PREFIX)]
    return table.select(pl.col(name).alias(name.removeprefix(PREFIX)) for name in names)


def given_names(columns: list[str]) -> tuple[str, ...]:
    """The columns of a table, see :func:`with_features`, that a file with these columns gives, even without values."""
    return (*columns, *(PREFIX + name for name in columns))


def own_names(given: Collection[str]) -> list[str]:
    """The names in the file of the features among :func:`given_names`."""
    return [name.removeprefix(PREFIX) for name in given if name.startswith(PREFIX)]


def says_same(ours: pl.DataFrame, theirs: pl.DataFrame) -> bool:
    """Whether two tables, see :func:`with_features`, say the same of the same ids, in any spelling of accents."""
    if set(ours.columns) != set(theirs.columns):
        return False
    theirs = theirs.select(ours.columns)
    return ours.equals(theirs) or _in_one_spelling(ours).equals(_in_one_spelling(theirs))


def _in_one_spelling(table: pl.DataFrame) -> pl.DataFrame:
    """The same with texts composed; ids, in the first column, stay as they are."""
    others = table.get_columns()[1:]
    return table.with_columns(
        *(composed(column) for column in others if column.dtype == TEXT),
        *(_composed_lists(column) for column in others if column.dtype == TEXTS),
    )


def _composed_lists(lists: pl.Series) -> pl.Series:
    texts = lists.explode().drop_nulls().unique()
    one = pl.element().replace(texts, composed(texts))
    return lists.to_frame().select(pl.col(lists.name).list.eval(one).list.unique(maintain_order=True)).to_series()


def id_column(there: list[str], role: str, asked: str | None = None, log_column: str | None = None) -> str:
    """The column of ids.

    Args:
        there: The columns of the data.
        role: ``item_id`` or ``user_id``.
        asked: The caller's choice; None: ``role`` itself, else ``log_column``, else one of the usual names.
        log_column: The caller's name of that column in the log.

    Raises:
        DataError: There is none, or the name of a column is a pattern, which stands for other columns.
    """
    kind, usual = role.removesuffix("_id"), _usual_ids(there, role, log_column)
    if pattern := next((name for name in there if name.startswith("^") and name.endswith("$")), None):
        raise DataError(f"the {kind} data has a column {pattern!r}: rename it, without ^ and $")
    if asked is not None:
        if asked not in there:
            raise DataError(f"no column {asked!r}: the {kind} data has {shown(there)}")
        return asked
    if not usual:
        raise DataError(f"no {role} column: the {kind} data has {shown(there)}; name it {role}")
    return usual[0]


def _usual_ids(there: list[str], role: str, log_column: str | None) -> list[str]:
    """The columns that may hold ids where the caller chooses none, best first; see :func:`id_column`."""
    usual = [name for name in candidates(role, there) if not is_name_of_items(name)]
    if log_column in there and canonical(role) not in map(canonical, usual):
        return [log_column]
    return usual


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
        missing += int(column.is_in(BLANK).sum())
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


def over(ours: pl.DataFrame, theirs: pl.DataFrame, given: Collection[str]) -> pl.DataFrame:
    """Newer rows first, then older ones of ids that have no newer row; both tables have ids in their first column.

    A newer row counts as far as it goes: an unknown value in a column that was given replaces the older value, and
    columns that were not given keep theirs.

    Args:
        ours: Newer rows, see :func:`with_features`.
        theirs: Older rows.
        given: The columns of the newer rows, see :func:`given_names`; such a column without any value is not in
            ``ours``.

    Returns:
        Ids are text.
    """
    role = ours.columns[0]
    ours, theirs = (_by_text(one) for one in (ours, theirs))
    left = [name for name in theirs.columns if name not in ours.columns and name not in given]
    renewed = ours.join(theirs.select(role, *left), on=role, how="left", maintain_order="left")
    return pl.concat([renewed, _others(theirs, ours)], how="diagonal")


def as_in(
    ids: pl.Series, features: pl.DataFrame, written: pl.DataFrame, known: pl.DataFrame
) -> tuple[pl.DataFrame, str | None]:
    """Features of newer rows, each column of the kind that a model knows.

    Args:
        ids: Of the newer rows.
        features: What their columns are without a model.
        written: Their columns as they came; without any, features are read again.
        known: The features of the model.

    Returns:
        Those with a value, and what to say of single values that are of another kind.

    Raises:
        DataError: No value of a column is of its kind.
    """
    found, said = {column.name: column for column in features.get_columns()}, []
    for column in known.get_columns():
        own = seen = found.pop(column.name, None)
        if column.name in written.columns:
            seen = written[column.name]
            alike = as_known(written[column.name], own, column)
        elif own is not None:
            alike = as_kind(own, column.dtype)
        else:
            continue
        if own is not None and seen is not None and (lost := own.is_not_null() & alike.is_null()).any():
            said.append(_lost_note(ids.to_frame().with_columns(seen).filter(lost), own, alike))
        if alike.null_count() < len(alike):
            found[column.name] = alike
    kind = ids.name.removesuffix("_id")
    unlike = f"some values are of another kind than in the {kind}s of the model, and count as unknown"
    order = [*features.columns, *known.columns]
    columns = sorted(found.values(), key=lambda column: order.index(column.name))
    return pl.DataFrame(columns), f"{unlike}: {', '.join(said)}: write them alike" if said else None


def _lost_note(lost: pl.DataFrame, own: pl.Series, alike: pl.Series) -> str:
    """What to say of values of another kind than a model knows.

    Args:
        lost: Their ids, and the values as they came.
        own: The column without a model.
        alike: The same of the kind that the model knows.

    Raises:
        DataError: No value is of this kind.
    """
    kind, (item, value) = lost.columns[0].removesuffix("_id"), lost.row(0)
    if alike.null_count() < len(alike):
        values = f"{len(lost):,} of {counted(len(own) - own.null_count(), 'value')}"
        return f"{values} of {own.name!r} ({_as_written(value)} of {kind} {item!r})"
    kinds = f"{_kind_in_words(alike.dtype)} there, {_kind_in_words(own.dtype)} here"
    remedy = "write dates, like 2021-05-31" if alike.dtype == MOMENT else "write it alike"
    raise DataError(
        f"{own.name!r} is of another kind than in the {kind}s of the model ({kinds}, such as {_as_written(value)} of "
        f"{kind} {str(item)!r}): {remedy}"
    )


def _as_written(value: Any) -> str:
    """A value for a message: as a file writes it, dates like 2021-05-31."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ").removesuffix(" 00:00:00")
    if isinstance(value, date):
        return value.isoformat()
    is_of_texts = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return repr("|".join(value) if is_of_texts else value)[:MOST_SHOWN]


def _kind_in_words(dtype: pl.DataType) -> str:
    """What a column of features holds; see :mod:`elcrec.data.feature_columns`."""
    if dtype == TEXTS:
        return "categories"
    if dtype == MOMENT:
        return "dates"
    return "numbers" if dtype == NUMBER else "text" if dtype == TEXT else "vectors"


def notes_over(
    ours: pl.DataFrame, theirs: pl.DataFrame | None, given: Collection[str], space: FeatureSpace | None
) -> list[str]:
    """What to say of the columns of newer rows, see :func:`over`.

    Args:
        ours: Newer rows.
        theirs: Older rows; None: there are none.
        given: See :func:`over`.
        space: The features that a model knows; None: none.

    Returns:
        Sentences: which columns and vectors are missing or of no use.
    """
    if space is None:
        return []
    kind = ours.columns[0].removesuffix("_id")
    kept = () if theirs is None else features_in(theirs).columns
    return space.notes_on_later(ours.to_series(0), _features_told(ours, theirs, given), kind, kept)


def _features_told(ours: pl.DataFrame, theirs: pl.DataFrame | None, given: Collection[str]) -> pl.DataFrame:
    """The columns of features that newer rows have; where no id is new, with those that they keep of older ones."""
    if theirs is None or not _others(_by_text(ours), _by_text(theirs)).is_empty():
        return features_in(ours)
    kept = features_in(over(ours, theirs, given).head(ours.height))
    return pl.DataFrame([column for column in kept.get_columns() if column.null_count() < len(column)])


def _by_text(table: pl.DataFrame) -> pl.DataFrame:
    """The same with ids as text."""
    return table.with_columns(pl.col(table.columns[0]).cast(pl.String))


def _others(table: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The rows of ids that another table has not."""
    return table.join(known, on=table.columns[0], how="anti", maintain_order="left")


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
    frame = _rows_of(table, ids)
    if frame.is_empty():
        role = table.columns[0]
        kind = role.removesuffix("_id")
        raise DataError(
            f"the {kind} file describes none of the model's {kind}s: {_unlike_ids(table[role], ids)}; "
            f"use the ids of the log, and name their column {role}"
        )
    return frame


def refuse_others(rows: pl.Series, ids: pl.Series) -> None:
    """Raise DataError unless a table is clearly of a model's items; see :func:`few_note`."""
    note = few_note(rows, ids)
    if note is not None:
        raise DataError(
            f"{note}: it belongs to other items; give the file of this log, with its ids, or rename its column of "
            f"ids to {rows.name}"
        )


def few_note(rows: pl.Series, ids: pl.Series) -> str | None:
    """What to say of a table that describes almost none of a model's items or users, and is mostly about others.

    Args:
        rows: The ids of its rows, under the name of their role.
        ids: Distinct ids of the model.

    Raises:
        DataError: It describes none.
    """
    n_found, kind = len(matched(rows.to_frame(), ids)), rows.name.removesuffix("_id")
    if n_found >= LEAST_SHARE * min(len(ids), len(rows)):
        return None
    few = f"the {kind} file describes only {n_found:,} of the model's {len(ids):,} {kind}s, and has {len(rows):,}"
    return f"{few} ({_unlike_ids(rows, ids)})"


def _unlike_ids(rows: pl.Series, ids: pl.Series) -> str:
    """An id of a table that a model does not know, and one of the model that the table lacks.

    Two that are the same but for capitals say the most.
    """
    texts = [one.cast(pl.String) for one in (rows, ids)]
    sides = [
        pl.DataFrame({"id": one, "folded": text.str.to_lowercase()}).filter(~text.is_in(other.implode()))
        for one, text, other in zip((rows, ids), texts, reversed(texts), strict=True)
    ]
    alike = sides[0].join(sides[1], on="folded", maintain_order="left").head(1)
    theirs, ours = (alike["id"], alike["id_right"]) if len(alike) else (side["id"] for side in sides)
    return f"it has ids like {_examples(theirs)}, the model like {_examples(ours)}"


def known_to(table: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """What a model of given ids keeps of a table: their rows in their order, then those of all other ids.

    An id without events may have some later, and is known then. The price is that a run is as large as the files it was
    given, also where its log is small.

    Args:
        table: See :func:`with_features`.
        ids: Distinct ids of a model; those of the table become of their type, and others that cannot are left out.
    """
    others = table.to_series(0).cast(ids.dtype, strict=False).drop_nulls().unique(maintain_order=True)
    return _rows_of(table, pl.concat([ids, others.filter(~others.is_in(ids.implode())).alias(ids.name)]))


def _rows_of(table: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """The rows of given ids, compared by their text, under these and in their order."""
    role = table.columns[0]
    asked = pl.DataFrame({role: ids, "text": ids.cast(pl.String)})
    known = table.select(pl.exclude(role), text=pl.col(role).cast(pl.String))
    return asked.join(known, on="text", maintain_order="left").drop("text")


def _examples(ids: pl.Series) -> str:
    return ", ".join(repr(value) for value in ids.head(1)) or "none"
