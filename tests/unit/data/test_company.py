"""The generated company is what it says: Zipf's law, intents that hold and drift, order of time, flat memory."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cli_runner import SMALL_SETS, run_cli
from elcrec.data.catalogue import Catalogue
from elcrec.data.company import ZIPF, Company, write_company
from elcrec.data.groceries import Groceries
from elcrec.data.interactions import Interactions
from elcrec.errors import RunError
from elcrec.storage import TABLE_FORMATS

SIZES = {"n_users": 20_000, "n_items": 4_000, "n_interactions": 400_000, "n_intents": 8}


def generated(**changes: float) -> tuple[Company, pl.DataFrame]:
    """A company, and its log with the shelf and the popularity rank of every item."""
    company = Company(**{**SIZES, **changes})  # type: ignore[arg-type]
    items = company.catalogue().select(
        "item_id", shelf="category", rank=pl.col("title").str.extract(r"item (\d+)$").cast(pl.Int64)
    )
    return company, pl.concat(company.events()).join(items, on="item_id", maintain_order="left")


@pytest.fixture(scope="module")
def plain() -> pl.DataFrame:
    """The log of the default company in small."""
    return generated()[1]


def test_a_log_has_its_size_and_is_in_order_of_time(plain: pl.DataFrame) -> None:
    assert plain.height == SIZES["n_interactions"]
    assert plain["timestamp"].is_sorted()
    assert plain["timestamp"].dt.year().unique().to_list() == [2025]
    assert plain["user_id"].is_between(1, SIZES["n_users"]).all()
    assert sorted(plain["item_id"].unique()) == list(range(1, SIZES["n_items"] + 1))
    # Rows of users are mixed, as in a company's log: neighbours are hardly ever of the same user.
    assert (plain["user_id"].diff() == 0).mean() < 0.01


def test_items_of_an_intent_are_bought_by_zipfs_law(plain: pl.DataFrame) -> None:
    counts = plain.group_by("rank").len().filter(pl.col("rank").is_between(5, 150))
    slope = np.polyfit(np.log(counts["rank"]), np.log(counts["len"]), 1)[0]
    assert slope == pytest.approx(-ZIPF, abs=0.08)


def test_users_differ_in_activity(plain: pl.DataFrame) -> None:
    lengths = plain.group_by("user_id").len()["len"]
    assert lengths.median() < 0.75 * lengths.mean()
    assert lengths.quantile(0.99) > 4 * lengths.mean()


def test_what_a_user_buys_next_is_on_the_same_shelf_unless_he_follows_the_crowd() -> None:
    def loyalty(difficulty: float) -> float:
        log = generated(difficulty=difficulty)[1].sort("user_id", maintain_order=True)
        same_user = log["user_id"].diff() == 0
        return float((log["shelf"] == log["shelf"].shift()).filter(same_user).mean())  # type: ignore[arg-type]

    intent_alone, some, crowd_alone = loyalty(0.0), loyalty(0.2), loyalty(1.0)
    assert intent_alone > 0.85  # the rest are changes of mind
    assert crowd_alone < 0.25
    assert some == pytest.approx(intent_alone * 0.8**2, abs=0.1)


def test_users_change_their_minds_while_the_log_runs() -> None:
    log = generated(difficulty=0.0, n_interactions=800_000)[1]
    spans = log.group_by("user_id").agg(
        pl.len(),
        changes=(pl.col("shelf") != pl.col("shelf").shift()).sum(),
        first=pl.col("shelf").first(),
        last=pl.col("shelf").last(),
    )
    busy = spans.filter(pl.col("len") > 100)
    # Two changes on average, of which one in eight or so is to the same shelf.
    assert 1.2 < busy["changes"].mean() < 2.2  # type: ignore[operator]
    assert 0.5 < (busy["first"] != busy["last"]).mean() < 0.9  # type: ignore[operator]


def test_the_mix_of_intents_drifts_as_planted() -> None:
    company, log = generated(difficulty=0.0)
    tenth = log.height // 10
    shares = [
        part.group_by("shelf").len().sort("shelf")["len"].to_numpy() / tenth for part in (log[:tenth], log[-tenth:])
    ]
    planted = company.shares(1) - company.shares(0)
    assert np.abs(planted).max() > 0.05
    assert np.corrcoef(shares[1] - shares[0], planted)[0, 1] > 0.9
    np.testing.assert_allclose(shares[0], company.shares(0.05), atol=0.02)


def test_shelves_can_be_found_from_the_log_alone(plain: pl.DataFrame) -> None:
    """Items that users take one after the other are neighbours; spectral clustering of these finds the shelves."""
    from sklearn.cluster import SpectralClustering
    from sklearn.metrics import adjusted_rand_score

    popular = plain.group_by("item_id", "shelf").len().sort("len").tail(300).sort("item_id")
    number = pl.col("item_id").replace_strict(popular["item_id"], np.arange(300), default=None)
    log = plain.sort("user_id", maintain_order=True).with_columns(number=number)
    pairs = (
        log.select("number", after=pl.col("number").shift(-1), same=pl.col("user_id") == pl.col("user_id").shift(-1))
        .filter("same")
        .drop_nulls()
    )
    beside = np.zeros((300, 300))
    np.add.at(beside, (pairs["number"].to_numpy(), pairs["after"].to_numpy()), 1.0)
    found = SpectralClustering(8, affinity="precomputed", random_state=0).fit_predict(beside + beside.T)
    assert adjusted_rand_score(popular["shelf"].to_list(), found) > 0.9


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    def written(name: str, seed: int) -> bytes:
        write_company(Company(500, 100, 30_000, 4, seed=seed), tmp_path / name, lambda done: None)
        return (tmp_path / name).read_bytes()

    assert written("a", 1) == written("b", 1)
    assert written("a", 1) != written("c", 2)


@pytest.mark.parametrize("kinds", [False, True])
@pytest.mark.parametrize("ending", TABLE_FORMATS)
def test_every_table_holds_the_same_log(ending: str, kinds: bool, tmp_path: Path) -> None:
    company = Company(50, 40, 1_000, 4, kinds=kinds)
    write_company(company, tmp_path / f"log{ending}", lambda done: None)
    again, log = (
        Interactions.read(one, kinds=kinds) for one in (tmp_path / f"log{ending}", pl.concat(company.events()))
    )
    assert again.frame.cast({"timestamp": log.frame["timestamp"].dtype}).equals(log.frame)


@pytest.mark.parametrize(
    "company", [Company(400, 300, 900, 4), Company(30, 20, 90, 4, kinds=True), Groceries(60, 40, 300, 4)]
)
def test_what_is_said_of_a_log_is_what_was_written(company: Company, tmp_path: Path) -> None:
    written = write_company(company, tmp_path / "log.csv", lambda done: None)
    log = pl.read_csv(tmp_path / "log.csv")
    assert written == (len(log), log["user_id"].n_unique(), log["item_id"].n_unique())


def test_progress_is_told_and_ends_at_all_rows(tmp_path: Path) -> None:
    told: list[int] = []
    write_company(Company(500, 100, 12_345, 4), tmp_path / "log.parquet", told.append)
    assert told == sorted(told)
    assert told[-1] == 12_345


def test_a_log_that_cannot_be_finished_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    path.write_bytes(b"before")

    def stop(done: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match="what was there is kept"):
        write_company(Company(500, 100, 10_000, 4), path, stop)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_command_leaves_nothing_behind(tmp_path: Path) -> None:
    sizes = ("--users", "1000", "--items", "1000", "--interactions", "1000000000")
    command = ["data", "generate", "--out", str(tmp_path / "log.parquet"), *sizes]
    words = [sys.executable, "-m", "elcrec.cli", *command]
    # Where the tests run in the background of a shell, Ctrl-C is ignored, and that is inherited.
    heeding = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, **heeding)
    try:
        while not any(path.stat().st_size for path in tmp_path.iterdir()):
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130
    finally:
        process.kill()
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_a_log_and_metadata_that_others_read(tmp_path: Path) -> None:
    out, metadata = tmp_path / "log.parquet", tmp_path / "items.parquet"
    sizes = ("--users", 300, "--items", 60, "--interactions", 5000, "--intents", 3)
    outcome = run_cli("data", "generate", "--out", out, *sizes, "--metadata", metadata, "--json")
    assert outcome.document() == {"out": str(out), "rows": 5000, "metadata": str(metadata)}
    log, items = Interactions.read(out), Catalogue.read(metadata)
    assert (len(log), len(items)) == (5000, 60)
    assert items.pairs()["attribute"].n_unique() == 3


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (("--users", 0), "users=0"),
        (("--items", 5), "items=5"),
        (("--interactions", 0), "interactions=0"),
        (("--intents", 0), "intents=0"),
        (("--difficulty", 1.5), "difficulty=1.5"),
    ],
)
def test_an_impossible_company_is_refused(tmp_path: Path, wrong: tuple[str, object], says: str) -> None:
    out = tmp_path / "log.parquet"
    assert says in run_cli("data", "generate", "--out", out, *wrong).complaint()
    assert not out.exists()


MEASURED = """
import sys
from pathlib import Path
from elcrec.data.company import Company, write_company

