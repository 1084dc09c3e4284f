"""A study from its TOML file to tables, interrupted and gone on with."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cli_runner import Outcome, baskets_log, run_cli, shop_csv, shop_log
from elcrec import ELCRec
from elcrec.errors import SettingsError
from elcrec.experiments.run import execute
from elcrec.experiments.suite import read_suite

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
    assert page.count("<svg") == 3
    assert page.count('class="best"') >= 7, "in each column of a metric"
    epochs = page[page.index("validation ndcg@20 by epoch") : page.index("validation ndcg@20 by second")]
    ticks = re.findall(r'id="xtick_.*?<text[^>]*>([^<]*)</text>', epochs, flags=re.S)
    assert ticks
    assert all(tick.isdigit() for tick in ticks), "there is no half an epoch"
    assert "var(--c1)" in epochs, "plots follow the theme of the page"
    assert "http://" not in re.sub(r'xmlns[:\w]*="[^"]*"|<!DOCTYPE[^>]*>|<rdf:RDF.*?</rdf:RDF>', "", page, flags=re.S)


def test_what_is_done_is_not_done_again(study: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (study / "try").glob("*.json")}
    first = next(iter(before))
    kept = first.read_text()
    first.unlink()
    planned = run_cli("benchmark", study / "try.toml", "--out", study, "--dry-run", "--json").document()
    assert [each["run"] for each in planned if not each["done"]] == [first.stem]
    outcome = run_cli("benchmark", study / "try.toml", "--out", study, "--work", study / "runs")
    assert outcome.err.count("done already") == 4
    assert json.loads(first.read_text())["metrics"] == json.loads(kept)["metrics"]
    assert all(path.stat().st_mtime_ns == time for path, time in before.items() if path != first)


def test_the_same_run_is_taken_over_from_another_study(study: Path) -> None:
    text = SUITE.format(data=next(study.glob("*.csv")).name).replace('name = "try"', 'name = "again"\nreuse = ["try"]')
    (study / "again.toml").write_text(text.replace('"one epoch"', '"one"'))
    outcome = run_cli("benchmark", study / "again.toml", "--out", study, "--only", "epochs=1")
    assert outcome.err.count("result reused from try") == 2
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
        (('name = "try"', 'name = ".."'), "name"),
        (('about = "What', 'abuot = "What'), "did you mean 'about'"),
        (('recipe = "popularity"', 'recip = "popularity"'), "row 1.recip is unknown: did you mean 'recipe'"),
        (("seeds = [1, 2]", "seeds = [1.5]"), "seeds"),
        (("seeds = [1, 2]", "seeds = [-1]"), "seed=-1"),
        (("seeds = [1, 2]", 'seeds = ["1"]'), "seeds"),
        (("set = { epochs = 1,", "set = { seed = 5,"), "write seeds ="),
        (("vary = { noise = [0.0, 0.5] }", "vary = { seed = [1, 2] }"), "write seeds ="),
        (("vary = { noise = [0.0, 0.5] }", "vary = { epochs = [1, 2] }"), "in set and in vary"),
        (("vary = { noise = [0.0, 0.5] }", "vary = { noise = [] }"), "vary.noise"),
        (("noise = [0.0, 0.5]", "noise = [0.0, -1]"), "noise=-1"),
        (("noise = [0.0, 0.5]", "noise = [0.0, 5]"), "noise=5"),
        (("noise = [0.0, 0.5]", "noise = [nan]"), "noise=nan"),
        (("noise = [0.0, 0.5]", 'noise = ["0.5"]'), "noise='0.5'"),
        (('name = "one epoch"', 'name = "small"\ndata = ["none.csv"]'), "no such file: none.csv"),
        (("set = { epochs = 1,", 'set = { user_column = "nobody", epochs = 1,'), "row 'one epoch noise=0.0' on"),
        (("set = { epochs = 1,", "set = { k_core = 9999, epochs = 1,"), "no interaction is left"),
        (("set = { epochs = 1,", "set = { n_heads = 3, epochs = 1,"), "row 'one epoch noise=0.0': n_heads=3 must"),
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


BASKETS = """
name = "baskets"
data = ["log.csv"]
against = "usual"

