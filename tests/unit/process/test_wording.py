"""Options in the caller's words."""

from pathlib import Path

import polars as pl
import pytest

from cli_runner import run_cli
from elcrec import DataError, ELCRec, Interactions, RunError
from elcrec.process.wording import argument, counted, on_command_line, setting, worded


def options() -> tuple[str, ...]:
    return (
        argument("names_from"),
        argument("resume", True),
        argument("format", "csv"),
        setting("missing", "drop"),
        setting("exclude_seen", False),
        worded("elcrec train", "fit"),
    )


def test_a_single_thing_has_no_plural() -> None:
    assert [counted(number, "user") for number in (0, 1, 1200)] == ["0 users", "1 user", "1,200 users"]
    assert [counted(number, "history", "is", "are") for number in (1, 2)] == ["1 history is", "2 histories are"]
    with pytest.raises(DataError, match=r"^2 rows have no user_id"):
        Interactions.read(pl.DataFrame({"user_id": [None, None, "u"], "item_id": ["a", "b", "c"]}))
    log = Interactions.read(pl.DataFrame({"user_id": ["u"], "item_id": ["i"]}))
    assert repr(log) == "Interactions(1 event, 1 user, 1 item)"


def test_python_has_keywords_and_the_command_line_flags() -> None:
    python = ("names_from=", "resume=True", "format='csv'", "missing='drop'", "exclude_seen=False", "fit")
    flags = ("--names-from", "--resume", "--format csv", "--set missing=drop", "--set exclude_seen=false")
    assert options() == python
    with on_command_line():
        with on_command_line():
            assert options() == (*flags, "elcrec train")
        assert options() == (*flags, "elcrec train")
    assert options() == python


def test_a_command_that_fails_leaves_python_its_words(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("u1,i1,1700000000\nu1,i2,1700000001\n")
    assert "--columns user_id,item_id,timestamp" in run_cli("data", "check", path).complaint()
    with pytest.raises(DataError, match=r"for example columns='user_id,item_id,timestamp'$") as caught:
        Interactions.read(path)
    assert "--" not in str(caught.value)
    with pytest.raises(RunError, match=r"make one with ELCRec\(\).fit\(log, '.*nosuch'\)"):
        ELCRec.load(tmp_path / "nosuch")