rows = int(sys.argv[2])
write_company(Company(100_000, 20_000, rows), Path(sys.argv[1]), lambda done: None)
# Not ru_maxrss, which begins with what the parent held.
print(next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_memory_does_not_grow_with_the_number_of_interactions(tmp_path: Path) -> None:
    def peak_mb(rows: int) -> int:
        command = [sys.executable, "-c", MEASURED, str(tmp_path / "log.parquet"), str(rows)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    # The larger log is 120 MB as a table; what may differ is the blocks (1M rows at most) that are on their way.
    assert peak_mb(5_000_000) - peak_mb(500_000) < 100


def test_a_prepared_log_trains_what_the_log_itself_trains(tmp_path: Path) -> None:
    sizes = ["--users", 60, "--items", 30, "--interactions", 900, "--intents", 3, "--seed", 4]
    run_cli("data", "generate", "--out", tmp_path / "log.parquet", *sizes)
    told = run_cli(
        "data", "prepare", tmp_path / "log.parquet", "--out", tmp_path / "sorted.parquet", "--json"
    ).document()
    prepared = pl.read_parquet(tmp_path / "sorted.parquet")
    assert told == {"out": str(tmp_path / "sorted.parquet"), "rows": 900, "users": prepared["user_id"].n_unique()}
    assert prepared.equals(pl.read_parquet(tmp_path / "log.parquet").sort("user_id", "timestamp", maintain_order=True))
    metrics = [
        run_cli("train", tmp_path / name, "--out", tmp_path / "run", *SMALL_SETS, "--overwrite", "--json").document()
        for name in ("log.parquet", "sorted.parquet")
    ]
    assert metrics[0]["valid"] == metrics[1]["valid"]


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_a_prepared_log_is_read_as_the_log_it_was_made_of(ending: str, tmp_path: Path) -> None:
    log, prepared = tmp_path / f"log{ending}", tmp_path / f"sorted{ending}"
    sizes = ("--users", 20, "--items", 10, "--interactions", 100, "--intents", 2)
    run_cli("data", "generate", "--out", log, *sizes)
    assert run_cli("data", "prepare", log, "--out", prepared, "--json").document()["rows"] == 100
    assert Interactions.read(prepared).frame.equals(Interactions.read(log).frame)


def test_a_log_that_csv_cannot_hold_is_not_prepared_as_csv(tmp_path: Path) -> None:
    pl.DataFrame({"user_id": ["1", "2"], "item_id": ["3", "3"]}).write_parquet(tmp_path / "log.parquet")
    complaint = run_cli("data", "prepare", tmp_path / "log.parquet", "--out", tmp_path / "sorted.csv").complaint()
    assert "user_id" in complaint
    assert "sorted.parquet" in complaint
    assert not (tmp_path / "sorted.csv").exists()