[[rows]]
recipe = "tifu-knn"
name = "usual"
set = { exclude_seen = false }

[[rows]]
recipe = "popularity"

[[rows]]
recipe = "default"
name = "model"
set = { epochs = 1, epoch_steps = 1, n_layers = 1, embedding_dim = 16, baselines = false, max_seq_len = 20 }
"""


def test_baselines_and_models_predict_the_same_baskets(tmp_path: Path, quick: None) -> None:
    """What a log chooses holds for both, and users are compared by the NDCG of their basket."""
    baskets_log().write_csv(tmp_path / "log.csv")
    (tmp_path / "baskets.toml").write_text(BASKETS)
    arguments = ("benchmark", tmp_path / "baskets.toml", "--out", tmp_path, "--work", tmp_path / "runs", "--json")
    lines = {line["row"]: line for line in run_cli(*arguments).document()}
    found = {
        one["row"]: one for path in (tmp_path / "baskets").glob("*.json") for one in [json.loads(path.read_text())]
    }
    for one in found.values():
        assert (one["chosen"]["ties"], one["chosen"]["split"]) == ("shuffle", "leave_one_basket_out")
        assert one["metrics"]["test"]["n_users"] == 80
        assert "recall@10" in one["metrics"]["test"]
    assert found["model"]["chosen"]["exclude_seen"] is False
    for row in ("model", "popularity"):
        line = lines[row]
        assert line["left_out_users"] == 0
        assert line["difference"]["mean"] == pytest.approx(line["test"]["ndcg@20"] - lines["usual"]["test"]["ndcg@20"])
    assert lines["model"]["judged_by_other"] == []
    assert lines["popularity"]["judged_by_other"] == ["exclude_seen"]


def test_rows_that_would_share_a_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "best.toml").write_text('extends = "default"\n')
    rows = "".join(f'[[rows]]\nrecipe = "{tmp_path / folder / "best.toml"}"\n' for folder in ("a", "b"))
    (tmp_path / "try.toml").write_text(f'name = "try"\ndata = ["{shop_csv(tmp_path).name}"]\n{rows}')
    assert "different names" in run_cli("benchmark", tmp_path / "try.toml", "--dry-run").complaint()


COUNTED = """
name = "count"
data = [{data}]
{more}
[[rows]]
recipe = "popularity"
"""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are done in this process: starting another takes longer than counting."""
    monkeypatch.setattr("elcrec.experiments.suite_runner._in_a_process", execute)


def count(folder: Path, data: str, rows: str = "", *options: object) -> Outcome:
    """A study that takes no training."""
    (folder / "count.toml").write_text(COUNTED.format(data=data, more="") + rows)
    return run_cli("benchmark", folder / "count.toml", "--out", folder, "--work", folder / "runs", *options)


def counted(folder: Path) -> dict[str, dict]:
    return {path.stem: json.loads(path.read_text()) for path in sorted((folder / "count").glob("*.json"))}


def test_another_file_of_the_same_name_is_other_data(tmp_path: Path, quick: None) -> None:
    for number, name in enumerate(("a", "b", "c")):
        (tmp_path / name).mkdir()
        shop_log(100, 1 + number % 2).write_csv(tmp_path / name / "shop.csv")
    assert "done already" not in count(tmp_path, '"a/shop.csv"').err
    assert "done already" not in count(tmp_path, '"b/shop.csv"').err
    assert len({document["key"] for document in counted(tmp_path).values()}) == 2
    assert len({document["metrics"]["test"]["ndcg@20"] for document in counted(tmp_path).values()}) == 2
    # The same content elsewhere is the same; both in one study are two data sets of its table.
    outcome = count(tmp_path, '"c/shop.csv", "b/shop.csv"', "", "--json")
    assert outcome.err.count("done already") == 2
    assert [line["dataset"] for line in outcome.document()] == ["shop.csv", "shop.csv"]
    text = (tmp_path / "count" / "summary.md").read_text()
    for document in counted(tmp_path).values():
        assert f"shop ({document['data'][:8]})" in text


