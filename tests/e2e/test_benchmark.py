"""A study from its TOML file to tables, interrupted and gone on with."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cli_runner import run_cli, shop_csv, shop_log
from elcrec import ELCRec, Interactions
from elcrec.benchmark.run import with_noise
from elcrec.benchmark.suite import read_suite
from elcrec.errors import SettingsError

SUITE = """
name = "try"
about = "What it is for."
data = ["{data}"]
seeds = [1, 2]
against = "small"

[[rows]]
recipe = "popularity"

[[rows]]
recipe = "default"
name = "small"
set = {{ epochs = 2, n_layers = 1, embedding_dim = 16, n_intents = 8, batch_size = 64 }}

[[rows]]
recipe = "default"
name = "one epoch"
set = {{ epochs = 1, n_layers = 1, embedding_dim = 16, n_intents = 8, batch_size = 64 }}
vary = {{ noise = [0.0, 0.5] }}
seeds = [1]
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    (folder / "try.toml").write_text(SUITE.format(data=shop_csv(folder).name))
    outcome = run_cli("benchmark", folder / "try.toml", "--out", folder, "--work", folder / "runs", "--json")
    (folder / "lines.json").write_text(outcome.out)
    assert outcome.code == 0, outcome.err
    return folder


def documents(study: Path) -> dict[str, dict]:
    return {path.stem: json.loads(path.read_text()) for path in (study / "try").glob("*.json")}


def test_every_run_has_a_result_with_the_promised_fields(study: Path) -> None:
    found = documents(study)
    assert len(found) == 5
    for document in found.values():
        promised = (
            "suite dataset recipe overrides seed epochs best_epoch train_seconds peak_memory_bytes metrics intents"
        )
        assert set(promised.split()) | {"n_users", "versions", "machine", "commit", "date"} <= set(document)
        assert document["suite"] == "try"
        assert 0 < document["metrics"]["valid"]["ndcg@20"] < 1


def test_ranks_are_those_of_the_metrics(study: Path) -> None:
    for name, document in documents(study).items():
        ranks = pl.read_parquet(study / "try" / "ranks" / f"{name}.parquet")
        assert len(ranks) == document["n_users"]
        for part in ("valid", "test"):
            assert (ranks[part].fill_null(10**6) <= 10).mean() == pytest.approx(
                document["metrics"][part]["hit_rate@10"]
            )


def test_a_result_is_what_the_command_line_gives(study: Path, tmp_path: Path) -> None:
    data = next(study.glob("*.csv"))
    model = ELCRec("default", 2, "cpu", epochs=2, n_layers=1, embedding_dim=16, n_intents=8, batch_size=64)
    model.fit(data, progress=False)
    name = next(name for name in documents(study) if "epochs=2" in name and name.endswith("seed2"))
    assert documents(study)[name]["metrics"]["test"] == model.metrics["test"]


def test_lines_have_means_and_tests_against_the_named_row(study: Path) -> None:
    lines = {line["row"]: line for line in json.loads((study / "lines.json").read_text())}
    assert list(lines) == ["popularity", "small", "one epoch noise=0.0", "one epoch noise=0.5"]
    small = [each["metrics"]["test"]["ndcg@20"] for each in documents(study).values() if each["row"] == "small"]
    assert lines["small"]["test"]["ndcg@20"] == pytest.approx(np.mean(small))
    assert lines["small"]["difference"] is None
    for row in ("popularity", "one epoch noise=0.0"):
        assert lines[row]["corrected_p"] >= lines[row]["difference"]["p"]
    # Against both seeds of the other row, or the one seed they share.
    expected = lines["popularity"]["test"]["ndcg@20"] - np.mean(small)
    assert lines["popularity"]["difference"]["mean"] == pytest.approx(expected)


def test_pages_show_every_row(study: Path) -> None:
    outcome = run_cli("benchmark", study / "try.toml", "--out", study, "--tables", "--plots")
    assert outcome.code == 0, outcome.err
    text, page = ((study / "try" / name).read_text() for name in ("summary.md", "summary.html"))
    for row in ("popularity", "small", "one epoch noise=0.5"):
        assert row in text
        assert row in page
        assert row in outcome.out or row.split()[0] in outcome.out
    assert re.search(r"0\.\d{4} ± 0\.\d{4}", text)
    assert page.count("<svg") == 1
    assert "http://" not in re.sub(r'xmlns[:\w]*="[^"]*"|<!DOCTYPE[^>]*>|<rdf:RDF.*?</rdf:RDF>', "", page, flags=re.S)


def test_what_is_done_is_not_done_again(study: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (study / "try").glob("*.json")}
    first = next(iter(before))
    kept = first.read_text()
    first.unlink()
    planned = run_cli("benchmark", study / "try.toml", "--out", study, "--dry-run", "--json").document()
    assert [each["run"] for each in planned if not each["done"]] == [first.stem]
    outcome = run_cli("benchmark", study / "try.toml", "--out", study, "--work", study / "runs")
    assert outcome.err.count("there already") == 4
    assert json.loads(first.read_text())["metrics"] == json.loads(kept)["metrics"]
    assert all(path.stat().st_mtime_ns == time for path, time in before.items() if path != first)


def test_the_same_run_is_taken_over_from_another_study(study: Path) -> None:
    text = SUITE.format(data=next(study.glob("*.csv")).name).replace('name = "try"', 'name = "again"\nreuse = ["try"]')
    (study / "again.toml").write_text(text.replace('"one epoch"', '"one"'))
    outcome = run_cli("benchmark", study / "again.toml", "--out", study, "--only", "epochs=1")
    assert outcome.err.count("taken over from try") == 2
    for path in (study / "again").glob("*.json"):
        ours, theirs = json.loads(path.read_text()), json.loads((study / "try" / path.name).read_text())
        assert (ours["suite"], ours["taken_from"], ours["metrics"]) == ("again", "try", theirs["metrics"])
        assert ours["row"].startswith("one noise")
        ranks = [pl.read_parquet(study / name / "ranks" / f"{path.stem}.parquet") for name in ("try", "again")]
        assert ranks[0].equals(ranks[1])


