"""What scripts that call the command line rely on."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import torch
import typer
from safetensors.torch import save_file

from cli_runner import RUN_FILES, SMALL, SMALL_SETS, contents, run_cli, shop_csv
from elcrec import ELCRec
from elcrec.cli.app import app
from elcrec.config import Settings
from elcrec.data.synthetic import make_shop
from elcrec.evaluation.baselines import BASELINES
from elcrec.inference.policy import STRENGTH
from elcrec.model.published import published_names
from surface import of_verbs

CUTOFFS = (1, 5, 10, 20, 50)
VERBS = sorted(path.removeprefix("elcrec ") for path in of_verbs(typer.main.get_command(app)))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop_csv(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "shop"
    run_cli("train", shop, "--out", folder, *SMALL_SETS, "--json").document()
    return folder


@pytest.fixture(scope="module")
def log(shop: Path) -> pl.DataFrame:
    return pl.read_csv(shop)


# ---------------------------------------------------------------------- one document, nothing else


def test_train_prints_one_document_and_logs_to_stderr(shop: Path, tmp_path: Path) -> None:
    outcome = run_cli("train", shop, "--out", tmp_path / "run", *SMALL_SETS, "--json")
    document = outcome.document()
    assert document["run"] == str(tmp_path / "run")
    assert document["epochs"] == 2
    assert {"valid", "test", "intents", "best_epoch", "train_seconds"} <= set(document)
    assert "300 users" in outcome.err
    assert "epoch   2/2" in outcome.err


def test_train_without_json_shows_metrics_on_stdout(shop: Path, tmp_path: Path) -> None:
    outcome = run_cli("train", shop, "--out", tmp_path / "run", *SMALL_SETS)
    assert outcome.code == 0
    rows = [line.split()[0] for line in outcome.out.splitlines()]
    assert [row for row in rows if row not in BASELINES] == ["split", "valid", "test"]
    assert rows.count("popularity") == 2


@pytest.mark.parametrize("split", ["valid", "test"])
def test_evaluate_names_every_metric_within_its_range(run: Path, shop: Path, split: str) -> None:
    metrics = run_cli("evaluate", run, "--data", shop, "--split", split, "--json").document()
    for k in CUTOFFS:
        hit, ndcg, mrr = metrics[f"hit_rate@{k}"], metrics[f"ndcg@{k}"], metrics[f"mrr@{k}"]
        assert 0 <= mrr <= ndcg <= hit <= 1
        assert 0 < metrics[f"coverage@{k}"] <= 1
    hits = [metrics[f"hit_rate@{k}"] for k in CUTOFFS]
    assert hits == sorted(hits)
    assert metrics["n_users"] == 300
    assert metrics["split"] == split
    assert metrics["ceiling"] == 1  # in this shop nobody buys a thing twice


def test_evaluate_gives_what_training_reported(run: Path, shop: Path) -> None:
    reported = json.loads((run / "metrics.json").read_text())
    for split in ("valid", "test"):
        document = run_cli("evaluate", run, "--data", shop, "--split", split, "--json").document()
        assert document == reported[split]


def test_hit_rate_never_exceeds_the_ceiling_even_in_a_tiny_catalogue(tmp_path: Path) -> None:
    # Everybody takes the same three things again and again: no held-out item may be ranked.
    rows = [f"u{user},i{(user + step) % 3}" for user in range(20) for step in range(6)]
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id", *rows]))
    sets = (*SMALL_SETS, "--set", "exclude_seen=true")
    test = run_cli("train", tmp_path / "log.csv", "--out", tmp_path / "run", *sets, "--json").document()["test"]
    assert test["ceiling"] == 0
    assert test["hit_rate@50"] == 0


def test_ranks_file_has_each_users_rank(run: Path, shop: Path, tmp_path: Path) -> None:
    ranks = tmp_path / "ranks.parquet"
    metrics = run_cli("evaluate", run, "--data", shop, "--ranks", ranks, "--json").document()
    frame = pl.read_parquet(ranks)
    assert frame.columns == ["user_id", "item_id", "rank"]
    assert frame["user_id"].n_unique() == len(frame) == 300
    assert (frame["rank"] <= 10).mean() == pytest.approx(metrics["hit_rate@10"])


def test_recommend_users_prints_sorted_rows_without_seen_items(run: Path, log: pl.DataFrame) -> None:
    rows = run_cli("recommend", run, "--user", "shopper-00003", "--user", "shopper-00001", "-k", 7, "--json").document()
    assert [row["user_id"] for row in rows] == ["shopper-00003"] * 7 + ["shopper-00001"] * 7
    assert set(rows[0]) == {"user_id", "item_id", "score", "rank"}
    for user in ("shopper-00003", "shopper-00001"):
        mine = [row for row in rows if row["user_id"] == user]
        assert [row["rank"] for row in mine] == list(range(1, 8))
        assert [row["score"] for row in mine] == sorted((row["score"] for row in mine), reverse=True)
        items = {row["item_id"] for row in mine}
        assert len(items) == 7
        assert items <= set(log["item_id"])
        assert not items & set(log.filter(pl.col("user_id") == user)["item_id"])


def test_recommend_an_unseen_history(run: Path) -> None:
    rows = run_cli(
        "recommend", run, "--history", "tent pegs, cool box", "--history", "webcam", "-k", 3, "--json"
    ).document()
    assert [row["user_id"] for row in rows] == [None] * 6
    assert [row["history"] for row in rows] == [0, 0, 0, 1, 1, 1]
    assert [row["rank"] for row in rows] == [1, 2, 3, 1, 2, 3]
    assert not {row["item_id"] for row in rows[:3]} & {"tent pegs", "cool box"}


@pytest.mark.parametrize(
    "content",
    ['["tent pegs", "cool box"]', '[["tent pegs", "cool box"], ["webcam"]]', "\ufefftent pegs\r\n\n cool box\n"],
)
def test_a_history_may_stand_in_a_file(run: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "history").write_text(content, encoding="utf-8")
    asked = ["--history", "tent pegs,cool box", *(["--history", "webcam"] if "webcam" in content else [])]
    expected = run_cli("recommend", run, *asked, "-k", 3, "--json").document()
    assert run_cli("recommend", run, "--history-file", tmp_path / "history", "-k", 3, "--json").document() == expected


def test_ids_with_commas_can_be_asked_for(shop: Path, tmp_path: Path) -> None:
    log = pl.read_csv(shop).with_columns(pl.col("item_id") + ", new", pl.col("user_id") + ",1")
    log.write_csv(tmp_path / "log.csv")
    run_cli("train", tmp_path / "log.csv", "--out", tmp_path / "run", *SMALL_SETS, "--set", "epochs=1")
    for content in ('["tent pegs, new", "webcam, new"]', "tent pegs, new\nwebcam, new\n"):
        (tmp_path / "history").write_text(content)
        asked = ("recommend", tmp_path / "run", "--history-file", tmp_path / "history", "--json")
        assert len(run_cli(*asked).document()) == 10
    assert len(run_cli("recommend", tmp_path / "run", "--user", f"{log['user_id'][0]}", "--json").document()) == 10
    assert len(run_cli("similar", tmp_path / "run", "--item", "webcam, new", "--json").document()) == 10


def test_evaluate_reads_a_log_written_in_another_way(run: Path, shop: Path, tmp_path: Path) -> None:
    measured = run_cli("evaluate", run, "--data", shop, "--json").document()
    log = pl.read_csv(shop, schema_overrides={"timestamp": pl.String})
    odd = pl.DataFrame({"timestamp": ["5"], "item_id": ["NULL"], "user_id": ["shopper-00001"]})
    other = pl.concat([log.select("timestamp", "item_id", "user_id"), odd])
    other.write_csv(tmp_path / "other.csv", include_header=False, separator=";")
    asked = ("evaluate", run, "--data", tmp_path / "other.csv", "--columns", "timestamp,item_id,user_id")
    assert "missing=drop" in run_cli(*asked).complaint()
    assert run_cli(*asked, "--set", "missing=drop", "--json").document() == measured
    said = run_cli(*asked, "--set", "missing=drop", "--set", "max_seq_len=3").complaint()
    assert said.endswith("leave out max_seq_len=3")


def test_recommend_all_writes_a_parquet_file(run: Path, log: pl.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "lists.parquet"
    document = run_cli("recommend", run, "--all", "--out", out, "-k", 4, "--json").document()
    assert document == {"out": str(out), "rows": 1200}
    frame = pl.read_parquet(out)
    assert frame.columns == ["user_id", "item_id", "score", "rank"]
    assert frame["rank"].to_list() == [1, 2, 3, 4] * 300
    assert set(frame["user_id"]) == set(log["user_id"])
    assert frame.join(log, on=["user_id", "item_id"], how="semi").is_empty()
    assert os.listdir(tmp_path) == ["lists.parquet"]


def test_include_seen_brings_bought_items_back(run: Path, log: pl.DataFrame) -> None:
    rows = run_cli("recommend", run, "--user", "shopper-00001", "-k", 1000, "--include-seen", "--json").document()
    assert {row["item_id"] for row in rows} == set(log["item_id"])


def test_more_items_asked_than_there_are_gives_all_unseen_ones(run: Path, log: pl.DataFrame) -> None:
    rows = run_cli("recommend", run, "--user", "shopper-00001", "-k", 1000, "--json").document()
    bought = set(log.filter(pl.col("user_id") == "shopper-00001")["item_id"])
    assert {row["item_id"] for row in rows} == set(log["item_id"]) - bought


def test_who_has_had_all_that_is_allowed_is_named(run: Path, log: pl.DataFrame, tmp_path: Path) -> None:
    bought = log.filter(pl.col("user_id") == "shopper-00001")["item_id"].unique().to_list()
    allowed = tmp_path / "allowed.json"
    allowed.write_text(json.dumps(bought))
    given = ["recommend", run, "--user", "shopper-00001", "--user", "shopper-00003", "--allow", allowed]
    done = run_cli(*given, "--exclude-seen", "--json")
    assert {row["user_id"] for row in done.document()} <= {"shopper-00003"}
    assert "nothing to recommend for user shopper-00001" in done.err
    assert "--include-seen" in done.err
    assert "nothing to recommend" not in run_cli(*given, "--include-seen").err


def test_similar_leaves_the_item_itself_out(run: Path) -> None:
    rows = run_cli("similar", run, "--item", "tent pegs", "--item", "webcam", "-k", 5, "--json").document()
    assert [row["target_item_id"] for row in rows] == ["tent pegs"] * 5 + ["webcam"] * 5
    assert all(row["item_id"] != row["target_item_id"] for row in rows)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5] * 2
    assert all(-1.0001 <= row["score"] <= 1.0001 for row in rows)
    assert rows[0]["score"] >= rows[4]["score"]


def test_intents_add_up(run: Path, log: pl.DataFrame) -> None:
    document = run_cli("intents", run, "--json", "-k", 3).document()
    intents = document["intents"]
    assert document["n_intents"] == len(intents) == 8
    assert sorted(intent["intent"] for intent in intents) == list(range(8))
    assert sum(intent["users"] for intent in intents) == 300
    assert math.isclose(sum(intent["share"] for intent in intents), 1)
    assert document["used"] == sum(intent["users"] > 0 for intent in intents)
    assert document["largest_share"] == pytest.approx(intents[0]["share"])
    assert 1 <= document["effective"] <= document["used"]
    known = set(log["item_id"])
    for intent in intents:
        assert set(intent["items"]) <= known
        assert len(intent["items"]) <= 3
        assert bool(intent["items"]) == (intent["users"] > 0)


def test_settings_prints_every_setting_of_a_recipe() -> None:
    document = run_cli("settings", "--recipe", "paper-beauty", "--json").document()
    assert list(document) == list(Settings.model_fields)
    assert (document["n_intents"], document["cluster_weight"], document["fusion"]) == (256, 10, "shift")
    shown = run_cli("settings")
    assert all(name in shown.out for name in Settings.model_fields)


def test_import_checkpoint_prints_one_document(tmp_path: Path) -> None:
    lines = [f"{user} " + " ".join(str((3 * user + 5 * step) % 12 + 1) for step in range(6)) for user in range(1, 31)]
    (tmp_path / "log.txt").write_text("\n".join(lines))
    model = ELCRec("paper", **{**SMALL, "epochs": 1, "n_layers": 2, "max_seq_len": 10})
    weights = published_names(model.fit(tmp_path / "log.txt", progress=False).network.state_dict())
    weights = {name: tensor.contiguous().clone() for name, tensor in weights.items()}
    save_file(weights, tmp_path / "weights.safetensors")
    torch.save(weights, tmp_path / "weights.pt")
    for file in ("weights.safetensors", "weights.pt"):
        arguments = (tmp_path / file, "--data", tmp_path / "log.txt", "--out", tmp_path / f"{file}-run")
        document = run_cli("import-checkpoint", *arguments, "--json").document()
        assert document["test"] == model.metrics["test"]
        assert document["imported_from"] == file
        config = json.loads((tmp_path / f"{file}-run" / "config.json").read_text())["settings"]
        inferred = [config[name] for name in ("n_layers", "embedding_dim", "max_seq_len", "n_intents", "n_heads")]
        assert inferred == [2, 16, 10, 8, 2]
        rows = run_cli("recommend", tmp_path / f"{file}-run", "--user", 1, "--json").document()
        assert [row["item_id"] for row in rows] == model.recommend([1])["item_id"].to_list()


# ---------------------------------------------------------------------- the run folder


def test_run_folder_holds_exactly_its_files(run: Path) -> None:
    assert set(os.listdir(run)) == RUN_FILES


def test_history_has_a_line_an_epoch(run: Path) -> None:
    records = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2]
    assert all({"losses", "valid", "intents", "seconds"} <= set(record) for record in records)


def test_config_is_resolved(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    assert config["recipe"] == "default"
    assert set(config["settings"]) == set(Settings.model_fields)
    assert config["settings"]["n_intents"] == 8


def test_run_folder_keeps_log_and_vocabulary(run: Path, log: pl.DataFrame) -> None:
    vocabulary = pl.read_parquet(run / "vocabulary.parquet")
    assert set(vocabulary["item_id"]) == set(log["item_id"])
    assert vocabulary["item_index"].to_list() == list(range(1, len(vocabulary) + 1))
    kept = pl.read_parquet(run / "interactions.parquet").select("user_id", "item_id")
    assert kept.rows() == log.select("user_id", "item_id").rows()


def test_model_card_names_the_results(run: Path) -> None:
    card = (run / "README.md").read_text()
    assert "300 users" in card
    assert f"{json.loads((run / 'metrics.json').read_text())['test']['ndcg@20']:.4f}" in card


def test_reading_verbs_leave_the_run_as_it_is(run: Path, shop: Path) -> None:
    before = contents(run)
    run_cli("evaluate", run, "--data", shop, "--json").document()
    run_cli("recommend", run, "--user", "shopper-00001", "--json").document()
    run_cli("intents", run, "--json").document()
    assert contents(run) == before


# ---------------------------------------------------------------------- ids


def test_integer_ids_come_back_as_integers(tmp_path: Path) -> None:
    lines = [f"{user} " + " ".join(str((3 * user + 5 * step) % 17 + 1) for step in range(6)) for user in range(1, 31)]
    (tmp_path / "log.txt").write_text("\n".join(lines))
    run_cli("train", tmp_path / "log.txt", "--out", tmp_path / "run", *SMALL_SETS, "--json").document()
    rows = run_cli("recommend", tmp_path / "run", "--user", "12", "-k", 3, "--json").document()
    assert all(row["user_id"] == 12 and isinstance(row["item_id"], int) for row in rows)
    rows = run_cli("recommend", tmp_path / "run", "--history", "3,7", "-k", 3, "--json").document()
    assert all(isinstance(row["item_id"], int) for row in rows)
    items = run_cli("intents", tmp_path / "run", "--json").document()["intents"][0]["items"]
    assert all(isinstance(item, int) for item in items)


def test_ids_with_leading_zeros_stay_text(tmp_path: Path) -> None:
    rows = [f"{user:03d},{(user + step) % 9:03d}" for user in range(30) for step in range(5)]
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id", *rows]))
    run_cli("train", tmp_path / "log.csv", "--out", tmp_path / "run", *SMALL_SETS, "--json").document()
    rows = run_cli("recommend", tmp_path / "run", "--user", "007", "-k", 1, "--json").document()
    assert rows[0]["user_id"] == "007"
    assert len(rows[0]["item_id"]) == 3


def test_ids_that_look_like_terminal_markup_are_shown_as_they_are(tmp_path: Path) -> None:
    rows = [f"u[/b]{user},i[/x]{(user + step) % 12}" for user in range(30) for step in range(6)]
    (tmp_path / "log.csv").write_text("\n".join(["user_id,item_id", *rows]))
    run_cli("train", tmp_path / "log.csv", "--out", tmp_path / "run", *SMALL_SETS, "--json").document()
    shown = run_cli("recommend", tmp_path / "run", "--user", "u[/b]1", "-k", 2)
    assert shown.code == 0
    assert "u[/b]1" in shown.out
    assert "i[/x]" in shown.out
    assert "i[/x]" in run_cli("intents", tmp_path / "run").out


# ---------------------------------------------------------------------- settings and policies


def test_unknown_users_and_items_are_skipped_on_request(run: Path) -> None:
    rows = run_cli(
        "recommend", run, "--user", "nobody", "--user", "shopper-00001", "-k", 2, "--unknown", "skip", "--json"
    ).document()
    assert [row["user_id"] for row in rows] == ["shopper-00001"] * 2
    known = run_cli("recommend", run, "--history", "tent pegs", "-k", 2, "--json").document()
    mixed = ("--history", "no such thing,tent pegs", "--unknown", "skip")
    assert run_cli("recommend", run, *mixed, "-k", 2, "--json").document() == known
    nothing = run_cli("recommend", run, "--user", "nobody", "--unknown", "skip", "--json").document()
    assert nothing == []
    assert run_cli("similar", run, "--item", "no such thing", "--unknown", "skip", "--json").document() == []


def test_unknown_events_are_skipped_in_evaluation_on_request(run: Path, log: pl.DataFrame, tmp_path: Path) -> None:
    news = log.select("user_id", "item_id").group_by("user_id", maintain_order=True).head(4)
    extended = pl.concat([news, news.head(1).with_columns(item_id=pl.lit("brand new thing"))])
    extended.write_csv(tmp_path / "more.csv")
    news.write_csv(tmp_path / "news.csv")
    outcome = run_cli("evaluate", run, "--data", tmp_path / "more.csv", "--unknown", "skip", "--json")
    known = run_cli("evaluate", run, "--data", tmp_path / "news.csv", "--json").document()
    assert outcome.document()["n_users"] == known["n_users"] - 1
    assert "1 user whose held-out item, or whole history, the model does not know" in outcome.err


def test_seed_is_a_setting_like_any_other(shop: Path, tmp_path: Path) -> None:
    by_option = run_cli("train", shop, "--out", tmp_path / "a", *SMALL_SETS, "--seed", 7, "--json").document()
    by_set = run_cli("train", shop, "--out", tmp_path / "b", *SMALL_SETS, "--set", "seed=7", "--json").document()
    assert by_option["test"] == by_set["test"]
    assert json.loads((tmp_path / "b" / "config.json").read_text())["settings"]["seed"] == 7


def test_typo_in_a_setting_gets_the_nearest_name(shop: Path, tmp_path: Path) -> None:
    complaint = run_cli("train", shop, "--out", tmp_path / "run", "--set", "epoch=3").complaint()
    assert "did you mean 'epochs'" in complaint
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "setting",
    ["epochs=0", "epochs=many", "n_heads=3", "fusion=sum", "epochs", "=3", "device=cpu", "recipe=paper", "self=1"],
)
def test_impossible_settings_are_refused(shop: Path, tmp_path: Path, setting: str) -> None:
    complaint = run_cli("train", shop, "--out", tmp_path / "run", "--set", setting).complaint()
    assert setting.partition("=")[0] in complaint
    assert not (tmp_path / "run").exists()


def test_recipe_file_extends_a_shipped_one(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('extends = "paper"\nepochs = 1\nn_layers = 1\nembedding_dim = 16\n')
    arguments = ("--recipe", tmp_path / "mine.toml", "--set", "n_intents=8")
    run_cli("train", shop, "--out", tmp_path / "run", *arguments, "--json").document()
    settings = json.loads((tmp_path / "run" / "config.json").read_text())["settings"]
    assert (settings["epochs"], settings["n_intents"], settings["next_item_loss"]) == (1, 8, "bce")


def test_own_column_names_are_settings(log: pl.DataFrame, tmp_path: Path) -> None:
    renamed = log.rename({"user_id": "who", "item_id": "what", "timestamp": "when"})
    renamed.write_csv(tmp_path / "log.csv")
    columns = ("--set", "user_column=who", "--set", "item_column=what", "--set", "timestamp_column=when")
    trained = run_cli("train", tmp_path / "log.csv", "--out", tmp_path / "run", *SMALL_SETS, *columns, "--json")
    metrics = run_cli("evaluate", tmp_path / "run", "--data", tmp_path / "log.csv", "--json").document()
    assert metrics == trained.document()["test"]


def test_overwrite_replaces_a_run(shop: Path, tmp_path: Path) -> None:
    run_cli("train", shop, "--out", tmp_path / "run", *SMALL_SETS, "--json").document()
    arguments = ("train", shop, "--out", tmp_path / "run", *SMALL_SETS, "--set", "epochs=1", "--overwrite", "--json")
    assert run_cli(*arguments).document()["epochs"] == 1
    assert len((tmp_path / "run" / "history.jsonl").read_text().splitlines()) == 1
    assert set(os.listdir(tmp_path / "run")) == RUN_FILES


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "jsonl"])
def test_every_format_trains_the_same_model(log: pl.DataFrame, run: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"log.{ending}"
    write = {
        "csv": log.write_csv,
        "tsv": lambda file: log.write_csv(file, separator="\t"),
        "parquet": log.write_parquet,
        "jsonl": log.write_ndjson,
    }
    write[ending](path)
    document = run_cli("train", path, "--out", tmp_path / "run", *SMALL_SETS, "--json").document()
    assert document["test"] == json.loads((run / "metrics.json").read_text())["test"]


# ---------------------------------------------------------------------- help and exit codes


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_works(verb: str) -> None:
    outcome = run_cli(*verb.split(), "--help")
    assert outcome.code == 0
    assert "Usage" in outcome.out
    assert "--json" in outcome.out
    assert outcome.err == ""


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_has_an_example(verb: str) -> None:
    assert f"elcrec {verb}" in run_cli(*verb.split(), "--help").out.partition("Example")[2]


def test_help_lists_all_verbs() -> None:
    outcome = run_cli("--help")
    assert outcome.code == 0
    assert all(verb.split()[0] in outcome.out for verb in VERBS)


def test_no_verb_shows_help_and_exits_2() -> None:
    outcome = run_cli()
    assert outcome.code == 2
    assert "Usage" in outcome.out + outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["trian"],
        ["train"],
        ["train", "x.csv"],
        ["train", "x.csv", "--out"],
        ["train", "x.csv", "--out", "r", "--nonsense"],
        ["train", "x.csv", "--out", "r", "--seed", "abc"],
        ["evaluate", "r"],
        ["similar", "r"],
        ["demo", "--difficulty", "2"],
        ["demo", "--users", "0"],
        ["settings", "--recipe", "nonsense"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_wrong_usage_gives_one_line_and_exit_2(arguments: list[str]) -> None:
    assert run_cli(*arguments).complaint()


def test_real_process_prints_the_document_and_nothing_else(run: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "elcrec.cli",
        "recommend",
        str(run),
        "--user",
        "shopper-00001",
        "-k",
        "2",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == ""
    assert [row["rank"] for row in json.loads(done.stdout)] == [1, 2]


def test_installed_command_complains_in_one_line(run: Path) -> None:
    command = Path(sys.executable).with_name("elcrec")
    if not command.exists():
        pytest.skip("the package is not installed: no elcrec command beside this Python")
    done = subprocess.run([command, "recommend", run, "--user", "nobody", "--json"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "'nobody'" in done.stderr


def test_demo_prints_one_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import elcrec.experiments.demo

    original = elcrec.experiments.demo.run_demo
    monkeypatch.setattr(
        elcrec.experiments.demo, "run_demo", lambda *a, **o: original(*a, **o, epochs=1, n_layers=1, embedding_dim=16)
    )
    document = run_cli("demo", "--out", tmp_path / "demo", "--users", 100, "--json").document()
    assert list(document["metrics"]) == ["popularity", "elcrec", "planted optimum"]
    assert {"adjusted_rand_index", "intents", "model"} <= set(document)
    assert {intent["planted"] for intent in document["intents"]} == set(make_shop(10).intents)
    assert set(os.listdir(tmp_path / "demo")) == RUN_FILES | {"items.parquet", "report.html"}


def test_the_help_of_recommend_names_the_default_strength() -> None:
    verb = typer.main.get_command(app).commands["recommend"]  # type: ignore[attr-defined]
    (strength,) = (option for option in verb.params if option.name == "strength")
    assert f"Default: {STRENGTH}." in strength.help
