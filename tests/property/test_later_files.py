"""Files of items or users that come after a training: their values are read as those of the training were."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from cli_runner import SMALL
from elcrec import ELCRec
from elcrec.data.catalogue import Catalogue
from elcrec.data.features import FeatureSpace
from elcrec.data.user_table import UserTable
from elcrec.data.visitor_features import encoded_rows
from elcrec.errors import DataError, DataWarning

ROWS = 24
WHOLE, FRACTIONS = [0.0, 1.0, *[0.0] * 6], [row / 8 + 0.5 for row in range(8)]
SCALARS: dict[str, list[Any]] = {
    "continent": ["EU", "AS", "NA", "AF"],
    "made": ["yes", "no", "NA", "maybe"],
    "size": ["S", "M", "7", "7.5"],
    "version": ["1.0", "2.0", "1", "beta"],
    "sold": ["True", "False", "maybe"],
    "on_sale": [True, False],
    "zip": ["01234", "12345", "23456"],
    "brand_id": [7, 12, None],
    "seller_id": ["7", "12", "x1"],
    "price": [1.5, 2, 3.25, 4],
    "cost": ["$1,249.00", "$2.50", "$3"],
    "asked": ["$1,249.00", "call us", "12.50", "7"],
    "price_paid": [10, 20, 30],
    "released": ["2020-01-02", "2021-05-06", "2022-07-08 09:10", "31-Jan-2024"],
    "planned": ["2020-01-02", "soon", "2021-05-06"],
    "zoned": ["2020-01-02", "2020-01-02T12:00:00Z", "2020-01-02T12:00:00+02:00"],
    "shelf": ["Home>Garden", "Home", "Toys>Cars", "Toys"],
    "section": ["Home > Garden", "A>B", "Home", "C", "D"],
    "tags": ["red|blue", "NA|red", "7|8", "9"],
    "about": ["a red hat of wool", "1984", "the blue coat is warm and long", "7 | 8", "one more text of words"],
    "embedding": [str(FRACTIONS), str(WHOLE), "0|0|0|0|0|0|0|1", "[" + "0.25 " * 8 + "]"],
    "title": ["NA", "red hat", "red coat", "1984"],
}
LISTS: dict[str, list[Any]] = {
    "vector": [FRACTIONS, WHOLE, [0.0] * 8, [0.25] * 8],
    "sizes": [[1.0], [1.0, 2.5], [2.0]],
    "rooms": [[1], [2, 3], []],
    "where": [["NA"], ["EU", "AS"], ["AF"]],
    "since": [date(2020, 1, 2), date(2021, 3, 4), None],
    "at": [datetime(2020, 1, 2, tzinfo=UTC), datetime(2021, 3, 4, tzinfo=UTC)],
}


def table_of(rows: dict[str, list[Any]], role: str, folder: Path, form: str) -> Catalogue | UserTable:
    """A file or a frame; the type of a column is that of the values at hand."""
    frame = pl.DataFrame({name: pl.Series(values, strict=False) for name, values in rows.items()})
    source: Any = frame
    if form == "csv":
        source = folder / "rows.csv"
        frame.write_csv(source)
    return Catalogue.read(source) if role == "item_id" else UserTable.read(source)


def encoded(space: FeatureSpace, table: Catalogue | UserTable, rows: list[int]) -> list[Any]:
    found = space.encode(table.features[rows], np.arange(len(rows)), len(rows))
    return [part.tolist() for part in found]


FORMS = [("csv", "csv"), ("frame", "frame"), ("csv", "frame"), ("frame", "csv")]
SOME = [[0], [1], [2], [3], [1, 0], [23, 5, 10]]


@pytest.mark.parametrize("forms", FORMS, ids="-".join)
@pytest.mark.parametrize("role", ["item_id", "user_id"])
def test_rows_of_the_training_have_its_features(role: str, forms: tuple[str, str], tmp_path: Path) -> None:
    """Whichever of them a later file holds, and however few."""
    columns = SCALARS if "csv" in forms else {**SCALARS, **LISTS}
    whole = {role: [f"i{row}" for row in range(ROWS)]}
    whole |= {name: [values[row % len(values)] for row in range(ROWS)] for name, values in columns.items()}
    older = table_of(whole, role, tmp_path, forms[0])
    space = FeatureSpace.of(older.features)
    for some in SOME:
        rows = {name: [values[row] for row in some] for name, values in whole.items()}
        again = table_of(rows, role, tmp_path, forms[1])
        newer = again.over(older)  # type: ignore[arg-type]
        assert again.as_in(older)[1] == []  # type: ignore[arg-type]
        assert encoded(space, newer, [*range(len(some))]) == encoded(space, older, some)
        if isinstance(newer, Catalogue) and isinstance(older, Catalogue):
            told = [set(texts) for texts in newer.frame["attributes"]]
            assert told[: len(some)] == [set(older.frame["attributes"][row]) for row in some]


LATER = [
    "7.5",
    "8.5",
    "7",
    "7.0",
    "3.0",
    "S",
    "new",
    "2021-05-31",
    "soon",
    "$9",
    "NA",
    "True",
    "1e3",
    "007",
    "a|b",
    "9|8",
]
LATER += [str(FRACTIONS), "[" + "0.5 " * 8 + "]", "one more blue hat of wool"]
TYPED: list[list[Any]] = [[8.5, 7.0], [7.0, 8.0], [7, 12], [True, False], [123456789.0, 0.5], [date(2021, 5, 31)] * 2]


def known_items(folder: Path, form: str) -> Catalogue:
    columns = {**SCALARS, "sizes": ["S", "M", "7", "8.5"], "year": [1990, 1991, 1995], "stamp": [1.5e9, 1.6e9, -4e8]}
    rows = {name: [values[row % len(values)] for row in range(ROWS)] for name, values in columns.items()}
    return table_of({"item_id": [f"i{row}" for row in range(ROWS)], **rows}, "item_id", folder, form)  # type: ignore[return-value]


def read_later(known: Catalogue, name: str, values: list[Any], folder: Path, form: str) -> list[tuple[Any, set[str]]]:
    """The feature and the attributes of each value in a later column."""
    rows = {"item_id": [f"n{row}" for row in range(len(values))], name: values, "other": ["x"] * len(values)}
    later: Catalogue = table_of(rows, "item_id", folder, form)  # type: ignore[assignment]
    try:
        found = later.as_in(known)[0]
    except DataError:  # none is of the kind
        return [(None, set())] * len(values)
    features = found.features[name].to_list() if name in found.features else [None] * len(values)
    return [(one, {*texts} - {"x"}) for one, texts in zip(features, found.frame["attributes"], strict=True)]


@pytest.mark.parametrize("form", ["csv", "frame"])
def test_a_value_is_read_alike_whatever_else_is_in_its_file(form: str, tmp_path: Path) -> None:
    known = known_items(tmp_path, form)
    for name in known.features.columns:
        if name == "title":
            continue
        singles = [read_later(known, name, [value], tmp_path, form)[0] for value in LATER]
        for values in (LATER, LATER[:3], LATER[:6], LATER[5:9]):
            read = read_later(known, name, values, tmp_path, form)
            assert read == [singles[LATER.index(value)] for value in values], name


@pytest.mark.parametrize("first", ["csv", "frame"])
def test_a_later_frame_and_the_csv_of_it_are_read_alike(first: str, tmp_path: Path) -> None:
    known = known_items(tmp_path, first)
    for name in known.features.columns:
        for values in [*TYPED, LATER] if name != "title" else []:
            read = [read_later(known, name, values, tmp_path, form) for form in ("csv", "frame")]
            assert read[0] == read[1], (name, values)


def test_a_text_is_a_category_where_the_training_had_some(tmp_path: Path) -> None:
    known = known_items(tmp_path, "csv")
    for values in (["7.5"], ["7.5", "S"], ["7.5", "8.5"], ["2021-05-31"], ["3.0"]):
        text = values[0].removesuffix(".0")
        assert read_later(known, "sizes", values, tmp_path, "csv")[0] == ([text], {text})
    assert read_later(known, "version", ["3.0"], tmp_path, "csv") == [(["3.0"], {"3.0"})]  # next to 1.0 and 2.0


@pytest.mark.parametrize("numbers", [[2021, 2020], [1590000000000, 1600000000000]])
@pytest.mark.parametrize("form", ["csv", "frame"])
def test_numbers_for_dates_are_refused_and_one_bad_date_is_told(form: str, numbers: list[int], tmp_path: Path) -> None:
    def items(released: list[Any]) -> Catalogue:
        rows = {"item_id": [f"i{row}" for row in range(len(released))], "released": released}
        return table_of({**rows, "kind": ["a"] * len(released)}, "item_id", tmp_path, form)  # type: ignore[return-value]

    older = items([f"20{10 + row}-01-02" for row in range(12)])
    with pytest.raises(DataError, match=r"dates there, numbers here, such as .*write dates, like 2021-05-31"):
        items(numbers).as_in(older)
    newer = items(["2021-05-05", "2021-06-05", "soon"])
    assert newer.over(older).features["released"][:3].to_list() == [datetime(2021, 5, 5), datetime(2021, 6, 5), None]
    [note] = newer.as_in(older)[1]
    assert "1 of 3 values of 'released' ('soon' of item 'i2')" in note


@pytest.mark.parametrize("form", ["csv", "frame"])
def test_dates_are_no_numbers_but_where_a_run_of_before_kept_dates_as_seconds(form: str, tmp_path: Path) -> None:
    known = known_items(tmp_path, form)
    rows = {"item_id": ["n1", "n2"], "other": ["x", "y"]}
    for dates in (["2021-05-31", "2021-06-01"], [date(2021, 5, 31), date(2021, 6, 1)]):
        later: Catalogue = table_of({**rows, "year": dates}, "item_id", tmp_path, form)  # type: ignore[assignment]
        with pytest.raises(DataError, match=r"'year' is of another kind .*numbers there, dates here"):
            later.as_in(known)
    mixed: Catalogue = table_of({**rows, "year": ["2021-05-31", "2001"]}, "item_id", tmp_path, form)  # type: ignore[assignment]
    found, [note] = mixed.as_in(known)
    assert found.features["year"].to_list() == [None, 2001]
    assert "1 of 2 values of 'year'" in note
    read = read_later(known, "stamp", ["2021-05-31", "1622505600"], tmp_path, form)
    assert read == [(1622419200, set()), (1622505600, set())]


def test_what_a_visitor_tells_is_a_date_only_where_the_training_had_dates() -> None:
    rows = {"item_id": [*range(24)], "at": [date(2000 + row, 1, 2) for row in range(24)], "year": [*range(1990, 2014)]}
    items = Catalogue.read(pl.DataFrame({**rows, "stamp": [1.5e9 + 1e6 * row for row in range(24)]}))
    space = FeatureSpace.of(items.features)
    for name, told in (("at", date(2010, 1, 2)), ("at", "2010-01-02"), ("year", 2010), ("stamp", "2019-05-31")):
        assert encoded_rows([{name: told}], space).known().all(), name
    for name, told in (("at", 2010), ("at", "1590000000"), ("year", "2010-01-02"), ("year", date(2010, 1, 2))):
        assert not encoded_rows([{name: told}], space).known().any(), name


def test_features_of_runs_before_do_not_say_that_they_are_of_dates() -> None:
    items = Catalogue.read(pl.DataFrame({"item_id": range(24), "at": [date(2000 + row, 1, 2) for row in range(24)]}))
    kept = FeatureSpace.of(items.features)
    assert kept.columns[0].moments  # type: ignore[union-attr]
    before = kept.model_dump()
    del before["columns"][0]["moments"]
    older = Catalogue(items.frame, items.features.with_columns(pl.col("at").dt.epoch("s").cast(pl.Float64)))
    again = encoded(FeatureSpace.model_validate(before), items.over(older), [*range(24)])
    assert again == encoded(kept, items, [*range(24)])


def test_added_items_without_a_value_where_known_ones_have_one_of_another_kind() -> None:
    events = [(f"u{user}", f"i{(4 * user + 7 * at) % 40}", at) for user in range(60) for at in range(10)]
    log = pl.DataFrame(events, schema=["user_id", "item_id", "timestamp"], orient="row")
    sizes = ["S", "M", "L", "XL"] * 10
    items = pl.DataFrame({"item_id": [f"i{row}" for row in range(40)], "size": sizes, "cat": sizes})
    model = ELCRec(seed=1, baselines=False, **{**SMALL, "epochs": 1}).fit(log, items=items, progress=False)
    new = pl.DataFrame({"item_id": ["i0", "new"], "cat": ["S", "M"], "size": [7, None]})
    with pytest.raises(DataError, match="'size' is of another kind"):
        model.add_items(new.with_columns(size=pl.Series([FRACTIONS, None])))
    with pytest.warns(DataWarning, match="left unchanged"):
        model.add_items(new)
    assert model.items.ids[-1] == "new"


def test_metadata_that_replace_those_of_a_model_keep_the_kinds_that_it_has_learned() -> None:
    events = [(f"u{user}", f"i{(4 * user + 7 * at) % 40}", at) for user in range(60) for at in range(10)]
    log = pl.DataFrame(events, schema=["user_id", "item_id", "timestamp"], orient="row")
    items = pl.DataFrame({"item_id": [f"i{row}" for row in range(40)], "size": ["S", "M", "7", "8"] * 10})
    model = ELCRec(seed=1, baselines=False, **{**SMALL, "epochs": 1}).fit(log, items=items, progress=False)
    model.describe_items(items.with_columns(size=pl.lit(7), price=pl.int_range(40)))
    whole = model.fitted.dataset.whole_catalogue
    assert whole is not None
    assert whole.features["size"].to_list() == [["7"]] * 40
    assert whole.features["price"].dtype == pl.Float64
    with pytest.raises(DataError, match="'size' is of another kind"):
        model.describe_items(items.with_columns(size=pl.Series([FRACTIONS] * 40)))
    model.add_items(pl.DataFrame({"item_id": ["n1", "n2"], "size": ["S", "M"]}))
    assert [*model.items.ids[-2:]] == ["n1", "n2"]
