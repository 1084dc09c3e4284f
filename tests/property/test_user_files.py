"""What holds for every user file: it is read or refused in a sentence, and visitors who tell the same are the same."""

import csv
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elcrec.data.catalogue import Catalogue
from elcrec.data.features import Features, FeatureSpace
from elcrec.data.user_table import UserTable
from elcrec.data.visitor_features import encoded_rows
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError

QUICK = settings(max_examples=150, deadline=None, derandomize=True)
USERS = 7
TEXTS = ["DE", "FR", "a|b", "Österreich", "中国", " x", "True", "FALSE", "NaN", "None", "-", "1", "007", "1.0", "1.5"]
TEXTS += ["Salt &amp; pepper", "Salt & pepper", "a&#124;b", "&lt; 5", "&amp;amp;", "B&nbsp;", "&#55;"]
TEXTS += ["Caf\u00e9", "Cafe\u0301", "Caf&eacute;", "\u212b", "\u00c5"]
PROSE = [
    "likes cheese and red wine",
    "running in the city park",
    "likes 東京 and red wine",
    "cheese | wine | a city park",
    "likes salt &amp; red wine",
    "r&eacute;d wine in the city &#124; park",
]
DATES = ["2020-01-02", "2021-05-06 07:08", "2020-01-02T12:00:00+02:00", "31-Jan-2024", "01/02/2020", "soon"]
VECTOR = st.lists(st.floats(-9, 9, width=32).filter(lambda value: value % 1 != 0), min_size=8, max_size=8)
MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(2050, 1, 1)).map(lambda moment: moment.replace(microsecond=0))
CELLS: list[st.SearchStrategy[Any]] = [
    st.sampled_from(TEXTS),
    st.sampled_from(PROSE),
    st.sampled_from(DATES),
    st.sampled_from(["0", "1", "7", "-3", "+5", "1e3", "2.0", "3.", "1e400", "nan", "-inf"]),
    VECTOR.map(lambda vector: "|".join(map(repr, vector))),
]
VALUES: list[st.SearchStrategy[Any]] = [
    *CELLS,
    st.booleans(),
    st.integers(-5, 5),
    st.floats(),
    st.dates(date(1950, 1, 1), date(2050, 1, 1)),
    MOMENTS,
    MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)),
    st.lists(st.sampled_from(["a", "b|c", "d e", "1"]), max_size=3),
    st.lists(st.integers(0, 3), max_size=3),
    VECTOR,
    st.binary(max_size=2),
    st.timedeltas(timedelta(0), timedelta(9)),
    st.times(),
    st.fixed_dictionaries({"a": st.integers(0, 2)}),
    st.none(),
]
NAMES = st.sampled_from(["country", "seller_id", "Type", "value", "row", "*", "feature:x", "ü", "literal"])
WRITTEN, TYPED = (
    st.dictionaries(
        NAMES,
        st.sampled_from(kinds).flatmap(lambda kind: st.lists(st.none() | kind, min_size=USERS, max_size=USERS)),
        min_size=1,
        max_size=3,
    )
    for kinds in (CELLS, VALUES)
)


def rows_of(features: Features) -> list[Any]:
    return [[part.tolist() for part in features.at(torch.tensor([row]))] for row in range(features.n_rows)]


def check(source: Any, told: dict[str, list[Any]]) -> None:
    """Users of a file have what a visitor has who tells the same, alone or next to others; it survives a run."""
    try:
        table = UserTable.read(source)
    except DataError:
        return
    users = Vocabulary.of(pl.Series("user_id", range(USERS)).cast(pl.String))
    table = UserTable.from_table(table.table()).matched(users.ids)
    space = FeatureSpace.of(table.features).without(())
    if space is None:
        return
    assert FeatureSpace.model_validate_json(space.model_dump_json()) == space
    names = [column.name for column in space.columns]
    requests = [{name: told[name][row] for name in names if told[name][row] is not None} for row in range(USERS)]
    known = rows_of(table.encoded(space, users))
    assert rows_of(encoded_rows(requests, space)) == known
    assert [rows_of(encoded_rows([request], space))[0] for request in requests] == known


@QUICK
@given(TYPED)
def test_visitors_who_tell_what_a_table_says_are_as_its_users(columns: dict[str, list[Any]]) -> None:
    frame = pl.DataFrame({"user_id": [str(row) for row in range(USERS)], **columns})
    check(frame, columns)


@QUICK
@given(WRITTEN)
def test_visitors_who_tell_what_a_text_file_says_are_as_its_users(columns: dict[str, list[str | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "users.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["user_id", *columns])
            table.writerows(zip(map(str, range(USERS)), *columns.values(), strict=True))
        check(path, columns)


@pytest.mark.parametrize("read", [UserTable.read, Catalogue.read])
def test_a_name_that_stands_for_other_columns_is_refused(read: Callable[[Any], Any]) -> None:
    frame = pl.DataFrame({"user_id": ["a", "b"], "item_id": ["c", "d"], "^c.*$": ["x", "y"]})
    with pytest.raises(DataError, match="rename it"):
        read(frame)
