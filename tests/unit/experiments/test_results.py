"""What a result is known by, which results may stand in one table, and how rows are compared."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cli_runner import shop_log
from elcrec.config import Settings, resolve
from elcrec.data.interactions import Interactions
from elcrec.errors import DataError, ElcrecError, RunError, SettingsError
from elcrec.evaluation.metrics import SHOWN_METRICS
from elcrec.evaluation.significance import gains
from elcrec.experiments import provenance
from elcrec.experiments.key import content_hash, result_key
from elcrec.experiments.noise import with_noise
from elcrec.experiments.plan import PlannedRun, planned_runs
from elcrec.experiments.prepared import prepare
from elcrec.experiments.results import current, outdated, ranks_path, read_result, row_and_settings
from elcrec.experiments.run import side_by_side
from elcrec.experiments.suite import Suite, read_suite
from elcrec.experiments.summary import accuracy_table, lines_of

# ------------------------------------------------------------------ keys


def test_a_key_is_of_the_content_not_of_the_file(tmp_path: Path) -> None:
    log = shop_log(20)
    log.write_csv(tmp_path / "a.csv")
    log.write_parquet(tmp_path / "other.parquet")
    log.with_columns(pl.col("item_id").cast(pl.Categorical)).write_parquet(tmp_path / "categories.parquet")
    log.sample(fraction=1.0, shuffle=True, seed=3).write_csv(tmp_path / "b.csv")
    hashes = {content_hash(Interactions.read(path)) for path in tmp_path.iterdir()}
    assert len(hashes) == 1
    less = content_hash(Interactions.read(log.head(len(log) - 1)))
    later = content_hash(Interactions.read(log.with_columns(pl.col("timestamp").dt.offset_by("1s"))))
    without = content_hash(Interactions.read(log.drop("timestamp")))
    assert len({*hashes, less, later, without}) == 4


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=6))
def test_texts_that_join_to_the_same_are_not_the_same(items: list[str]) -> None:
    def of(ids: list[str]) -> str:
        frame = pl.DataFrame({"user_id": ["u"] * len(ids), "item_id": ids})
        return content_hash(Interactions(frame))

    split = [items[0][:1], items[0][1:], *items[1:]] if len(items[0]) > 1 else [*items, "x"]
    assert of(items) == of(list(items))
    assert of(items) != of(split)


def test_everything_that_makes_a_result_is_in_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = resolve("default").model_dump()
    keys = [
        result_key("a", "trained", plain, 0.0),
        result_key("b", "trained", plain, 0.0),
        result_key("a", "popularity", plain, 0.0),
        result_key("a", "trained", plain, 0.5),
        *(result_key("a", "trained", {**plain, name: "other"}, 0.0) for name in Settings.model_fields),
    ]
    monkeypatch.setattr("elcrec.experiments.key.package_version", lambda: "9.9.9")
    keys.append(result_key("a", "trained", plain, 0.0))
    assert len(set(keys)) == len(keys)


def suite(data: Path, *rows: dict[str, Any], **more: Any) -> Suite:
    return Suite.model_validate({"name": "try", "data": [str(data)], "rows": rows, **more})


def keys(data: Path, *rows: dict[str, Any], **more: Any) -> list[str]:
    return [run.key for run in planned_runs(suite(data, *rows, **more), data.parent)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    shop_log(30).write_csv(tmp_path / "shop.csv")
    return tmp_path / "shop.csv"


def test_settings_are_known_by_their_value_however_they_are_written(log: Path) -> None:
    (log.parent / "copy.toml").write_text('extends = "default"\nn_layers = 2\n')
    rows = [
        {"recipe": "default"},
        {"recipe": "default", "set": {"n_layers": 2}},
        {"recipe": "default", "set": {"n_layers": "2"}},
        {"recipe": str(log.parent / "copy.toml")},
        {"recipe": "default", "vary": {"noise": [0]}},
    ]
    assert len({*(keys(log, row)[0] for row in rows)}) == 1
    assert keys(log, {"recipe": "default", "set": {"n_layers": 1}}) != keys(log, rows[0])
    assert keys(log, rows[0], seeds=[2]) != keys(log, rows[0])
    assert keys(log, rows[0], seeds=[1, 1]) == keys(log, rows[0])


def test_a_baseline_is_known_by_what_it_takes(log: Path) -> None:
    popularity = keys(log, {"recipe": "popularity"}, seeds=[5, 6])
    assert len(popularity) == 1
    assert keys(log, {"recipe": "markov"}) != popularity
    assert keys(log, {"recipe": "popularity", "set": {"exclude_seen": False}}) != popularity


def test_names_of_any_setting_are_names_of_files(log: Path) -> None:
    frame = pl.read_csv(log).rename({"user_id": "a/b\n" + "x" * 300})
    frame.write_parquet(log.parent / "odd.parquet")
    row = {"recipe": "popularity", "set": {"user_column": frame.columns[0]}}
    [run] = planned_runs(suite(log.parent / "odd.parquet", row), log.parent)
    (log.parent / f"{run.name}.json").write_text("{}")
    assert run.key[:8] in run.name


def test_data_that_change_during_a_study_are_refused(log: Path) -> None:
    [run] = planned_runs(suite(log, {"recipe": "popularity"}), log.parent)
    assert len(run.read())
    log.write_text("\n".join(log.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(DataError, match="has changed since the suite began"):
        run.read()


# ------------------------------------------------------------------ noise


def histories(log: pl.DataFrame, settings: Settings, noise: float) -> tuple[Any, Any]:
    split = prepare(Interactions.read(log), settings).split
    return split, with_noise(split, noise, 1)


@pytest.mark.parametrize(
    "overrides",
    [{}, {"k_core": 5}, {"min_item_count": 12, "min_user_count": 5}, {"split": "global_time", "holdout_share": 0.3}],
    ids=str,
)
def test_noise_leaves_what_is_asked_for(overrides: dict[str, Any]) -> None:
    split, noisy = histories(shop_log(), resolve("default", overrides), 0.5)
    known = set(split.item_N.tolist())
    for part in ("valid", "test"):
        (user_Q, at_Q), (noisy_user_Q, noisy_at_Q) = split.targets(part), noisy.targets(part)
        assert torch.equal(user_Q, noisy_user_Q)
        assert torch.equal(split.item_N[at_Q], noisy.item_N[noisy_at_Q])
        for user, at, noisy_at in zip(user_Q.tolist(), at_Q.tolist(), noisy_at_Q.tolist(), strict=True):
            before = split.item_N[split.start_U[user] : at].tolist()
            mixed = noisy.item_N[noisy.start_U[user] : noisy_at].tolist()
            rest = iter(mixed)
            assert all(item in rest for item in before)  # the old ones are there, in order
            assert set(mixed) <= known
            old = int(split.train_end_U[user] - split.start_U[user])
            newest = len(before) - old
            assert mixed[len(mixed) - newest :] == before[old:]
    judged = (split.valid_U >= 0) | (split.test_U >= 0)
    old = int((split.train_end_U - split.start_U)[judged].sum())
    assert 0.3 < (len(noisy.item_N) - len(split.item_N)) / old < 0.7


def test_no_noise_is_the_log_and_all_noise_is_one_item_an_event() -> None:
    split, same = histories(shop_log(50), resolve("default"), 0.0)
    assert torch.equal(split.item_N, same.item_N)
    assert torch.equal(split.test_U, same.test_U)
    split, full = histories(shop_log(50), resolve("default"), 1.0)
    judged = split.test_U >= 0
    assert len(full.item_N) - len(split.item_N) == int((split.train_end_U - split.start_U)[judged].sum())


# ------------------------------------------------------------------ what stands in one table


def result(name: str, row: str = "a", seed: int = 1, version: str = "0.2.0", **more: Any) -> dict[str, Any]:
    document = {
        "suite": "try",
        "row": row,
        "dataset": "shop.csv",
        "recipe": "default",
        "overrides": {},
        "seed": seed,
        "epochs": 2,
        "best_epoch": 1,
        "train_seconds": 1.0,
        "peak_memory_bytes": 1,
        "metrics": {part: dict.fromkeys(SHOWN_METRICS, 0.1) for part in ("valid", "test")},
        "intents": None,
        "machine": {"processor": "x", "threads": 1, "gpu": None},
        "versions": {"elcrec": version},
        "commit": None,
        "date": "2026-01-01",
        "name": name,
        "key": name,
        "data": "d1",
        "settings": {"n_layers": 1, "seed": seed},
    }
    return {**document, **more}


def names(documents: list[dict[str, Any]]) -> list[str]:
    return [each["name"] for each in documents]


def legacy(name: str, **more: Any) -> dict[str, Any]:
    old = result(name, **more)
    return {field: value for field, value in old.items() if field not in ("key", "data", "settings")}


def test_a_row_is_never_a_mixture() -> None:
    seeds = [result("s1", seed=1), result("s2", seed=2), result("b", row="b")]
    assert names(current(seeds)[0]) == ["s1", "s2", "b"]
    older = [result("o1", seed=1, version="0.1.9"), result("o3", seed=3, version="0.1.10")]
    kept, left_out = current([*seeds, *older])
    assert (names(kept), names(left_out)) == (["s1", "s2", "b"], ["o1", "o3"])
    other = result("t1", settings={"n_layers": 2, "seed": 1})
    wanted = [row_and_settings("a", "default", {"n_layers": n, "seed": 7}, 0.0) for n in (1, 2)]
    assert names(current([*seeds, other], wanted[1:])[0]) == ["b", "t1"]
    assert names(current([*seeds, other], wanted[:1])[0]) == ["s1", "s2", "b"]
    assert outdated([*seeds, other], wanted[:1]) == ["b", "t1"]
    with pytest.raises(RunError, match="results of several settings"):
        current([*seeds, other])
    assert names(current([*seeds, result("again", key="s1")])[0]) == ["s1", "s2", "b"]


def test_results_without_keys_stand_until_there_are_better_ones() -> None:
    old = [legacy("l1"), legacy("l2", seed=2), legacy("lb", row="b")]
    assert names(current(old)[0]) == ["l1", "l2", "lb"]
    assert names(current([*old, result("s1")])[0]) == ["lb", "s1"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: "null",
        lambda text: text.replace('"metrics"', '"metric"'),
        lambda text: text.replace('"ndcg@20": 0.1', '"ndcg@20": null'),
        lambda text: text.replace('"epochs": 2', '"epochs": "many"'),
        lambda text: "",
    ],
)
def test_a_damaged_result_is_named(tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "a.json"
    whole = json.dumps(result("a"))
    path.write_text(whole)
    assert read_result(path)["seed"] == 1
    path.write_text(damage(whole))
    with pytest.raises(RunError, match=r"a\.json is"):
        read_result(path)


# ------------------------------------------------------------------ comparison


def ranks(folder: Path, name: str, test: dict[str, tuple[str, int | None]]) -> None:
    """Ranks of test items by user."""
    rows = [(user, item, rank) for user, (item, rank) in test.items()]
    frame = pl.DataFrame(rows, schema={"user_id": pl.String, "item_id": pl.String, "rank": pl.Int64}, orient="row")
    ranks_path(folder, name).parent.mkdir(exist_ok=True)
    side_by_side(frame, frame).write_parquet(ranks_path(folder, name))


def mean_gain(*found: int | None) -> float:
    return float(np.mean(gains(np.array([np.nan if rank is None else rank for rank in found], dtype=float), 20)))


def test_rows_are_compared_by_user_and_item(tmp_path: Path) -> None:
    ranks(tmp_path, "ours", {"u1": ("i1", 1), "u2": ("i2", 3), "u3": ("i3", None), "u4": ("i4", 1)})
    # Another order, one user more, one less, and one with another item to predict.
    ranks(tmp_path, "theirs", {"u5": ("i5", 1), "u3": ("i3", 7), "u2": ("i9", 1), "u1": ("i1", 2)})
    [line, _] = lines_of(tmp_path, [result("ours"), result("theirs", row="b")], against="b")
    assert line.compared is not None
    assert (line.compared.users, line.compared.left_out) == (2, 3)
    assert line.compared.difference.mean == pytest.approx(mean_gain(1, None) - mean_gain(2, 7))
    assert "2 of 5 users" in " ".join(accuracy_table([line])[1][0])


def test_rows_of_baskets_are_compared_by_user(tmp_path: Path) -> None:
    found = {
        "ours": {"valid": [("u1", "i8", 1)], "test": [("u1", "i1", 1), ("u1", "i2", 2), ("u2", "i3", None)]},
        "theirs": {
            "valid": [("u1", "i8", 1), ("u1", "i9", 2), ("u1", "i7", 3)],
            "test": [("u2", "i3", 1), ("u1", "i2", 1), ("u1", "i1", 2)],
        },
    }
    for name, parts in found.items():
        columns = {"user_id": pl.String, "item_id": pl.String, "rank": pl.Int64}
        valid, test = (pl.DataFrame(parts[part], schema=columns, orient="row") for part in ("valid", "test"))
        both = side_by_side(valid, test)
        assert len(both) == (3 if name == "ours" else 4)
        ranks_path(tmp_path, name).parent.mkdir(exist_ok=True)
        both.write_parquet(ranks_path(tmp_path, name))
    [line, _] = lines_of(tmp_path, [result("ours"), result("theirs", row="b")], against="b")
    assert line.compared is not None
    assert (line.compared.users, line.compared.left_out) == (2, 0)
    assert line.compared.difference.mean == pytest.approx((1 + 0) / 2 - (1 + 1) / 2)


def test_rows_that_are_judged_otherwise_say_so(tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        ranks(tmp_path, name, {"u1": ("i1", 1 if name == "ours" else 3), "u2": ("i2", 2)})
    documents = [
        result(name, row=name, settings={"k_core": k_core, "n_layers": k_core, "seed": 1})
        for name, k_core in (("theirs", 1), ("ours", 3))
    ]
    [_, line] = lines_of(tmp_path, documents)
    assert line.compared is not None
    assert line.compared.judged_by == ("k_core",)
    assert "evaluated with other k_core" in " ".join(accuracy_table([line])[1][0])


def test_rows_without_a_common_user_or_kind_of_id_are_not_compared(tmp_path: Path) -> None:
    ranks(tmp_path, "ours", {"1": ("i1", 1)})
    ranks(tmp_path, "theirs", {"2": ("i1", 2)})
    numbers = pl.read_parquet(ranks_path(tmp_path, "ours")).with_columns(pl.col("user_id").cast(pl.Int64))
    numbers.write_parquet(ranks_path(tmp_path, "numbers"))
    pl.DataFrame({"valid": [1], "test": [1]}).write_parquet(ranks_path(tmp_path, "old"))
    documents = [result("ours"), *(result(name, row=name) for name in ("theirs", "numbers", "old"))]
    assert [line.compared for line in lines_of(tmp_path, documents)] == [None] * 4


@pytest.mark.parametrize("seeds", [(0, 1, 2), (1, 2, 3)])
def test_a_baseline_is_compared_with_all_seeds(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    found = {seed: 1 + 2 * at for at, seed in enumerate(seeds)}
    for seed, rank in found.items():
        ranks(tmp_path, f"m{seed}", {"u1": ("i1", rank), "u2": ("i2", 1)})
    ranks(tmp_path, "p", {"u1": ("i1", 9), "u2": ("i2", 1)})
    documents = [result(f"m{seed}", seed=seed) for seed in seeds]
    documents.append(result("p", row="p", recipe="popularity", seed=0))
    [_, line] = lines_of(tmp_path, documents)
    assert line.compared is not None
    expected = mean_gain(9, 1) - np.mean([mean_gain(rank, 1) for rank in found.values()])
    assert line.compared.difference.mean == pytest.approx(expected)


def test_files_of_one_name_are_two_data_sets(tmp_path: Path) -> None:
    documents = [result("a"), result("b", data="d2")]
    lines = lines_of(tmp_path, current(documents)[0])
    assert [line.data for line in lines] == ["shop (d1)", "shop (d2)"]
    assert all(line.compared is None for line in lines)


def test_damaged_ranks_are_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        ranks(tmp_path, name, {"u1": ("i1", 1)})
    ranks_path(tmp_path, "b").write_bytes(b"PAR1")
    with pytest.raises(ElcrecError, match=r"b\.parquet"):
        lines_of(tmp_path, [result("a"), result("b", row="b")])


# ------------------------------------------------------------------ where it comes from


def repository(folder: Path, package: str) -> Path:
    """A clone that holds the package's file there."""
    file = folder / package / "benchmark" / "provenance.py"
    file.parent.mkdir(parents=True)
    shutil.copy(provenance.__file__, file)
    (folder / package / "__init__.py").touch()
    (folder / ".gitignore").write_text("venv/\n")
    as_us = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*as_us, *command], cwd=folder, check=True)
    return file