def test_a_log_that_has_grown_is_counted_again(tmp_path: Path, quick: None) -> None:
    log = shop_log(60)
    log.head(len(log) - 40).write_csv(tmp_path / "shop.csv")
    count(tmp_path, '"shop.csv"')
    log.write_csv(tmp_path / "shop.csv")
    listed = count(tmp_path, '"shop.csv"', "", "--dry-run", "--json").document()
    assert [each["done"] for each in listed] == [False]


def test_a_result_of_another_version_is_another_result(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop_csv(tmp_path)
    count(tmp_path, '"shop-300-1.csv"')
    assert count(tmp_path, '"shop-300-1.csv"', "", "--dry-run", "--json").document()[0]["done"]
    monkeypatch.setattr("elcrec.experiments.key.package_version", lambda: "9.9.9")
    assert not count(tmp_path, '"shop-300-1.csv"', "", "--dry-run", "--json").document()[0]["done"]


def test_damaged_and_foreign_results(tmp_path: Path, quick: None) -> None:
    shop_csv(tmp_path)
    count(tmp_path, '"shop-300-1.csv"')
    [(name, kept)] = counted(tmp_path).items()
    path = tmp_path / "count" / f"{name}.json"
    path.write_text(path.read_text()[:200])
    assert f"{path} is missing or damaged" in (again := count(tmp_path, '"shop-300-1.csv"')).err
    assert "the run will be repeated" in again.err
    assert counted(tmp_path)[name]["metrics"] == kept["metrics"]
    (tmp_path / "count" / "ranks" / f"{name}.parquet").unlink()
    assert "its ranks are missing" in (again := count(tmp_path, '"shop-300-1.csv"')).err
    assert "done already" not in again.err
    # One of another suite does not count, and is not in the tables.
    (tmp_path / "count" / "other.json").write_text(json.dumps({**kept, "suite": "other", "row": "foreign"}))
    (tmp_path / "count" / "ranks" / "other.parquet").write_bytes(b"")
    outcome = count(tmp_path, '"shop-300-1.csv"', "", "--json")
    assert [line["row"] for line in outcome.document()] == ["popularity"]
    assert "1 result in" in outcome.err
    (tmp_path / "count" / "other.json").write_text("{")
    assert "other.json" in count(tmp_path, '"shop-300-1.csv"').complaint()


def test_a_run_that_two_rows_ask_for_is_done_once(tmp_path: Path, quick: None) -> None:
    shop_csv(tmp_path)
    row = '[[rows]]\nrecipe = "popularity"\nname = "the same"\nset = { k_core = 1 }\n'
    outcome = count(tmp_path, '"shop-300-1.csv"', row, "--json")
    assert outcome.err.count("result reused from count") == 1
    one, other = outcome.document()
    assert (one["row"], other["row"]) == ("popularity", "the same")
    assert one["test"] == other["test"]
    assert other["difference"] == {"mean": 0, "low": 0, "high": 0, "p": 1}
    assert count(tmp_path, '"shop-300-1.csv"', row).err.count("done already") == 2
    alone = '[[rows]]\nrecipe = "popularity"\nname = "again"\n'
    assert "are the same run" in count(tmp_path, '"shop-300-1.csv"', alone).complaint()


def test_a_row_with_other_settings_is_not_a_seed_more(tmp_path: Path, quick: None) -> None:
    shop_csv(tmp_path)
    row = '[[rows]]\nrecipe = "markov"\nname = "m"\nset = {{ min_item_count = {} }}\n'
    count(tmp_path, '"shop-300-1.csv"', row.format(5))
    outcome = count(tmp_path, '"shop-300-1.csv"', row.format(15), "--json")
    assert "left out of the tables: 1 result of other settings" in outcome.err
    assert [line["seeds"] for line in outcome.document()] == [[0], [0]]
    # What the suite has now is shown, whichever of its runs were asked for.
    for option in (("--tables",), ("--only", "popularity")):
        again = count(tmp_path, '"shop-300-1.csv"', row.format(15), *option, "--json")
        assert again.document() == outcome.document()
    # Of settings that nothing was run with, none are taken for them.
    refused = count(tmp_path, '"shop-300-1.csv"', row.format(7), "--only", "popularity")
    assert "results of several settings" in refused.complaint()
    assert "done already" not in refused.err


def test_tables_say_when_a_row_has_changed_since(tmp_path: Path, quick: None) -> None:
    shop_csv(tmp_path)
    row = '[[rows]]\nrecipe = "markov"\nname = "m"\nset = {{ min_item_count = {} }}\n'
    count(tmp_path, '"shop-300-1.csv"', row.format(5))
    outcome = count(tmp_path, '"shop-300-1.csv"', row.format(15), "--tables")
    assert outcome.code == 0
    assert "1 result of other settings than the suite has now" in outcome.err
    assert "has now" not in count(tmp_path, '"shop-300-1.csv"', row.format(5), "--tables").err
    # A suite of another version is shown as far as it can be.
    outcome = count(tmp_path, '"shop-300-1.csv"', row.format(5).replace("min_item_count", "mini"), "--tables")
    assert outcome.code == 0
    assert "the suite cannot be run" in outcome.err


OTHER_COLUMNS = """
name = "columns"
data = ["shop.csv"]

[[rows]]
recipe = "default"
name = "model"
set = {{ {data}, epochs = 1, n_layers = 1, embedding_dim = 16, n_intents = 8, epoch_steps = 1, judged_users = 10 }}
vary = {{ noise = [0.0, 0.5] }}

[[rows]]
recipe = "popularity"
set = {{ {data} }}

[[rows]]
recipe = "markov"
"""


def test_models_baselines_and_noise_read_the_same_log(tmp_path: Path) -> None:
    # Beside the usual names stand columns of other users and items, who are asked for.
    log = shop_log(300)
    other = log.rename({"user_id": "customer", "item_id": "product", "timestamp": "at"}).with_columns(
        user_id=pl.col("product"), item_id=pl.col("customer")
    )
    other.write_csv(tmp_path / "shop.csv")
    names = 'user_column = "customer", item_column = "product", timestamp_column = "at", k_core = 3'
    data = f'{names}, split = "global_time", holdout_share = 0.2'
    (tmp_path / "columns.toml").write_text(OTHER_COLUMNS.format(data=data))
    outcome = run_cli("benchmark", tmp_path / "columns.toml", "--out", tmp_path, "--work", tmp_path / "runs", "--json")
    lines = {line["row"]: line for line in outcome.document()}
    found = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "columns").glob("*.json")}
    ranks = {name: pl.read_parquet(tmp_path / "columns" / "ranks" / f"{name}.parquet") for name in found}
    same = [name for name in found if found[name]["recipe"] != "markov"]
    assert len(same) == 3
    for name in same:
        asked = ranks[name].filter(pl.col("test").ne_missing(0))
        assert set(asked["user_id"]) <= set(log["user_id"])
        assert (
            asked.select("user_id", "test_item_id")
            .sort("user_id")
            .equals(
                ranks[same[0]].filter(pl.col("test").ne_missing(0)).select("user_id", "test_item_id").sort("user_id")
            )
        )
        for part in ("valid", "test"):
            metrics, rank = found[name]["metrics"][part], ranks[name].filter(pl.col(part).ne_missing(0))[part]
            assert metrics["n_users"] == len(rank) > 10
            assert (rank.fill_null(10**6) <= 10).mean() == pytest.approx(metrics["hit_rate@10"])
    for row in next(row for row in lines if row.startswith("popularity")), "model noise=0.5":
        assert lines[row]["left_out_users"] == 0
        expected = lines[row]["test"]["ndcg@20"] - lines["model noise=0.0"]["test"]["ndcg@20"]
        assert lines[row]["difference"]["mean"] == pytest.approx(expected)
    assert lines["markov"]["difference"] is None  # of other users


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_a_suite_in_another_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "try.toml").write_bytes(COUNTED.format(data='"é.csv"', more="").encode(encoding))
    assert "try.toml" in run_cli("benchmark", tmp_path / "try.toml", "--out", tmp_path / "out").complaint()
    assert not (tmp_path / "out").exists()


