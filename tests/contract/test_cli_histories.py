"""Whatever a log holds can be asked for on the command line, as over HTTP and in Python."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runner import SMALL, run_cli, untrained
from elcrec import ELCRec, Interactions

ODD = ["-7", "a,b", "i 1", "--json", "[1]", "007", "é", "'q'", '"', "x" * 300, "#1", "東"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ELCRec:
    rows = [(f"u,{user}", ODD[(at + user) % len(ODD)]) for user in range(9) for at in range(6)]
    log = pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row").with_row_index("timestamp")
    small = {**SMALL, "epochs": 1, "n_intents": 3}
    return ELCRec(seed=1, **small).fit(log, tmp_path_factory.mktemp("odd") / "run", progress=False)


@pytest.fixture(scope="module")
def run(model: ELCRec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "run"
    model.save(path)
    return path


def listed(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["history"], row["item_id"], row["rank"]) for row in rows]


@pytest.mark.parametrize("name", ["one a line", "one.json", "several.json"])
def test_every_id_of_a_log_can_be_asked_for_in_a_file(model: ELCRec, run: Path, tmp_path: Path, name: str) -> None:
    histories = [ODD] if name != "several.json" else [[one] for one in ODD]
    text = "\ufeff\r\n" + "\r\n".join(ODD) + "\r\n\r\n"
    path = tmp_path / name
    path.write_text(text if name == "one a line" else json.dumps(ODD if name == "one.json" else histories), "utf-8")
    rows = run_cli("recommend", run, "--history-file", path, "--include-seen", "-k", 4, "--json").document()
    assert listed(rows) == listed(model.recommend_from_history(histories, 4, exclude_seen=False).to_dicts())
    both = run_cli("recommend", run, "--history", "007", "--history-file", path, "-k", 4, "--json").document()
    assert listed(both) == listed(model.recommend_from_history([["007"], *histories], 4).to_dicts())


@pytest.mark.parametrize("user", ["u,3", "u,8"])
def test_every_user_can_be_asked_for(model: ELCRec, run: Path, user: str) -> None:
    rows = run_cli("recommend", run, "--user", user, "-k", 3, "--json").document()
    assert [row["item_id"] for row in rows] == model.recommend([user], 3)["item_id"].to_list()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xff", "cannot read"),
        (b"[1, null]", "is not an item id"),
        (b"[]", "is empty"),
        (b"{", "unknown item '{'"),
        (b'["nothing"]', "unknown item 'nothing'"),
        (b'{"history": ["007"]}', "holds a JSON object"),
    ],
)
def test_a_file_of_something_else_is_refused(run: Path, tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "histories.json"
    path.write_bytes(content)
    assert reason in run_cli("recommend", run, "--history-file", path, "--json").complaint()
    assert "cannot read" in run_cli("recommend", run, "--history-file", tmp_path / "none", "--json").complaint()
    assert "choose whom" in run_cli("recommend", run, "--history-file", path, "--user", "u,1").complaint()


def test_a_table_is_not_written_under_the_name_of_another_format(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "lists.xls"
    for verb in (
        ("recommend", run, "--all", "--out", out),
        ("recommend", run, "--user", "u,1", "--out", out),
        ("audience", run, "--intent", 0, "--out", out),
        ("evaluate", run, "--data", run / "interactions.parquet", "--ranks", out),
    ):
        assert ".parquet, .csv or .jsonl" in run_cli(*verb).complaint()
    assert not out.exists()


@pytest.mark.parametrize("option", ["--allow", "--deny"])
def test_unknown_ids_of_a_list_may_be_skipped_for_all_users(
    option: str, model: ELCRec, run: Path, tmp_path: Path
) -> None:
    """Without items in a list, ``--unknown`` has no effect on known users, and is refused."""
    ids = [str(item) for item in model.items.ids.to_list()[:3]]
    for name, listed in (("some", [*ids, "no such item"]), ("same", ids)):
        (tmp_path / f"{name}.json").write_text(json.dumps(listed))
    to_all = ("recommend", run, "--all", "--include-seen", "--out")
    assert "--unknown skip" in run_cli(*to_all, tmp_path / "no.csv", option, tmp_path / "some.json").complaint()
    for name, more in (("some", ("--unknown", "skip")), ("same", ())):
        done = run_cli(*to_all, tmp_path / f"{name}.csv", option, tmp_path / f"{name}.json", *more)
        assert done.code == 0, done.err
        assert (f"1 unknown item of {option} left out" in done.err) == (name == "some")
    assert (tmp_path / "some.csv").read_bytes() == (tmp_path / "same.csv").read_bytes()
    said = run_cli(*to_all, tmp_path / "no.csv", "--unknown", "skip").complaint()
    assert "--all recommends to known users only" in said


@pytest.mark.parametrize("option", ["--allow", "--deny"])
@pytest.mark.parametrize("header", ["item_id", "SKU", "Product ID", "mine"])
@pytest.mark.parametrize("known", ["", "id", "title"])
def test_a_header_of_a_list_is_left_out_unless_it_is_an_item(
    option: str, header: str, known: str, tmp_path: Path
) -> None:
    rows = [(f"u{user}", item) for user in range(9) for item in (["a", "b", header] if known == "id" else ["a", "b"])]
    log = pl.DataFrame(rows, schema=["user_id", "mine"], orient="row").with_row_index("timestamp")
    model = untrained(Interactions.read(log, item_column="mine"), item_column="mine", repeats="none")
    if known == "title":
        model.describe_items(pl.DataFrame({"item_id": ["a", "b"], "title": [header, "other"]}))
    model.save(tmp_path / "run")
    for name, lines in (("with", [header, "b"]), ("without", ["b"])):
        (tmp_path / f"{name}.txt").write_text("\n".join(lines))
    asked = ("recommend", tmp_path / "run", "--user", "u1", "--include-seen", "--json", option)
    done, plain = (run_cli(*asked, tmp_path / f"{name}.txt") for name in ("with", "without"))
    assert (f"the first line {header!r} is left out, as the name of the column" in done.err) == (not known)
    assert "left out" not in plain.err
    assert (done.out == plain.out) == (not known)


@pytest.mark.parametrize("option", ["--allow", "--deny"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"deny": ["007", "a,b"]}', "it holds a JSON object"),
        ('{\n "deny": [\n"007"]\n}\n', "it holds a JSON object"),
        ('{"item_id": "007"}\n{"item_id": "#1"}\n', "it holds a JSON object"),
        ('[{"item_id": "007"}]', "is not an item id"),
        ('[["007"]]', "is not an item id"),
        ("{007}", "unknown item '{007}'"),
    ],
)
def test_json_that_is_no_array_of_ids_is_refused(
    option: str, content: str, reason: str, run: Path, tmp_path: Path
) -> None:
    (tmp_path / "list.json").write_text(content)
    said = run_cli("recommend", run, "--user", "u,1", option, tmp_path / "list.json").complaint()
    assert reason in said
    assert len(said) < 300 + len(str(tmp_path))


@pytest.mark.parametrize("option", ["--allow", "--deny"])
def test_unknown_ids_of_a_list_are_counted(option: str, run: Path, tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text(json.dumps([*ODD, "no", "such", "no"]))
    asked = ("recommend", run, "--user", "u,1", option, tmp_path / "list.json", "--unknown", "skip")
    assert f"2 unknown items of {option} left out" in run_cli(*asked).err
