"""The text that stands for an item without a title."""

import polars as pl
import pytest

from elcrec.data.catalogue import Catalogue
from elcrec.data.specific import most_specific

N = 12
SHELF = ["Milk" if item % 2 else "Bread" for item in range(N)]
KIND = [f"Kind of {chr(97 + item % 5)}" for item in range(N)]


def found(**columns: list[object]) -> str | None:
    frame = pl.DataFrame({"item_id": range(N), "shelf": SHELF, **columns})
    text = most_specific(Catalogue.read(frame).features)
    return None if text is None else text.name


def test_the_text_with_most_values_is_found() -> None:
    assert found() == "shelf"
    assert found(kind=KIND) == "kind"


@pytest.mark.parametrize("name", ["மீன் குழம்பு", "किताबें", "আলু ভাজি"])
def test_signs_on_letters_are_letters(name: str) -> None:
    assert found(kind=[f"{name} {chr(97 + item % 5)}" for item in range(N)]) == "kind"


@pytest.mark.parametrize(
    "column",
    [
        [f"{item} LB" if item % 2 else f"{item} OUNCES" for item in range(N)],
        [f"https://shop/{item}.png" for item in range(N)],
        [f"A{item}-77{item}" for item in range(N)],
        [f"Long words {'and more ' * 12}{item}" for item in range(N)],
        [["one", "two", f"tag {item}"] for item in range(N)],
        [f"Rare {item}" if item < 4 else None for item in range(N)],
        list(range(100, 100 + N)),
        [f"someone{item}@shop.example" for item in range(N)],
    ],
    ids=["sizes", "addresses", "codes", "descriptions", "tags", "rare", "numbers", "mail"],
)
def test_what_is_no_name_is_passed_over(column: list[object]) -> None:
    assert found(other=column) == "shelf"


def test_one_value_for_all_names_nothing() -> None:
    frame = pl.DataFrame({"item_id": range(N), "shelf": ["Milk"] * N})
    assert most_specific(Catalogue.read(frame).features) is None
    assert most_specific(pl.DataFrame()) is None


def test_a_title_is_preferred_and_missing_ones_stay_missing() -> None:
    frame = pl.DataFrame({"item_id": range(N), "title": ["Old", *[None] * (N - 1)], "kind": KIND})
    assert Catalogue.read(frame).shown_titles() == {0: "Old"}
    assert Catalogue.read(frame.drop("title")).shown_titles() == dict(enumerate(KIND))
