"""Newer tables of items and users over older ones: each value is the newer one where its column was given."""

import re
from contextlib import nullcontext
from datetime import UTC, date, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from elcrec import ELCRec
from elcrec.data import described
from elcrec.data.catalogue import Catalogue
from elcrec.data.features import FeatureSpace
from elcrec.data.user_table import UserTable
from elcrec.errors import DataError
from elcrec.process.wording import on_command_line

VECTORS = [[row + place + 0.5 for place in range(8)] for row in range(8)]
OLDER: dict[str, list[Any]] = {
    "id": ["1", "2", "3", "4", "5"],
    "title": ["Tea", "Mug", None, "Pot", "Tent"],
    "kind": ["a|b", "b", "c", None, "a"],
    "brand": ["x", "b", None, "y", "x"],
    "price": [1.5, 2.5, None, 4.5, 5.5],
    "vector": [*VECTORS[:3], None, VECTORS[3]],
    "image_url": ["https://a/1", None, "https://a/3", "https://a/4", "https://a/5"],
}
NEWER: dict[str, list[Any]] = {
    "id": ["6", "4", "2", "1"],
    "title": ["Bag", "Jug", None, "Chai"],
    "kind": ["d", None, "b|d", "c"],
    "brand": [None, "z", "c", None],
    "price": [6.5, None, 7.5, 0.5],
    "vector": [VECTORS[4], VECTORS[5], None, VECTORS[6]],
    "image_url": ["https://b/6", None, "https://b/2", None],
}
COLUMNS = [name for name in OLDER if name != "id"]
HEADERS = ["Nummer{0}Bezeichnung{0}Warengruppe", "sku-nr{0}Label{0}", "Nummer{0}Gruppe{0}Gruppe", "{0}Label{0}Kind"]
"""Headers without a usual name of ids."""
ENDINGS = {".csv": ",", "_semicolons.csv": ";", ".tsv": "\t", ".txt": "|", "_tabs.dat": "\t"}
SOME = [some for size in range(1, len(COLUMNS) + 1) for some in combinations(COLUMNS, size)]


def by_hand(some: tuple[str, ...], emptied: str | None) -> pl.DataFrame:
    """The rows of both tables: each value is the newer one where the id and the column are in the newer table."""
    rows = {row["id"]: dict(row) for row in pl.DataFrame(OLDER).to_dicts()}
    for row in pl.DataFrame(NEWER).to_dicts():
        old = rows.get(row["id"], dict.fromkeys(OLDER))
        newer = {name: None if name == emptied else row[name] for name in some}
        rows[row["id"]] = {**old, **newer, "id": row["id"]}
    return pl.DataFrame(list(rows.values()), schema=pl.DataFrame(OLDER).schema)


def newer_table(some: tuple[str, ...], emptied: str | None) -> pl.DataFrame:
    table = pl.DataFrame(NEWER).select("id", *some)
    return table if emptied is None else table.with_columns(pl.lit(None, table[emptied].dtype).alias(emptied))


def as_rows(table: pl.DataFrame) -> list[dict[str, Any]]:
    """What is told, by id: attributes in any order, nothing unknown, columns in any order."""
    rows = table.sort(table.columns[0]).to_dicts()
    for row in rows:
        row["attributes"] = sorted(row.get("attributes") or [])
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


@pytest.mark.parametrize("some", SOME, ids="+".join)
@pytest.mark.parametrize("empty", [False, True])
def test_a_newer_catalogue_counts_as_far_as_it_goes(some: tuple[str, ...], empty: bool) -> None:
    emptied = some[0] if empty else None
    if emptied and len(some) == 1:
        return  # a file that says nothing is refused
    older = Catalogue.read(pl.DataFrame(OLDER).rename({"id": "item_id"}))
    newer = Catalogue.read(newer_table(some, emptied).rename({"id": "item_id"}))
    expected = Catalogue.read(by_hand(some, emptied).rename({"id": "item_id"}))
    for one in (older, Catalogue.from_table(older.table())):
        assert as_rows(newer.over(one).table()) == as_rows(expected.table())


@pytest.mark.parametrize("some", [some for some in SOME if not {"title", "image_url"} & {*some}], ids="+".join)
@pytest.mark.parametrize("empty", [False, True])
def test_a_newer_user_table_counts_as_far_as_it_goes(some: tuple[str, ...], empty: bool) -> None:
    emptied = some[0] if empty else None
    if emptied and len(some) == 1:
        return
    names = {"id": "user_id"}
    older = UserTable.read(pl.DataFrame(OLDER).drop("title", "image_url").rename(names))
    newer = UserTable.read(newer_table(some, emptied).rename(names))
    expected = UserTable.read(by_hand(some, emptied).drop("title", "image_url").rename(names))
    assert as_rows(newer.over(older).table()) == as_rows(expected.table())


