"""Reading files: every format, telling them apart, and what is refused."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from elcrec.data.files import fingerprint, read_frame, sniff
from elcrec.errors import DataError

FRAME = pl.DataFrame({"user_id": ["u1", "u2", "u1"], "item_id": ["a", "b", "c"], "timestamp": ["3", "1", "2"]})
GARBAGE = np.random.default_rng(0).bytes(4000)

WRITERS: dict[str, Callable[[Path], object]] = {
    "csv": lambda path: FRAME.write_csv(path),
    "tsv": lambda path: FRAME.write_csv(path, separator="\t"),
    "parquet": lambda path: FRAME.write_parquet(path),
    "jsonl": lambda path: FRAME.write_ndjson(path),
}


def refusal(path: str | Path, format: str | None = None) -> str:
    with pytest.raises(DataError) as caught:
        read_frame(path, format)
    message = str(caught.value)
    assert message
    assert "\n" not in message
    return message


def file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        (".csv", "csv"),
        (".CSV", "csv"),
        (".tsv", "tsv"),
        (".inter", "tsv"),
        (".parquet", "parquet"),
        (".pq", "parquet"),
        (".jsonl", "jsonl"),
        (".ndjson", "jsonl"),
    ],
)
def test_the_ending_tells_the_format(tmp_path: Path, ending: str, kind: str) -> None:
    path = tmp_path / f"log{ending}"
    WRITERS[kind](path)
    assert sniff(path) == kind
    assert read_frame(path).equals(FRAME)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("name", ["log", "log.dat", "log.txt"])
def test_without_a_telling_ending_the_content_tells_the_format(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / name
    WRITERS[kind](path)
    assert sniff(path) == kind
    assert read_frame(path).equals(FRAME)


@pytest.mark.parametrize("content", ["1 2 3\n", "1\t2\t3\n", "1\t2 3\n", "\n\n1 2 3\n", "\ufeff1 2 3\n"])
def test_lines_of_numbers_are_the_text_format(tmp_path: Path, content: str) -> None:
    path = file(tmp_path, "log", content)
    assert sniff(path) == "text"
    assert read_frame(path).rows() == [(1, 2), (1, 3)]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_named_format_wins_over_the_ending(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("log.csv" if kind != "csv" else "log.parquet")
    WRITERS[kind](path)
    assert read_frame(path, kind).equals(FRAME)


def test_a_path_may_be_text(tmp_path: Path) -> None:
    path = file(tmp_path, "log.txt", "1 2\n")
    assert read_frame(str(path)).rows() == [(1, 2)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text_lines_become_rows_in_file_order(tmp_path: Path, end: str) -> None:
    content = end.join(["7 30 10 20", "", "  3\t5  5 ", "7 40", "   "])
    assert read_frame(file(tmp_path, "log.txt", content)).rows() == [
        *((7, 30), (7, 10), (7, 20)),
        *((3, 5), (3, 5)),
        (7, 40),
    ]


def test_delimited_columns_stay_text(tmp_path: Path) -> None:
    frame = read_frame(file(tmp_path, "log.csv", "user_id,item_id\n007,1.0\n8,+2\n"))
    assert frame.rows() == [("007", "1.0"), ("8", "+2")]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    assert read_frame(file(tmp_path, "log.csv", "\ufeffuser_id,item_id\n1,2\n")).columns == ["user_id", "item_id"]


def test_quoted_fields_may_hold_the_separator(tmp_path: Path) -> None:
    frame = read_frame(file(tmp_path, "log.csv", 'user_id,item_id\n"a,b","say ""hi"""\n'))
    assert frame.rows() == [("a,b", 'say "hi"')]


def test_parquet_and_json_lines_keep_types(tmp_path: Path) -> None:
    typed = pl.DataFrame({"user_id": pl.Series([1, 2], dtype=pl.UInt16), "item_id": ["007", "8"]})
    typed.write_parquet(tmp_path / "log.parquet")
    typed.write_ndjson(tmp_path / "log.jsonl")
    assert read_frame(tmp_path / "log.parquet").equals(typed)
    assert read_frame(tmp_path / "log.jsonl").rows() == typed.rows()