def test_what_a_study_needs_is_there_before_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop_csv(tmp_path)
    assert "cuda" in count(tmp_path, '"shop-300-1.csv"', "", "--device", "cuda:77").complaint()
    assert "no run has 'markof'" in count(tmp_path, '"shop-300-1.csv"', "", "--only", "markof").complaint()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "matplotlib" in count(tmp_path, '"shop-300-1.csv"', "", "--plots").complaint()
    assert not (tmp_path / "count").exists()


def die(*_: object) -> None:
    os._exit(9)


def test_a_run_whose_process_is_killed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop_csv(tmp_path)
    monkeypatch.setattr("elcrec.experiments.suite_runner.execute", die)
    assert "was killed" in count(tmp_path, '"shop-300-1.csv"').complaint()


def test_a_run_that_diverges_is_an_outcome_and_the_others_are_done(tmp_path: Path, quick: None) -> None:
    shop_csv(tmp_path)
    bad = '[[rows]]\nrecipe = "default"\nname = "wild"\nset = { learning_rate = 1e30, epochs = 1, epoch_steps = 2 }\n'
    after = '[[rows]]\nrecipe = "markov"\n'
    outcome = count(tmp_path, '"shop-300-1.csv"', bad + after)
    assert outcome.code == 2
    assert [document["recipe"] for document in counted(tmp_path).values()] == ["markov", "popularity"]
    assert "markov" in outcome.out
    last = outcome.err.splitlines()[-1]
    assert "elcrec: 1 of 3 runs failed" in last
    assert "lower learning_rate" in last
    assert count(tmp_path, '"shop-300-1.csv"', bad + after).err.count("done already") == 2
    assert "runs failed (" in count(tmp_path, '"shop-300-1.csv"', bad + after, "--only", "1e+30").complaint()