def test_a_file_of_text_keeps_what_it_lacks_as_well(tmp_path: Path) -> None:
    older, newer = tmp_path / "older.csv", tmp_path / "newer.csv"
    older.write_text("item_id,title,kind,brand,price\n1,Tea,a|b,x,1.5\n2,Mug,b,y,2.5\n3,Pot,c,x,\n")
    newer.write_text("item_id,kind,price\n1,c,\n2,,9.5\n")
    both = Catalogue.read(newer).over(Catalogue.read(older))
    assert both.titles() == {"1": "Tea", "2": "Mug", "3": "Pot"}
    assert both.frame["attributes"].to_list() == [["c", "x"], ["y"], ["c", "x"]]
    assert both.features["price"].to_list() == [None, 9.5, None]


def test_features_of_titles_stay_where_another_column_holds_the_titles() -> None:
    older = Catalogue.read(pl.DataFrame({"item_id": [1, 2], "title": ["green tea", "red mug"], "kind": ["a", "b"]}))
    newer = Catalogue.read(pl.DataFrame({"item_id": [1], "name": ["black tea"]}))
    both = newer.over(older)
    assert both.titles() == {"1": "black tea", "2": "red mug"}
    assert both.features["title"].to_list() == ["green tea", "red mug"]


def test_a_column_that_the_run_keeps_is_not_new() -> None:
    """Runs of earlier versions do not say why they learned nothing from some columns."""
    older = Catalogue.read(pl.DataFrame({"item_id": range(6), "kind": list("aaabbb"), "sku": list("uvwxyz")}))
    space = FeatureSpace.of(older.features.select("kind")).without(())
    newer = Catalogue.read(pl.DataFrame({"item_id": [7], "kind": ["a"], "sku": ["q"], "brand": ["x"]}))
    [note] = newer.notes_over(older, space)
    assert "'brand'" in note
    assert "'sku'" not in note


def test_attributes_of_unknown_columns_stay() -> None:
    """Runs that kept no features, of earlier versions."""
    older = Catalogue(Catalogue.read(pl.DataFrame({"item_id": [1], "kind": ["a|b"], "title": ["Tea"]})).frame)
    newer = Catalogue.read(pl.DataFrame({"item_id": [1, 2], "price": [1.5, 2.5]}))
    assert newer.over(older).frame["attributes"].to_list() == [["a", "b"], []]
    assert newer.over(older).titles() == {"1": "Tea"}


@pytest.mark.parametrize("kind", ["item", "user"])
def test_single_values_of_another_kind_are_counted_and_shown(kind: str) -> None:
    def table(prices: list[Any]) -> Catalogue | UserTable:
        frame = pl.DataFrame(
            {f"{kind}_id": [*range(7, 7 + len(prices))], "price": prices, "shelf": ["a"] * len(prices)}
        )
        return Catalogue.read(frame) if kind == "item" else UserTable.read(frame)

    def notes(newer: Catalogue | UserTable, older: Catalogue | UserTable) -> list[str]:
        return newer.as_in(older)[1]  # type: ignore[arg-type]

    older = table([1.5, 2.5, 3.5, 4.5])
    [note] = notes(table(["1.5", "cheap", None, "dear"]), older)
    assert f"of another kind than in the {kind}s of the model, and count as unknown" in note
    assert f"2 of 3 values of 'price' ('cheap' of {kind} 8)" in note
    assert notes(table(["1.5", "2", None, "3"]), older) == []
    whole = table(["cheap", "dear"])
    with pytest.raises(DataError, match="'price' is of another kind"):
        whole.over(older)  # type: ignore[arg-type]


def test_a_model_keeps_all_rows_whose_ids_it_can_hold() -> None:
    table = pl.DataFrame({"item_id": ["3", "x", "007", "1", "9"], "title": ["three", "no id", "no 7", "one", "nine"]})
    kept = described.known_to(table, pl.Series("item_id", [1, 2, 3], dtype=pl.Int64))
    assert kept.rows() == [(1, "one"), (3, "three"), (9, "nine")]
    assert described.known_to(kept, pl.Series("item_id", [1, 2, 3], dtype=pl.Int64)).equals(kept)
    of_text = described.known_to(table, pl.Series("item_id", ["9", "x"]))
    assert of_text["title"].to_list() == ["nine", "no id", "three", "no 7", "one"]


def read(kind: str, source: Any, log_column: str | None = None) -> Catalogue | UserTable:
    return (Catalogue if kind == "item" else UserTable).read(source, log_column=log_column)


def refusal(kind: str, source: Any) -> str:
    with pytest.raises(DataError) as caught, on_command_line():
        read(kind, source)
    for option in ("--columns", "_column=", "--format", "missing="):
        assert option not in str(caught.value), "logs have this option, and not files that describe"
    return str(caught.value)


