"""Histories in files: what they may hold, and what is refused."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from elcrec.cli.histories import read_histories, split_history
from elcrec.data.catalogue import Catalogue
from elcrec.data.titles import ItemTitles
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError


@pytest.mark.parametrize(
    ("content", "histories"),
    [
        ('["a,b", "c"]', [["a,b", "c"]]),
        ("[18446744073709551615, -1]", [[2**64 - 1, -1]]),
        ('\n[["a"],\n ["b", 3]]\n', [["a"], ["b", 3]]),
        ("a,b\n[c\n", [["a,b", "[c"]]),
        ("7\r\n\r\n007", [["7", "007"]]),
        ("x\x85y\u2028z", [["x\x85y\u2028z"]]),
        ("null", [["null"]]),
    ],
)
def test_a_file_holds_histories(tmp_path: Path, content: str, histories: list[list[Any]]) -> None:
    (tmp_path / "h").write_bytes(content.encode())
    assert read_histories(tmp_path / "h") == histories


@pytest.mark.parametrize(
    ("content", "clue"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"[]", "history 1 is empty"),
        (b'[["a"], []]', "history 2 is empty"),
        (b'[["a"], "b"]', "not an item id"),
        (b"[1.5]", "'1.5' is not an item id"),
        (b"[true]", "not an item id"),
        (b"[null]", "not an item id"),
        (b'["a"]\n["b"]', "JSON array"),
        (b"[a]", "JSON array"),
        (b"[" * 100_000 + b"]", "JSON array"),
        (b"\xff\xfea", "JSON array"),
    ],
)
def test_what_is_no_history_is_refused(tmp_path: Path, content: bytes, clue: str) -> None:
    (tmp_path / "h").write_bytes(content)
    with pytest.raises(DataError, match=clue) as caught:
        read_histories(tmp_path / "h")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("a,b", ["a", "b"]),
        (" a , , b,", ["a", "b"]),
        ("Godfather, The", ["Godfather, The"]),
        ("Casablanca,godfather,  the ,a", ["Casablanca", "godfather,  the", "a"]),
        ("I, Robot, Too", ["I, Robot, Too"]),  # the longest title
        ("I, Robot, b", ["I, Robot", "b"]),
        ("a, Part Two", ["a", "Part Two"]),  # an id stands alone
        ("Nothing, The", ["Nothing", "The"]),
    ],
)
def test_a_comma_within_a_title_divides_nothing(text: str, items: list[str]) -> None:
    titles = ["Godfather, The", "Casablanca", "I, Robot", "I, Robot, Too", "a, Part Two"]
    frame = pl.DataFrame({"item_id": ["a", "b", "c", "d", "e"], "title": titles})
    vocabulary = Vocabulary.of(frame["item_id"], first=1, kind="item")
    assert split_history(text, ItemTitles(vocabulary, Catalogue.read(frame).matched(vocabulary.ids))) == items


def test_without_titles_every_comma_divides() -> None:
    vocabulary = Vocabulary.of(pl.Series("item_id", ["a", "b"]), first=1, kind="item")
    assert split_history("Godfather, The,a", ItemTitles(vocabulary, None)) == ["Godfather", "The", "a"]