def test_only_some_of_the_runs(study: Path) -> None:
    listed = run_cli("benchmark", study / "try.toml", "--dry-run", "--only", "NOISE", "--json").document()
    assert [each["row"] for each in listed] == ["one epoch noise=0.5"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('recipe = "popularity"', 'recipe = "popular"'), "unknown recipe 'popular'"),
        (("n_layers = 1", "n_layer = 1"), "did you mean 'n_layers'"),
        (('against = "small"', 'against = "big"'), "against='big' is none of the rows"),
        (("seeds = [1, 2]", "seeds = []"), "seeds"),
        (("[[rows]]", "[[lines]]"), "rows"),
        (('recipe = "popularity"', 'recipe = "popularity"\nset = { epochs = 1 }'), "is a baseline, without epochs"),
        (('name = "try"', "name = try"), "not valid TOML"),
        (('name = "try"', 'name = "../try"'), "name"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_mistakes_in_a_suite_are_named_before_anything_runs(study: Path, change: tuple[str, str], says: str) -> None:
    path = study / "bad.toml"
    path.write_text(SUITE.format(data=next(study.glob("*.csv")).name).replace(*change))
    assert says in run_cli("benchmark", path, "--out", study / "none").complaint()
    assert not (study / "none").exists()


def test_a_suite_that_is_not_there() -> None:
    with pytest.raises(SettingsError, match="cannot read suite"):
        read_suite("none.toml")


def test_tables_of_nothing(tmp_path: Path, study: Path) -> None:
    assert "no results" in run_cli("benchmark", study / "try.toml", "--out", tmp_path, "--tables").complaint()


def test_noise_is_slipped_in_before_the_newest_two() -> None:
    log = Interactions.read(shop_log())
    noisy = with_noise(log, 0.5, 1)
    plain = dict(log.frame.group_by("user_id").agg("item_id").iter_rows())
    mixed = dict(noisy.frame.group_by("user_id", maintain_order=True).agg("item_id").iter_rows())
    assert 0.3 < (len(noisy) - len(log)) / (len(log) - 2 * len(plain)) < 0.7
    for user, items in plain.items():
        rest = iter(mixed[user])
        assert all(item in rest for item in items)  # the old ones are there, in order
        assert mixed[user][-2:] == items[-2:]
    assert with_noise(log, 0.0, 1).frame.equals(log.frame.select("user_id", "item_id"))


def test_a_killed_study_takes_its_training_along(study: Path, tmp_path: Path) -> None:
    text = SUITE.format(data=next(study.glob("*.csv"))).replace("epochs = 2", "epochs = 500, patience = 500")
    (tmp_path / "long.toml").write_text(text)
    command = ["benchmark", "long.toml", "--out", "out", "--work", "runs", "--only", "epochs=500"]
    killed = subprocess.Popen([sys.executable, "-m", "elcrec.cli", *command], cwd=tmp_path, stderr=subprocess.DEVNULL)
    history = tmp_path / "runs" / "try"

    def epochs() -> int:
        return sum(len(path.read_text().splitlines()) for path in history.glob("*/history.jsonl"))

    try:
        deadline = time.monotonic() + 300
        while epochs() < 1:
            assert killed.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        killed.kill()
        killed.wait()
    deadline, before = time.monotonic() + 60, -1
    while (now := epochs()) != before:
        assert time.monotonic() < deadline, "the training goes on"
        before = now
        time.sleep(4)


def test_baselines_are_judged_on_the_same_part_of_the_log(tmp_path: Path) -> None:
    shop_log().write_csv(tmp_path / "shop.csv")
    text = SUITE.format(data="shop.csv").replace("[1, 2]", "[1]").split('[[rows]]\nrecipe = "default"\nname = "one')[0]
    text = text.replace('recipe = "popularity"', 'recipe = "popularity"\nset = { split = "global_time" }')
    (tmp_path / "try.toml").write_text(text.replace("epochs = 2,", 'epochs = 2, split = "global_time",'))
    lines = run_cli(
        "benchmark", tmp_path / "try.toml", "--out", tmp_path, "--work", tmp_path / "runs", "--json"
    ).document()
    assert len(lines) == 2
    found = [json.loads(path.read_text()) for path in (tmp_path / "try").glob("*.json")]
    for part in ("valid", "test"):
        assert len({each["metrics"][part]["n_users"] for each in found}) == 1
    assert found[0]["metrics"]["valid"]["n_users"] != found[0]["metrics"]["test"]["n_users"]
    ranks = [pl.read_parquet(path) for path in (tmp_path / "try" / "ranks").glob("*.parquet")]
    for part in ("valid", "test"):
        asked = [frame[part].ne_missing(0) for frame in ranks]
        assert asked[0].equals(asked[1])
        assert asked[0].sum() == found[0]["metrics"][part]["n_users"]


def test_runs_that_would_share_a_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "best.toml").write_text('extends = "default"\n')
    rows = "".join(f'[[rows]]\nrecipe = "{tmp_path / folder / "best.toml"}"\n' for folder in ("a", "b"))
    (tmp_path / "try.toml").write_text(f'name = "try"\ndata = ["{shop_csv(tmp_path).name}"]\n{rows}')
    assert "different names" in run_cli("benchmark", tmp_path / "try.toml", "--dry-run").complaint()