@pytest.mark.parametrize("kind", ["item", "user"])
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("last", ["Getränke", "7", "12.5"])
def test_a_header_without_ids_is_answered_with_the_name_of_ids(
    kind: str, ending: str, header: str, last: str, tmp_path: Path
) -> None:
    separator = ENDINGS[ending]
    rows = [header.format(separator), *(separator.join([f"A{row}", f"Ding {row}", last]) for row in range(3))]
    (tmp_path / f"table{ending}").write_text("\n".join(rows), encoding="utf-8")
    message = refusal(kind, tmp_path / f"table{ending}")
    assert re.fullmatch(f"no {kind}_id column: the {kind} data has '.*; name it {kind}_id", message), message


@pytest.mark.parametrize("kind", ["item", "user"])
@pytest.mark.parametrize(
    "row", ["7,Tea,Food", "A1,Tea,1.5", "A1,2024-01-31,Food", "7 8 9", "1,2"], ids=lambda row: row.replace(",", ";")
)
@pytest.mark.parametrize("ending", [".csv", ".txt"])
def test_a_file_without_a_header_is_told_to_have_one(kind: str, row: str, ending: str, tmp_path: Path) -> None:
    (tmp_path / f"table{ending}").write_text(f"{row}\n{row}\n")
    message = refusal(kind, tmp_path / f"table{ending}")
    assert (
        f"line 1 holds values and no names of columns: write a line with the names of its {len(re.split('[ ,]', row))} "
        in message
    )
    assert message.endswith(f"above it, and name the ids {kind}_id")


@pytest.mark.parametrize("kind", ["item", "user"])
@pytest.mark.parametrize("form", ["csv", "frame"])
@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["Nummer", "Bezeichnung"], "Nummer"),
        (["Bezeichnung", "Nummer"], "Nummer"),
        (["Nummer", "product", "member"], "Nummer"),  # a usual name that is another column here
        (["Nummer", "{kind}_id"], "{kind}_id"),
        (["2023", "{kind}_id"], "{kind}_id"),
        (["2023", "Nummer"], "Nummer"),
        (["{KIND} ID", "Nummer"], "{KIND} ID"),
    ],
)
def test_the_column_of_the_log_tells_ids_where_none_is_called_so(
    kind: str, form: str, names: list[str], chosen: str, tmp_path: Path
) -> None:
    names = [name.format(kind=kind, KIND=kind.upper()) for name in names]
    rows = [[f"{name} {row}" for name in names] for row in range(3)]
    source: Any = pl.DataFrame(rows, schema=names, orient="row")
    expected = source[chosen.format(kind=kind, KIND=kind.upper())].to_list()
    if form == "csv":
        source.write_csv(tmp_path / "table.csv", separator=";")
        source = tmp_path / "table.csv"
    assert read(kind, source, "Nummer").table()[f"{kind}_id"].to_list() == expected


def test_a_model_takes_items_and_users_by_the_columns_of_its_log(tmp_path: Path) -> None:
    """Whichever way they come to it."""
    items, users = tmp_path / "items.csv", tmp_path / "users.csv"
    items.write_text(
        "Artikel;Bezeichnung;Gruppe\n" + "".join(f"A{item};Ding {item};g{item % 3}\n" for item in range(9))
    )
    users.write_text("Kunde;Land\n" + "".join(f"K{user};l{user % 2}\n" for user in range(30)))
    rows = [(f"K{user}", f"A{(user * step) % 9}", step) for user in range(30) for step in range(1, 7)]
    log = pl.DataFrame(rows, schema=["Kunde", "Artikel", "Zeit"], orient="row")
    small = {"epochs": 1, "embedding_dim": 8, "n_intents": 2, "max_seq_len": 5, "threads": 1}
    columns = {"user_column": "Kunde", "item_column": "Artikel", "timestamp_column": "Zeit"}
    model = ELCRec(**small, **columns).fit(log, items=items, users=users, progress=False)  # type: ignore[arg-type]
    assert len(model.catalogue) == 9  # type: ignore[arg-type]
    assert len(model.fitted.dataset.user_table) == 30  # type: ignore[arg-type]
    bare = ELCRec(**small, **columns).fit(log, progress=False)  # type: ignore[arg-type]
    bare.describe_items(items)
    assert len(bare.catalogue) == 9  # type: ignore[arg-type]
    assert bare.intent_quality(items)["split"] == "test"
    later = log.with_columns(pl.col("Zeit") + 10)
    assert len(model.partial_fit(later, items=items, users=users, progress=False).catalogue) == 9  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [Catalogue, UserTable])
