"""Histories in files: what they may hold, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from elcrec.cli.histories import read_histories
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
