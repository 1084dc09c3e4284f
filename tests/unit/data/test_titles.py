"""Titles next to ids, and in place of them."""

from typing import Any

import polars as pl
import pytest

from elcrec.data.catalogue import Catalogue
from elcrec.data.titles import ItemTitles
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError, UnknownIdError

FILMS = {
    1: ("Casablanca", "Drama|Romance"),
    2: ("Sabrina", "Comedy"),
    3: ("Sabrina", "Romance"),
    4: ("Godfather, The", "Crime"),
    5: (None, "Drama"),
    6: ("Amélie", "Comedy"),
    7: ("300", "War"),
    300: ("7", "Crime"),
}


def of(films: dict[int, tuple[str | None, str]] = FILMS) -> ItemTitles:
    rows = [(item, title, genres) for item, (title, genres) in films.items()]
    frame = pl.DataFrame(rows, schema=["item_id", "title", "genres"], orient="row")
    items = Vocabulary.of(frame["item_id"], first=1, kind="item")
    return ItemTitles(items, Catalogue.read(frame).matched(items.ids))


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("Casablanca", 1),
        ("  casaBLANCA ", 1),
        ("godfather,  the", 4),
        ("Ame\u0301lie", 6),
        ("1", 1),
        (1, 1),
        ("300", 300),  # ids win over titles
        ("7", 7),
    ],
)
def test_an_item_is_given_by_id_or_title(text: object, item: int) -> None:
    titles = of()
    assert titles.items.ids_of(titles.indices([text])).to_list() == [item]


def test_ids_and_titles_are_mixed_in_order() -> None:
    titles = of()
    assert titles.items.ids_of(titles.indices([6, "Casablanca", "4", "Casablanca"])).to_list() == [6, 1, 4, 1]


@pytest.mark.parametrize("unknown", ["raise", "skip"])
def test_several_items_of_one_title_are_listed_with_what_tells_them_apart(unknown: str) -> None:
    with pytest.raises(UnknownIdError, match=r"'sabrina' is the title of 2 items.* 2 \(Comedy\), 3 \(Romance\)"):
        of().indices(["sabrina"], unknown)


SAME = {"item_id": range(1, 8), "title": ["Milk"] * 7, "aisle": ["DAIRY"] * 7, "tags": [["FLUID", "WHITE"]] * 7}
BRANDS = [f"b{item % 3}" for item in range(7)]
SIZES = [f"{item} oz" for item in range(7)]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({}, ""),
        ({"brand": BRANDS}, "b0"),
        ({"size": SIZES, "brand": BRANDS}, "0 oz, b0"),
        ({"price": [0.5 + item for item in range(7)], "brand": BRANDS}, "b0, price 0.5"),
        ({"price": [2.5] * 7, "brand": BRANDS}, "b0"),
        ({"price": [None, *range(6)], "brand": BRANDS}, "b0"),
        ({"a": SIZES, "b": BRANDS, "c": list("opqrstu"), "d": list("OPQRSTU"), "e": range(7)}, "0 oz, b0, o"),
        ({"deep": [float(item) for item in range(7)], "e": range(7), "f": range(9, 16), "g": range(7)},
         "deep 0, e 0, f 9"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("logged", [False, True])
def test_only_what_differs_tells_items_of_one_title_apart(columns: dict[str, Any], expected: str, logged: bool) -> None:
    frame = pl.DataFrame(SAME | columns)
    items = Vocabulary.of(frame["item_id"], first=1, kind="item")
    log = pl.DataFrame({"item_id": [1, 2, 2, 9]}) if logged else None
    with pytest.raises(UnknownIdError) as caught:
        ItemTitles(items, Catalogue.read(frame), log).indices(["milk"])
    several = str(caught.value).partition("give the id of one: ")[2]
    told = ", ".join(text for text in (expected, "1 event" if logged else "") if text)
    assert several.startswith(f"1 ({told}), 2" if told else "1, 2, ")
    assert ("2 events), 3" in several) == logged
    assert "DAIRY" not in several
    assert several.endswith(" and 2 more")


@pytest.mark.parametrize(
    ("text", "offered"),
    [("casab", r"1 \(Casablanca\)"), ("Casablnca", r"1 \(Casablanca\)"), ("godf", r"4 \(Godfather, The\)")],
)
def test_similar_titles_are_offered(text: str, offered: str) -> None:
    with pytest.raises(UnknownIdError, match=f"'{text}' is neither an id nor a whole title.*{offered}"):
        of().indices([1, text])


def test_more_than_five_are_not_listed() -> None:
    titles = of({item: (f"Rocky {item}", "Sport") for item in range(1, 10)})
    with pytest.raises(UnknownIdError, match=r"\(Rocky 5\) and 4 more$"):
        titles.indices(["rocky"])


def test_what_is_neither_is_unknown_or_skipped() -> None:
    titles = of()
    with pytest.raises(UnknownIdError, match="unknown item 'qwertz': the model knows 8 items"):
        titles.indices(["qwertz"])
    assert titles.indices(["qwertz", "Casablanca"], "skip").tolist() == [-1, 1]
    with pytest.raises(DataError, match="unknown='no'"):
        titles.indices(["Casablanca"], "no")
    with pytest.raises(DataError, match="pass a list"):
        titles.indices("Casablanca")


def test_titles_stand_last_in_a_table() -> None:
    frame = pl.DataFrame({"target_item_id": [2], "item_id": [1], "rank": [1], "because": [[5, 4]]})
    shown = of().beside(frame)
    assert shown.columns == [*frame.columns, "title", "target_title", "because_titles"]
    assert shown.row(0)[-3:] == ("Casablanca", "Sabrina", [None, "Godfather, The"])
    assert of().beside(frame.clear()).schema["because_titles"] == pl.List(pl.String)


def test_without_titles_a_table_is_as_it_was() -> None:
    frame = pl.DataFrame({"item_id": [1, 2]})
    items = Vocabulary.of(frame["item_id"], first=1, kind="item")
    for catalogue in (None, Catalogue.read(pl.DataFrame({"item_id": [1, 2], "tags": [["a", "b"], ["b", "c"]]}))):
        titles = ItemTitles(items, catalogue)
        assert len(titles) == 0
        assert titles.beside(frame) is frame
        assert titles.indices(["2"]).tolist() == [2]