@pytest.mark.parametrize(
    ("n_known", "rows", "few"), [(1, 100, True), (4, 1000, True), (5, 1000, False), (1, 10, False)]
)
def test_a_file_of_another_log_is_told_and_one_of_items_is_refused(
    kind: type[Catalogue] | type[UserTable], n_known: int, rows: int, few: bool
) -> None:
    role = "item_id" if kind is Catalogue else "user_id"
    noun, ids = role.removesuffix("_id"), pl.Series(range(100))
    frame = pl.DataFrame({role: [*range(n_known), *range(1000, 1000 + rows - n_known)]})
    table = kind.read(frame.with_columns(label=pl.lit("x")))
    note = table.few_note(ids)
    if few:
        assert note == (
            f"the {noun} file describes only {n_known} of the model's 100 {noun}s, and has {rows:,} (it has ids like "
            f"1000, the model like {n_known})"
        )
    else:
        assert note is None
    if isinstance(table, Catalogue):
        other = "it belongs to other items; give the file of this log"
        with pytest.raises(DataError, match=re.escape(f"{note}: {other}")) if few else nullcontext():
            table.refuse_others(ids)


@pytest.mark.parametrize("kind", [Catalogue, UserTable])
@pytest.mark.parametrize("n_known", [0, 1])
def test_ids_that_differ_in_capitals_are_shown_side_by_side(
    kind: type[Catalogue] | type[UserTable], n_known: int
) -> None:
    role = "item_id" if kind is Catalogue else "user_id"
    ids = [f"person{number}@example.com" for number in range(100)]
    rows = ["NOBODY@EXAMPLE.COM", *(one if number < n_known else one.upper() for number, one in enumerate(ids))]
    table = kind.read(pl.DataFrame({role: rows, "label": "x"}))
    unlike = f"it has ids like {ids[n_known].upper()!r}, the model like {ids[n_known]!r}"
    if n_known == 0:
        with pytest.raises(DataError, match=re.escape(unlike)):
            table.few_note(pl.Series(ids))
    else:
        assert unlike in (table.few_note(pl.Series(ids)) or "")


PROSE = ["a tent for two in rain", "a mug for tea at work", "one pot for a large kitchen", "the bag that holds it all"]
OF_KIND: dict[str, tuple[list[Any], str]] = {
    "numbers": ([1.25, 2.5, 3.5, 4.5], "1.25"),
    "categories": (["a|b", "b", "a", "b"], "'a|b'"),
    "text": (PROSE, repr(PROSE[0])),
    "vectors": (VECTORS[:4], "[0.5, 1.5"),
}


@pytest.mark.parametrize("kind", ["item", "user"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (date(2021, 1, 1), "2021-01-01"),
        (datetime(2021, 1, 1), "2021-01-01"),
        (datetime(2021, 1, 1, 6, tzinfo=UTC), "2021-01-01 06:00:00"),
        ("1 Jan 2021", "'1 Jan 2021'"),
        (["much", "more"], "'much|more'"),
        ("x" * 99, "'" + "x" * 50),
    ],
)
def test_messages_show_values_as_files_write_them(value: Any, said: str, kind: str) -> None:
    def table(values: list[Any]) -> Catalogue | UserTable:
        frame = pl.DataFrame({f"{kind}_id": range(3), "seen": values, "shelf": ["a", "b", "c"]})
        return Catalogue.read(frame) if kind == "item" else UserTable.read(frame)

    vectors = table([[row + 0.5] * 8 for row in range(3)])
    with pytest.raises(DataError) as error:
        table([value] * 3).as_in(vectors)  # type: ignore[arg-type]
    assert f", such as {said}" in str(error.value)
    assert f" of {kind} '0')" in str(error.value)
    assert "datetime" not in str(error.value)


@pytest.mark.parametrize("table", [Catalogue, UserTable])
@pytest.mark.parametrize(
    ("there", "here"),
    [
        (a, b)
        for a in OF_KIND
        for b in OF_KIND
        if a != b and {a, b} != {"categories", "text"} and (a, b) != ("categories", "numbers")
    ],
)
def test_both_kinds_of_a_column_are_said(table: type[Catalogue] | type[UserTable], there: str, here: str) -> None:
    role = "item_id" if table is Catalogue else "user_id"
    kind = role.removesuffix("_id")
    older, newer = (
        table.read(pl.DataFrame({role: [1, 2, 3, 4], "price": OF_KIND[name][0], "note": ["x", "y", "x", "y"]}))
        for name in (there, here)
    )
    said = f"({there} there, {here} here, such as {OF_KIND[here][1]}"
    with pytest.raises(DataError, match=f"'price' is of another kind .*{re.escape(said)}.* of {kind} '1'.: write it"):
        newer.over(older)  # type: ignore[arg-type]