def test_json_lines_with_a_late_column_keep_it(tmp_path: Path) -> None:
    lines = [{"user_id": 1, "item_id": 2}] * 300 + [{"user_id": 1, "item_id": 2, "timestamp": 5}]
    path = file(tmp_path, "log.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    assert read_frame(path)["timestamp"].drop_nulls().to_list() == [5]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert f"no such file: {tmp_path / 'log.csv'}" in refusal(tmp_path / "log.csv")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "name the data file itself" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["log", "log.txt", "log.csv", "log.tsv", "log.parquet", "log.jsonl"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    assert f"{name} is empty" in refusal(file(tmp_path, name, ""))


@pytest.mark.parametrize("content", ["\n", "\n\n\n", "  \n\t\n", "\r\n\r\n"])
def test_a_blank_text_file_is_refused(tmp_path: Path, content: str) -> None:
    assert "no line with anything on it" in refusal(file(tmp_path, "log.txt", content))


@pytest.mark.parametrize("name", ["log", "log.txt", "log.csv", "log.tsv", "log.jsonl"])
def test_a_file_of_a_byte_order_mark_alone_is_refused(tmp_path: Path, name: str) -> None:
    assert name in refusal(file(tmp_path, name, b"\xef\xbb\xbf"))


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    message = refusal(file(tmp_path, "log.csv", "user_id,item_id\n1,2\n"), "xml")
    assert "'xml'" in message
    assert all(kind in message for kind in ("text", "csv", "tsv", "parquet", "jsonl"))


@pytest.mark.parametrize("head", [b"", b"PAR1"], ids=["bare", "parquet magic"])
@pytest.mark.parametrize("name", ["log", "log.txt", "log.csv", "log.tsv", "log.parquet", "log.jsonl"])
def test_binary_garbage_is_refused_by_name(tmp_path: Path, name: str, head: bytes) -> None:
    assert f"cannot read {tmp_path / name}" in refusal(file(tmp_path, name, head + GARBAGE))


@pytest.mark.parametrize("name", ["log.csv", "log.parquet"])
def test_an_unreadable_file_is_refused_with_the_way_to_name_its_format(tmp_path: Path, name: str) -> None:
    assert "format" in refusal(file(tmp_path, name, GARBAGE))


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    assert "utf-8" in refusal(file(tmp_path, "log.csv", "user_id,item_id\n1,café\n".encode("latin-1")))


def test_a_row_with_too_many_fields_is_refused(tmp_path: Path) -> None:
    assert "more fields" in refusal(file(tmp_path, "log.csv", "user_id,item_id\n1,2,3\n"))


@pytest.mark.parametrize("content", ['{"user_id": 1', "[1, 2]\n", "user_id,item_id\n1,2\n", "\n\n"])
def test_broken_json_lines_are_refused(tmp_path: Path, content: str) -> None:
    assert "cannot read" in refusal(file(tmp_path, "log.jsonl", content))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2 -3", "positive integers"),
        ("-2 3", "positive integers"),
        ("2 3.5", "positive integers"),
        ("2 x", "positive integers"),
        ("2 ３", "positive integers"),
        ("user item", "positive integers"),
        ("2 0", "ids start at 1"),
        ("0 2", "ids start at 1"),
        ("2 00 5", "ids start at 1"),
        ("2", "a user and at least one item"),
        ("2 " + "9" * 19, "below 10^18"),
        ("2 " + "9" * 40, "below 10^18"),
    ],
)
@pytest.mark.parametrize(("above", "number"), [("", 1), ("1 2\n", 2), ("\n\n1 2\n\n", 5)])
def test_a_wrong_text_line_is_named_by_number(tmp_path: Path, line: str, reason: str, above: str, number: int) -> None:
    message = refusal(file(tmp_path, "log.txt", f"{above}{line}\n7 8\n"), "text")
    assert reason in message
    assert f"line {number}:" in message


def test_a_long_wrong_line_is_shown_shortened(tmp_path: Path) -> None:
    message = refusal(file(tmp_path, "log.txt", "1 " + "2 " * 5000 + "x\n"))
    assert len(message) < 300


def test_ids_of_the_text_format_may_be_large(tmp_path: Path) -> None:
    assert read_frame(file(tmp_path, "log.txt", f"1 {10**18 - 1}\n")).rows() == [(1, 10**18 - 1)]


def test_a_fingerprint_notices_content_order_and_length() -> None:
    changed = [FRAME.reverse(), FRAME.head(2), FRAME.with_columns(item_id=pl.Series(["a", "b", "d"]))]
    assert fingerprint(FRAME.clone()) == fingerprint(FRAME)
    assert len({fingerprint(frame) for frame in [FRAME, *changed]}) == 4


def test_a_fingerprint_is_the_same_in_another_process() -> None:
    program = f"""
import polars as pl
from elcrec.data.files import fingerprint
print(fingerprint(pl.DataFrame({FRAME.to_dict(as_series=False)!r})))
"""
    seen = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert seen.strip() == fingerprint(FRAME)