def test_what_may_surprise_in_a_run_is_said_in_a_line(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user_id": [f"u{at // 6}" for at in range(60)], "item_id": ["a", "b", "c"] * 20})
    frame.write_csv(tmp_path / "again.csv")
    quick = "epochs = 1, epoch_steps = 2, embedding_dim = 16, n_intents = 2"
    row = f'[[rows]]\nrecipe = "default"\nset = {{ {quick}, exclude_seen = true }}\n'
    text = COUNTED.format(data='"again.csv"', more="") + row
    (tmp_path / "count.toml").write_text(text)
    command = [sys.executable, "-m", "elcrec.cli", "benchmark", "count.toml", "--out", "out", "--only", "epochs"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "\nwarning: 100.0% of the held-out items" in done.stderr
    assert "DataWarning" not in done.stderr


def test_a_result_that_does_not_count_is_named_in_the_plan(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop_csv(tmp_path)
    assert count(tmp_path, '"shop-300-1.csv"', "", "--dry-run", "--json").document()[0]["instead"] is None
    count(tmp_path, '"shop-300-1.csv"')
    [(name, kept)] = counted(tmp_path).items()
    path = tmp_path / "count" / f"{name}.json"

    def instead() -> str | None:
        [planned] = count(tmp_path, '"shop-300-1.csv"', "", "--dry-run", "--json").document()
        assert planned["done"] == (planned["instead"] is None)
        return planned["instead"]

    assert instead() is None
    monkeypatch.setattr("elcrec.experiments.key.package_version", lambda: "9.9.9")
    monkeypatch.setattr("elcrec.experiments.results.package_version", lambda: "9.9.9")
    assert instead() == f"{name}: made by elcrec {kept['versions']['elcrec']}"
    monkeypatch.undo()
    monkeypatch.setattr("elcrec.experiments.suite_runner._in_a_process", execute)
    path.write_text(json.dumps({**kept, "key": "0", "settings": {**kept["settings"], "k_core": 3}, "data": "d"}))
    assert instead() == f"{name}: k_core was 3, of another log"
    without = {field: value for field, value in kept.items() if field not in ("key", "data", "settings")}
    path.write_text(json.dumps(without))
    assert "neither a hash of its log nor its settings" in str(instead())
    assert f"cannot reuse the result {name}" in count(tmp_path, '"shop-300-1.csv"').err
    (tmp_path / "count" / "ranks" / f"{name}.parquet").unlink()
    assert instead() == f"{name}: its ranks are missing"


def test_names_are_listed_whole(tmp_path: Path, quick: None) -> None:
    shop_csv(tmp_path)
    outcome = count(tmp_path, '"shop-300-1.csv"', '[[rows]]\nrecipe = "markov"\nset = { k_core = 2 }\n', "--dry-run")
    assert "…" not in outcome.out
    assert "seed0" in outcome.out