@pytest.mark.parametrize("package", ["venv/lib/elcrec", "vendored/elcrec", "sub/src/elcrec"])
def test_the_commit_of_somebody_elses_repository_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setattr(provenance, "__file__", str(repository(tmp_path, package)))
    assert provenance.provenance()["commit"] is None


def test_the_commit_of_our_clone_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = repository(tmp_path / "ours", "src/elcrec")
    repository(tmp_path / "theirs", "x")
    monkeypatch.setattr(provenance, "__file__", str(ours))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "theirs" / ".git"))  # as within a hook
    shown = subprocess.run(
        ["git", "--git-dir", str(tmp_path / "ours" / ".git"), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert provenance.provenance()["commit"] == shown.stdout.strip()
    (ours.parent.parent / "__init__.py").write_text("changed = 1\n")
    assert provenance.provenance()["commit"] == f"{shown.stdout.strip()}-dirty"


def test_a_run_says_what_it_is(log: Path) -> None:
    [run] = planned_runs(suite(log, {"recipe": "default", "set": {"epochs": 3}}), log.parent)
    assert isinstance(run, PlannedRun)
    assert run.deciding == resolve("default", {"epochs": 3}).model_dump(mode="json")
    assert run.key == result_key(run.content, "trained", run.deciding, run.noise)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("seeds = []", "seeds: write at least one"),
        ("seeds = 1", "seeds: write a list: [...]"),
        ("seeds = [1.5]", "seeds.0: use a whole number"),
        (
            "[[rows]]\nrecipe = 'default'\nset = { seed = 1 }",
            "row 2: seed cannot be a setting of a row: write seeds = [1, 2, 3]",
        ),
    ],
)
def test_a_mistake_in_a_suite_is_said_once(tmp_path: Path, more: str, says: str) -> None:
    rows = "[[rows]]\nrecipe = 'default'\n"
    text = f"{rows}{more}" if more.startswith("[[") else f"{more}\n{rows}"
    (tmp_path / "s.toml").write_text(f"name = 's'\ndata = ['x.csv']\n{text}\n")
    with pytest.raises(SettingsError) as refusal:
        read_suite(tmp_path / "s.toml")
    assert str(refusal.value) == f"suite {tmp_path / 's.toml'}: {says}"
