"""Descriptions of items: what is read from which form, what is refused, and which attribute stands for an item."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from elcrec.data.catalogue import Catalogue
from elcrec.errors import DataError
from elcrec.storage import write_frame

ROWS = [("i2", "Moka Pot", ["coffee", "steel"]), ("i10", None, ["coffee"]), ("i1", "Tent", [])]
LISTED = pl.DataFrame(
    ROWS, schema={"item_id": pl.String, "title": pl.String, "category": pl.List(pl.String)}, orient="row"
)
JOINED = LISTED.with_columns(pl.col("category").list.join("|"))


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def csv(folder: Path) -> Path:
    JOINED.write_csv(folder / "items.csv")
    return folder / "items.csv"


def recbole(folder: Path) -> Path:
    named = JOINED.rename({"item_id": "item_id:token", "title": "title:token_seq", "category": "category:token"})
    named.write_csv(folder / "shop.item", separator="\t")
    return folder / "shop.item"


def parquet(folder: Path) -> Path:
    LISTED.write_parquet(folder / "items.parquet")
    return folder / "items.parquet"


def jsonl(folder: Path) -> str:
    LISTED.write_ndjson(folder / "items.jsonl")
    return str(folder / "items.jsonl")


def json_columns(folder: Path) -> Path:
    document = {item: {"title": title, "category": category} for item, title, category in ROWS}
    return write(folder / "items.json", json.dumps(document))


def pandas(folder: Path) -> pd.DataFrame:
    columns = zip(*ROWS, strict=True)
    return pd.DataFrame(dict(zip(LISTED.columns, map(list, columns), strict=True)))


def pandas_joined(folder: Path) -> pd.DataFrame:
    return JOINED.to_pandas()


def arrow(folder: Path) -> pa.Table:
    return LISTED.to_arrow()


def lazy(folder: Path) -> pl.LazyFrame:
    return JOINED.lazy()


SOURCES = [csv, recbole, parquet, jsonl, json_columns, pandas, pandas_joined, arrow, lazy]


def items(**columns: Any) -> Catalogue:
    return Catalogue.read(pl.DataFrame(columns))


def attributes(**columns: Any) -> list[list[str]]:
    return items(item_id=list(range(len(next(iter(columns.values()))))), **columns).frame["attributes"].to_list()


def refusal(source: Any, **asked: Any) -> str:
    with pytest.raises(DataError) as caught:
        Catalogue.read(source, **asked)
    message = str(caught.value)
    assert message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("make", SOURCES)
def test_every_form_gives_the_same_catalogue(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    catalogue = Catalogue.read(make(tmp_path))
    assert catalogue.frame.schema == {"item_id": pl.String, "title": pl.String, "attributes": pl.List(pl.String)}
    assert catalogue.frame.rows() == ROWS
    assert len(catalogue) == 3
    assert catalogue.titles() == {"i2": "Moka Pot", "i1": "Tent"}
    assert catalogue.pairs().rows() == [("i2", "coffee"), ("i2", "steel"), ("i10", "coffee")]


@pytest.mark.parametrize("make", SOURCES)
def test_what_is_written_is_read_again(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    catalogue = Catalogue.read(make(tmp_path))
    write_frame(tmp_path / "kept.parquet", catalogue.frame)
    for again in (Catalogue.read(tmp_path / "kept.parquet"), Catalogue.read(catalogue.frame)):
        assert again.frame.equals(catalogue.frame)
    assert Catalogue.read(catalogue) is catalogue


def test_a_bar_within_a_list_survives_being_written(tmp_path: Path) -> None:
    catalogue = items(item_id=[1], tags=[["a|b", "c"]])
    write_frame(tmp_path / "kept.parquet", catalogue.frame)
    assert Catalogue.read(tmp_path / "kept.parquet").frame["attributes"].to_list() == [["a|b", "c"]]


def test_json_objects_of_numbers_texts_and_lists(tmp_path: Path) -> None:
    document = {"4": [1, 2, 1], "83": "a|b", "9": ["x", 7, None, " "], "1": 5, "0": None, "2": []}
    catalogue = Catalogue.read(write(tmp_path / "items.json", json.dumps(document)))
    assert catalogue.frame["item_id"].to_list() == list(document)
    assert catalogue.frame["attributes"].to_list() == [["1", "2"], ["a", "b"], ["x", "7"], ["5"], [], []]
    assert catalogue.titles() == {}


def test_json_objects_of_texts_alone(tmp_path: Path) -> None:
    catalogue = Catalogue.read(write(tmp_path / "items.json", '\ufeff{"a": "x", "b": "y|z"}'))
    assert catalogue.frame["attributes"].to_list() == [["x"], ["y", "z"]]


def test_json_objects_of_columns_leave_numbers_and_truth_values_out(tmp_path: Path) -> None:
    document = {"4": {"name": "T", "price": 3.5, "sold": True, "tags": ["a"]}, "5": {"tags": "b", "item_id": "5"}}
    catalogue = Catalogue.read(write(tmp_path / "items.json", json.dumps(document)))
    assert catalogue.frame.rows() == [("4", "T", ["a"]), ("5", None, ["b"])]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "items.json"),
        ("[1, 2]", "{item: [attribute, ...]}"),
        ("{}", "{item: [attribute, ...]}"),
        ('{"a": ["x"]}\n{"b": ["y"]}', ".jsonl"),
        ('{"a": ["x"], "b": ["y"], "a": []}', "'a' 2 times"),
        ('{"a": [["x"]]}', "'a' has an attribute of type list"),
        ('{"a": ["x"], "b": [true]}', "'b' has an attribute of type bool"),
        ('{"a": {"price": null}}', "nothing describes"),
        ('{"a": null}', "nothing describes"),
        ("[" * 100_000, "items.json"),
    ],
)
def test_other_json_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    assert reason in refusal(write(tmp_path / "items.json", content))


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "no.csv", tmp_path / "no.json", tmp_path):
        assert path.name in refusal(path)


@pytest.mark.parametrize("name", ["item_id", "item", "ItemID", "product_id", " movieId ", "item_id:token"])
def test_usual_item_columns_are_known(name: str) -> None:
    assert Catalogue.read(pl.DataFrame({"kind": ["a"], name: [3]})).frame.rows() == [(3, None, ["a"])]


def test_the_item_column_can_be_chosen() -> None:
    frame = pl.DataFrame({"item_id": ["x"], "sku": [7]})
    assert Catalogue.read(frame, item_column="sku").frame.rows() == [(7, None, ["x"])]
    assert "'nope'" in refusal(frame, item_column="nope")


@pytest.mark.parametrize("name", ["title", "Name", "item_name", "product_title", "title:token_seq"])
def test_usual_title_columns_are_known(name: str) -> None:
    frame = pl.DataFrame({"item_id": [1, 2, 3], name: [" Moka pot ", "", None]})
    assert Catalogue.read(frame).frame["title"].to_list() == ["Moka pot", None, None]


def test_of_two_titles_one_is_an_attribute() -> None:
    assert items(item_id=[1], name=["N"], title=["T"]).frame.rows() == [(1, "T", ["N"])]


def test_attributes_of_all_columns_are_merged_without_repeats() -> None:
    lists = [["a", None, "b", "a", " "], None]
    found = attributes(one=lists, two=["b|c||a", "nan"], three=pl.Series(["d", None], dtype=pl.Categorical))
    assert found == [["a", "b", "c", "d"], []]


@pytest.mark.parametrize(
    "column",
    [[1, 2], [1.5, None], [True, False], pd.to_datetime(["2024-01-01", None]), [{"a": "x"}, None], [[True], []]],
)
def test_what_is_neither_text_nor_a_list_is_no_attribute(column: Any) -> None:
    assert attributes(kind=["a", "b"], other=pl.Series(column)) == [["a"], ["b"]]


@pytest.mark.parametrize("column", [[{"a": "x"}, None], [[True], []], [None, None]])
def test_columns_that_tell_nothing_are_refused(column: Any) -> None:
    assert "nothing describes" in refusal(pl.DataFrame({"item_id": [1, 2], "other": pl.Series(column)}))


def features(**columns: Any) -> dict[str, pl.Series]:
    frame = pl.DataFrame({"item_id": range(len(next(iter(columns.values()))))} | columns)
    return Catalogue.read(frame).features.to_dict()


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([1, 2, None], pl.Series([1.0, 2.0, None])),
        ([1.5, float("nan"), float("inf")], pl.Series([1.5, None, None])),
        ([True, False, None], pl.Series([["true"], ["false"], None])),
        (["a|b", " ", "a|a"], pl.Series([["a", "b"], None, ["a"]])),
        ([["x", ""], [], None], pl.Series([["x"], None, None], dtype=pl.List(pl.String))),
        (pl.Series([1, None, None]).cast(pl.Date), pl.Series([86_400_000, None, None]).cast(pl.Datetime("ms"))),
        (
            ["a long text of words", "and another of them", None],
            pl.Series(["a long text of words", "and another of them", None]),
        ),
        ([[0.5] * 8, [1.0] * 8, None], pl.Series([[0.5] * 8, [1.0] * 8, None], dtype=pl.List(pl.Float32))),
    ],
)
def test_each_kind_of_column_is_a_kind_of_feature(column: Any, expected: pl.Series) -> None:
    found = features(other=column)["other"]
    assert found.dtype == expected.dtype
    assert found.to_list() == expected.to_list()


def test_whole_numbers_that_name_something_are_categories() -> None:
    found = features(category_id=[7, 12, 7], rank=[7, 12, 7])
    assert found["category_id"].to_list() == [["7"], ["12"], ["7"]]
    assert found["rank"].to_list() == [7.0, 12.0, 7.0]


def test_vectors_are_no_attributes_and_short_or_whole_lists_no_vectors() -> None:
    lists = {"vector": [[0.5] * 8, [1.5] * 8], "short": [[0.5], [1.5]], "whole": [[1.0] * 8, [2.0] * 8]}
    catalogue = Catalogue.read(pl.DataFrame({"item_id": [1, 2]} | lists))
    assert catalogue.frame["attributes"].to_list() == [["0.5", "1"], ["1.5", "2"]]
    assert catalogue.features["vector"].dtype == pl.List(pl.Float32)
    assert {catalogue.features[name].dtype for name in ("short", "whole")} == {pl.List(pl.String)}


def test_features_survive_being_a_table_and_join_those_of_older_items() -> None:
    new = Catalogue.read(pl.DataFrame({"item_id": [1, 2], "price": [1.5, 2.5], "kind": ["a", "b"]}))
    old = Catalogue.read(pl.DataFrame({"item_id": [2, 3], "kind": ["c", "d"], "title": ["x", "y"]}))
    assert Catalogue.from_table(new.table()).features.equals(new.features)
    whole = new.over(old)
    assert whole.frame["item_id"].to_list() == ["1", "2", "3"]
    assert whole.features["kind"].to_list() == [["a"], ["b"], ["d"]]
    assert whole.features["price"].to_list() == [1.5, 2.5, None]
    assert whole.matched(pl.Series([3, 1])).features["kind"].to_list() == [["d"], ["a"]]


def test_a_column_of_another_kind_than_in_the_older_items_is_refused() -> None:
    new = Catalogue.read(pl.DataFrame({"item_id": [1], "price": ["cheap"]}))
    old = Catalogue.read(pl.DataFrame({"item_id": [2], "price": [1.5]}))
    with pytest.raises(DataError, match="'price' is of another kind"):
        new.over(old)


def test_numbers_in_lists_are_attributes() -> None:
    assert attributes(kinds=[[3, 1], [], None]) == [["3", "1"], [], []]
    assert attributes(kinds=[[3.0, float("nan")], [1.0]]) == [["3"], ["1"]]
    assert attributes(kinds=[[0.5, 1.0]]) == [["0.5", "1.0"]]
    assert attributes(kinds=pl.Series([[1, 2], [3, 3]], dtype=pl.Array(pl.Int8, 2))) == [["1", "2"], ["3"]]
    assert attributes(kinds=pd.Series([np.array([1, 2]), np.array([3])])) == [["1", "2"], ["3"]]


@pytest.mark.parametrize("values", [("1.5", "2"), ("true", "False"), ("7", ""), ("", "")])
def test_plain_numbers_of_delimited_files_are_no_attributes(tmp_path: Path, values: tuple[str, str]) -> None:
    path = write(tmp_path / "items.csv", f"item_id,kind,price\n1,a,{values[0]}\n2,b,{values[1]}\n")
    assert Catalogue.read(path).frame["attributes"].to_list() == [["a"], ["b"]]


def test_numbers_among_text_are_attributes(tmp_path: Path) -> None:
    path = write(tmp_path / "items.csv", "item_id,codes\n1,12\n2,3|12\n")
    assert Catalogue.read(path).frame["attributes"].to_list() == [["12"], ["3", "12"]]
    assert attributes(code=["12", "3"]) == [["12"], ["3"]]


def test_a_title_may_be_a_number(tmp_path: Path) -> None:
    assert Catalogue.read(write(tmp_path / "items.csv", "item_id,title\n5,1984\n")).titles() == {"5": "1984"}


@pytest.mark.parametrize("ids", [[1.0, 2.0], pl.Series(["1", "2"], dtype=pl.Categorical), [1, 2], ["1", "2"]])
@pytest.mark.parametrize("known", [pl.Series([2, 1, 7]), pl.Series(["2", "1", "7"]), pl.Series([2, 1], dtype=pl.UInt8)])
def test_ids_are_matched_by_their_text(ids: Any, known: pl.Series) -> None:
    matched = items(item_id=ids, title=["one", "two"]).matched(known)
    assert matched.frame["item_id"].equals(known.head(2).alias("item_id"))
    assert matched.frame["item_id"].dtype == known.dtype
    assert list(matched.titles().values()) == ["two", "one"]


def test_matching_nothing_is_refused() -> None:
    catalogue = items(item_id=["a"], title=["one"])
    for known in (pl.Series([7, 8]), pl.Series([], dtype=pl.Int64)):
        with pytest.raises(DataError, match=r"describes none of the model's items.*'a'"):
            catalogue.matched(known)


def test_repeated_items_are_refused() -> None:
    assert "item 'b' has 3 rows" in refusal(pl.DataFrame({"item_id": ["a", "b", "b", "b"], "kind": ["x"] * 4}))


@pytest.mark.parametrize("ids", [[1, None], [1.0, float("nan")], ["a", None], ["a", " "]])
def test_missing_ids_are_refused(ids: list[Any]) -> None:
    assert "1 row has no item_id" in refusal(pl.DataFrame({"item_id": ids, "kind": ["x", "y"]}))


@pytest.mark.parametrize("ids", [[1.5, 2.0], [float("inf"), 1.0], [True, False], [[1], [2]]])
def test_ids_of_other_types_are_refused(ids: list[Any]) -> None:
    assert "integers or strings" in refusal(pl.DataFrame({"item_id": ids, "kind": ["x", "y"]}))


def test_mixed_ids_of_pandas_are_refused() -> None:
    refusal(pd.DataFrame({"item_id": pd.Series([1, "a"], dtype=object), "kind": ["x", "y"]}))


@pytest.mark.parametrize("thing", [None, 42, object(), [], pl.DataFrame({"item_id": [], "kind": []})])
def test_what_is_no_table_or_has_no_rows_is_refused(thing: Any) -> None:
    refusal(thing)


def test_a_header_alone_is_refused(tmp_path: Path) -> None:
    assert "no rows" in refusal(write(tmp_path / "items.csv", "item_id,title\n"))


def test_a_missing_item_column_is_refused_with_the_columns_there_are() -> None:
    message = refusal(pl.DataFrame({"thing": [1], "kind": ["x"]}))
    assert "'thing', 'kind'" in message
    assert "name it item_id" in message


def test_nothing_but_ids_is_refused() -> None:
    assert "add a title" in refusal(pl.DataFrame({"item_id": [1]}))


def test_main_attribute_by_hand() -> None:
    # Of ten items: all 6, big 4, mid2 and mid10 3 each, rare 1.
    lists = [
        *(["all", "big", "mid10", "mid2"], ["all", "big", "rare"], ["rare2", "all", "mid10", "mid2"]),
        *(["all", "big"], ["all", "big"], ["all", "mid2", "mid10"], [], [], [], []),
    ]
    catalogue = items(item_id=list("abcdefghij"), kinds=lists)
    assert catalogue.main_attribute(0.7).rows() == [(item, "all") for item in "abcdef"]
    assert catalogue.main_attribute(0.6).rows() == list(
        zip("abcdef", ["big", "big", "mid2", "big", "big", "mid2"], strict=True)
    )
    assert catalogue.main_attribute(0.4).rows() == [("a", "mid2"), ("b", "rare"), ("c", "mid2"), ("f", "mid2")]
    assert catalogue.main_attribute(0.3).rows() == [("b", "rare"), ("c", "rare2")]
    assert catalogue.main_attribute().is_empty()
    assert catalogue.main_attribute().schema == {"item_id": pl.String, "attribute": pl.String}


@pytest.mark.parametrize("seed", range(3))
def test_main_attribute_agrees_with_a_naive_loop(seed: int) -> None:
    random = np.random.default_rng(seed)
    lists = [list(dict.fromkeys((random.zipf(1.5, random.integers(6)) % 30).tolist())) for _ in range(80)]
    counts = {kind: sum(kind in kinds for kinds in lists) for kind in range(30)}
    expected = []
    for item, kinds in enumerate(lists):
        fitting = [kind for kind in kinds if counts[kind] / 80 < 0.1]
        if fitting:
            expected.append((item, str(min(fitting, key=lambda kind: (-counts[kind], kind)))))
    assert expected
    assert items(item_id=list(range(80)), kinds=lists).main_attribute().rows() == expected


def test_ids_are_taken_as_a_log_takes_them(tmp_path: Path) -> None:
    path = write(tmp_path / "items.csv", "item_id,title\n 1.0,A\n2.0\u200b,B\n")
    assert Catalogue.read(path).titles() == {"1": "A", "2": "B"}
    assert items(item_id=[" a", "b "], title=["A", "B"]).titles() == {"a": "A", "b": "B"}


def test_the_title_column_can_be_named() -> None:
    frame = pl.DataFrame({"item_id": [1, 2], "title": ["Dr", "Ms"], "label": ["Ann", None], "tags": [["a"], ["b"]]})
    assert Catalogue.read(frame).titles() == {1: "Dr", 2: "Ms"}
    named = Catalogue.read(frame, title_column="label")
    assert named.titles() == {1: "Ann"}
    assert set(named.pairs()["attribute"]) == {"Dr", "Ms", "a", "b"}
    for column, clue in (("labels", "no column 'labels' .title_column.: the item data has"), ("tags", "holds lists")):
        with pytest.raises(DataError, match=clue):
            Catalogue.read(frame, title_column=column)


@pytest.mark.parametrize(
    ("described", "rows", "refused"), [(1, 100, True), (4, 1000, True), (5, 1000, False), (1, 10, False), (0, 9, True)]
)
def test_a_catalogue_of_other_items_is_refused(described: int, rows: int, refused: bool) -> None:
    ids = pl.Series("item_id", range(100))
    frame = pl.DataFrame({"item_id": [*range(described), *range(1000, 1000 + rows - described)]})
    catalogue = Catalogue.read(frame.with_columns(title=pl.lit("x")))
    if refused:
        with pytest.raises(DataError, match=r"describes (only|none)"):
            catalogue.describing(ids)
    else:
        assert len(catalogue.describing(ids)) == described


def test_the_address_of_a_picture_describes_nothing_and_stays() -> None:
    address = ["https://a.example/1.png", None, "javascript:alert(1)", "HTTP://a.example/4.png", "https:///5.png"]
    ids = [1, 2, 3, 4, 5]
    read = items(item_id=ids, kind=["x", "y", "x", "y", "x"], image_url=address)
    assert read.features.columns == ["kind"]
    assert set(read.pairs()["attribute"]) == {"x", "y"}
    assert read.titles() == {}
    shown = {1: "https://a.example/1.png", 4: "HTTP://a.example/4.png"}
    assert read.pictures() == shown
    assert Catalogue.from_table(read.table()).pictures() == shown
    assert read.matched(pl.Series([4, 3])).pictures() == {4: shown[4]}
    older = items(item_id=[1, 9], kind=["x", "z"])
    assert read.over(older).pictures() == {"1": shown[1], "4": shown[4]}
    assert older.over(read).pictures() == {"1": shown[1], "4": shown[4]}, "the newer file has no pictures"
    without = items(item_id=[1, 9], kind=["x", "z"], image_url=[None, "https://a.example/9.png"])
    assert without.over(read).pictures() == {"4": shown[4], "9": "https://a.example/9.png"}, (
        "the newer file has none of 1"
    )
    assert older.pictures() == {}


def test_pictures_alone_are_a_description_and_a_chosen_title_is_no_picture() -> None:
    address = ["https://a.example/1.png", "https://a.example/2.png"]
    assert items(item_id=[1, 2], image_url=address).pictures() == {1: address[0], 2: address[1]}
    frame = pl.DataFrame({"item_id": [1, 2], "image_url": address})
    chosen = Catalogue.read(frame, title_column="image_url")
    assert chosen.titles() == {1: address[0], 2: address[1]}
    assert chosen.pictures() == {}
