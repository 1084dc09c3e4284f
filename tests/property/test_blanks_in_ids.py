"""Ids with blanks: whatever separates the columns and however many are named, a log is read right or refused."""

from itertools import product
from pathlib import Path

import pytest

from elcrec import Interactions
from elcrec.data.dialect import SEPARATORS
from elcrec.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore:no time column")
VISIBLE = SEPARATORS[:-1]  # all but blanks
IDS = {
    "users": (("cust 0", "cust 1"), ("art-b3", "art-b4")),
    "items": (("cust0", "cust1"), ("art b3", "art b4")),
    "both": (("the cust 0", "the cust 1"), ("art b3", "art b4")),
}
OTHERS = {"none": [], "day": ["{}.08.2024"], "clock": ["2024-08-{} 12:30:00", "dark red"]}
ENDINGS = (".csv", ".txt")


def rows_of(ids: str, others: str) -> list[list[str]]:
    """Events of two users, as fields of text."""
    users, items = IDS[ids]
    return [[users[at % 2], items[at // 2 % 2], *(one.format(at + 13) for one in OTHERS[others])] for at in range(12)]


def events_or_refusal(path: Path, columns: str) -> list[tuple[str, str]] | str:
    try:
        log = Interactions.read(path, columns=columns)
    except DataError as refusal:
        return str(refusal)
    return sorted(log.frame.select("user_id", "item_id").iter_rows())


@pytest.mark.parametrize("others", OTHERS)
@pytest.mark.parametrize("ids", IDS)
@pytest.mark.parametrize("separator", VISIBLE, ids=repr)
def test_logs_with_blanks_in_their_ids_are_read_right_or_refused(
    separator: str, ids: str, others: str, tmp_path: Path
) -> None:
    rows = rows_of(ids, others)
    right = sorted((user, item) for user, item, *_ in rows)
    for ending, broken in product(ENDINGS, (False, True)):
        path = tmp_path / f"log{ending}"
        lines = [separator.join(row) for row in rows] + [separator * len(rows[0]) + "one"] * broken
        path.write_text("\n".join(lines) + "\n")
        for number in range(2, 8):
            names = ["user_id", "item_id", "timestamp" if others != "none" else "_", *["_"] * 4][:number]
            found = events_or_refusal(path, ",".join(names))
            assert (found == right and not broken) or isinstance(found, str), (names, found)
            assert broken or number != len(rows[0]) or found == right, found


@pytest.mark.parametrize("separator", VISIBLE, ids=repr)
def test_a_refusal_names_the_separator_and_its_number_of_fields(separator: str, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("\n".join(separator.join(row) for row in rows_of("users", "day")))
    with pytest.raises(DataError, match=r"has 3 fields separated by .*columns= names 2: name them all, '_' for one"):
        Interactions.read(path, columns="user_id,item_id")


def test_blanks_separate_columns_where_nothing_else_does(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("\n".join(f"u{at % 3} {'i1,' * (at % 4)}x" for at in range(20)))
    assert len(Interactions.read(path, columns="user_id,item_id", lists="keep").frame) == 20
