"""The caller's mistakes: one clear line, exit 2, nothing written, nothing lost."""

import contextlib
import errno
import json
import os
import pickle
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file

from cli_runner import SMALL, SMALL_SETS, contents, run_cli, seal, shop_csv
from elcrec import ELCRec
from elcrec.model.published import published_names


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop_csv(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def finished(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; copied, not used, by tests that damage it."""
    folder = tmp_path_factory.mktemp("runs") / "shop"
    run_cli("train", shop, "--out", folder, *SMALL_SETS, "--json").document()
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    for name, content in contents(finished).items():
        (folder / name).write_bytes(content)
    return folder


def refused_training(data: Path, out: Path, *more: object) -> str:
    """The complaint about data that cannot be learnt from; nothing is written."""
    complaint = run_cli("train", data, "--out", out, *SMALL_SETS, *more).complaint()
    assert not out.exists()
    return complaint


# ---------------------------------------------------------------------- the log


@pytest.mark.parametrize(
    ("name", "content", "clue"),
    [
        ("empty.csv", "", "empty"),
        ("empty.txt", "", "empty"),
        ("blank.csv", "\n\n", "empty"),
        ("blank.txt", " \n\n", "nothing"),
        ("header.csv", "user_id,item_id\n", "no rows"),
        ("column.csv", "user_id,rating\nu1,5\n", "item_id"),
        ("columns.csv", "a,b\n1,2\n", "user_id"),
        ("ones.csv", "user_id,item_id\nu1,i1\nu2,i2\nu3,i1\n", "two training items"),
        ("ones.txt", "1 4\n2 5\n3 4\n", "two training items"),
        ("twos.txt", "1 4 5\n2 5 6\n3 4 6\n", "three or more"),
        ("threes.txt", "1 4 5 6\n2 5 6 4\n3 4 6 5\n", "--set split=global_time"),
        ("semicolons.csv", "Kunde;Artikel\nu1;i1\nu1;i2\n", "--set user_column="),
        ("two.csv", "user_id,item_id\nu1;i1\nu1;i2\n", "the lines below by ';'"),
        ("values.csv", "7;12;1700000000\n7;13;1700000060\n", "--columns user_id,item_id,timestamp"),
        ("negative.txt", "1 2 3 4\n2 -3 4 5\n", "line 2"),
        ("zero.txt", "1 2 3 4\n2 3 0 5\n", "line 2"),
        ("zero-user.txt", "0 2 3 4\n", "line 1"),
        ("words.txt", "u1 i1 i2 i3\n", "positive integers"),
        ("decimals.txt", "1 2.5 3 4\n", "positive integers"),
        ("lonely.txt", "1 2 3 4\n2\n", "line 2"),
        ("huge.txt", "1 2 99999999999999999999 4\n", "10^18"),
        ("missing-item.csv", "user_id,item_id\nu1,i1\nu1,\nu1,i3\nu1,i4\n", "item_id"),
        ("missing-user.csv", "user_id,item_id\nu1,i1\n ,i2\nu1,i3\n", "user_id"),
        ("nan.csv", "user_id,item_id\n1,2\n1,3\nNaN,4\n1,5\n1,6\n", "user_id"),
        ("nan-item.csv", "user_id,item_id\n1,2\n1,3\n1,nan\n1,5\n1,6\n", "item_id"),
        ("time.csv", "user_id,item_id,timestamp\nu1,i1,yesterday\nu1,i2,today\nu1,i3,now\n", "timestamp"),
        ("no-time.csv", "user_id,item_id,timestamp\nu1,i1,1\nu1,i2,\nu1,i3,3\n", "timestamp"),
        ("ragged.csv", "user_id,item_id\nu1,i1,extra\nu1,i2\n", "cannot read"),
        ("broken.jsonl", '{"user_id": "u1", "item_id": \n', "cannot read"),
        ("nan.jsonl", '{"user_id": NaN, "item_id": 3}\n', "cannot read"),
        ("null.jsonl", '{"user_id": null, "item_id": 3}\n{"user_id": 1, "item_id": 3}\n', "user_id"),
        ("list.jsonl", '{"user_id": 1, "item_id": [[3], [4]]}\n', "item_id"),
        ("garbage.parquet", "this is no parquet file", "cannot read"),
        ("latin.csv", b"user_id,item_id\nu\xe9,i1\n", "cannot read"),
        ("latin.txt", b"1 2 3\n\xe9 4 5\n", "latin.txt"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.endswith(("csv", "txt", "jsonl", "parquet")) else "",
)
def test_data_that_cannot_be_learnt_from(tmp_path: Path, name: str, content: str | bytes, clue: str) -> None:
    data = tmp_path / name
    data.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert clue in refused_training(data, tmp_path / "run")


@pytest.mark.parametrize(
    ("user", "clue"),
    [
        ([1.0, float("nan"), 1.0, 1.0], "no user_id"),
        ([1.0, None, 1.0, 1.0], "no user_id"),
        ([1.0, float("inf"), 1.0, 1.0], "user_id"),
        ([1.0, 1e300, 1.0, 1.0], "user_id"),
        ([1.0, 2.5, 1.0, 1.0], "integers or strings"),
        ([True, False, True, True], "integers or strings"),
    ],
)
def test_ids_of_other_kinds_in_tables(tmp_path: Path, user: list[Any], clue: str) -> None:
    pl.DataFrame({"user_id": user, "item_id": [1, 2, 3, 4]}).write_parquet(tmp_path / "log.parquet")
    assert clue in refused_training(tmp_path / "log.parquet", tmp_path / "run")


def test_missing_file(tmp_path: Path) -> None:
    assert "no such file" in refused_training(tmp_path / "nowhere.csv", tmp_path / "run")


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    assert "folder" in refused_training(tmp_path, tmp_path / "run")


def test_file_name_longer_than_the_system_allows(tmp_path: Path) -> None:
    assert "name too long" in refused_training(tmp_path / ("a" * 300), tmp_path / "run").lower()


def test_unknown_format(shop: Path, tmp_path: Path) -> None:
    assert "csv, tsv" in refused_training(shop, tmp_path / "run", "--format", "xlsx")


def test_wrong_format(shop: Path, tmp_path: Path) -> None:
    assert "positive integers" in refused_training(shop, tmp_path / "run", "--format", "text")


def test_filters_that_leave_nothing(shop: Path, tmp_path: Path) -> None:
    assert "lower them" in refused_training(shop, tmp_path / "run", "--set", "k_core=500")


def test_global_time_split_without_times(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("1 2 3 4 5\n2 3 4 5 6\n")
    assert "timestamp" in refused_training(tmp_path / "log.txt", tmp_path / "run", "--set", "split=global_time")


@pytest.mark.parametrize(
    "setting",
    [
        "embedding_dim=1000000000",
        "n_intents=1000000000000",
        f"batch_size={2**70}",
        f"n_negatives={2**64}",
        "filter_width=1000000000",
        "batch_size=0",
        "temperature=0",
        "dropout=1",
    ],
)
def test_sizes_beyond_reason(shop: Path, tmp_path: Path, setting: str) -> None:
    name, value = setting.split("=")
    complaint = run_cli("train", shop, "--out", tmp_path / "run", "--set", setting).complaint()
    assert complaint.startswith(f"{name}='{value}': use ")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to ..."),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes."),
    ],
    ids=["python", "cuda", "linux", "windows"],
)
def test_what_does_not_fit_into_memory(
    shop: Path, tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(ELCRec, "fit", fit)
    complaint = run_cli("train", shop, "--out", tmp_path / "run").complaint()
    assert "out of memory" in complaint
    assert "embedding_dim" in complaint


def test_other_errors_are_ours_and_shown(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(*_: object, **__: object) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(ELCRec, "fit", fit)
    with pytest.raises(RuntimeError, match="shapes differ"):
        run_cli("train", shop, "--out", tmp_path / "run")


def test_a_catalogue_of_one_item_is_learnt_with_every_loss(tmp_path: Path) -> None:
    log = pl.DataFrame({"user_id": [1, 1, 1, 1, 2, 2, 2, 2], "item_id": ["only"] * 8, "timestamp": range(8)})
    for loss in ("softmax", "sampled_softmax", "gbce", "bce"):
        model = ELCRec(seed=1, **{**SMALL, "next_item_loss": loss, "horizon": 1}).fit(log, progress=False)
        assert model.recommend(exclude_seen=False)["score"].is_finite().all()


def test_one_user_is_enough_to_train(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("7 1 2 3 4 5 6\n")
    document = run_cli("train", tmp_path / "log.txt", "--out", tmp_path / "run", *SMALL_SETS, "--json").document()
    assert document["test"]["n_users"] == 1
    assert run_cli("recommend", tmp_path / "run", "--user", 7, "--json").document() == []


# ---------------------------------------------------------------------- options


def test_unknown_recipe(shop: Path, tmp_path: Path) -> None:
    assert "paper-beauty" in refused_training(shop, tmp_path / "run", "--recipe", "nonsense")


@pytest.mark.parametrize(
    "content",
    [b"epochs = = 3", b"\xff\xfe\x00", b"patience = 'many'", b"[model]\nepochs = 3", b"epoch = 3"],
    ids=["not toml", "not text", "wrong type", "table", "typo"],
)
def test_damaged_recipe(shop: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine.toml").write_bytes(content)
    assert refused_training(shop, tmp_path / "run", "--recipe", tmp_path / "mine.toml")


def test_recipe_that_is_not_there_or_extends_itself(shop: Path, tmp_path: Path) -> None:
    assert "nowhere.toml" in refused_training(shop, tmp_path / "run", "--recipe", tmp_path / "nowhere.toml")
    (tmp_path / "loop.toml").write_text(f'extends = "{tmp_path / "loop.toml"}"')
    assert "extends itself" in refused_training(shop, tmp_path / "run", "--recipe", tmp_path / "loop.toml")


def test_device_that_is_not_there(shop: Path, tmp_path: Path) -> None:
    assert "auto, cpu or cuda" in refused_training(shop, tmp_path / "run", "--device", "tpu")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU: --device cuda is no mistake")
    assert "--device cpu" in refused_training(shop, tmp_path / "run", "--device", "cuda")


@pytest.mark.parametrize(
    ("arguments", "clue"),
    [
        (["recommend", "--user", "nobody"], "unknown user 'nobody'"),
        (["recommend", "--user", "shopper-00001", "--user", "nobody"], "unknown user 'nobody'"),
        (["recommend", "--history", "tent pegs,no such thing"], "unknown item 'no such thing'"),
        (["recommend", "--history", ","], "empty"),
        (["recommend", "--history-file", "no such file"], "No such file"),
        (["recommend", "--user", "shopper-00001", "-k", "0"], "-k"),
        (["recommend", "--user", "shopper-00001", "-k", "-3"], "-k"),
        (["recommend", "--user", "shopper-00001", "--unknown", "maybe"], "skip"),
        (["recommend"], "--all"),
        (["recommend", "--all"], "--out"),
        (["recommend", "--all", "--user", "shopper-00001", "--out", "x.parquet"], "with one of"),
        (["similar", "--item", "no such thing"], "unknown item"),
        (["similar", "--item", "tent pegs", "-k", "0"], "-k"),
        (["intents", "-k", "0"], "-k"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_questions_that_cannot_be_answered(finished: Path, arguments: list[str], clue: str) -> None:
    before = contents(finished)
    assert clue in run_cli(arguments[0], finished, *arguments[1:]).complaint()
    assert clue in run_cli(arguments[0], finished, *arguments[1:], "--json").complaint()
    assert contents(finished) == before


def test_evaluate_refuses_unknown_items_splits_and_foreign_files(finished: Path, shop: Path, tmp_path: Path) -> None:
    assert "train" in run_cli("evaluate", finished, "--data", shop, "--split", "train").complaint()
    assert "no such file" in run_cli("evaluate", finished, "--data", tmp_path / "nowhere.csv").complaint()
    (tmp_path / "foreign.txt").write_text("1 2 3 4\n")
    foreign = ("evaluate", finished, "--data", tmp_path / "foreign.txt")
    assert "unknown item" in run_cli(*foreign).complaint()
    assert "right file" in run_cli(*foreign, "--unknown", "skip").complaint()
    (tmp_path / "short.csv").write_text("user_id,item_id\nu1,tent pegs\nu1,webcam\n")
    assert "three or more" in run_cli("evaluate", finished, "--data", tmp_path / "short.csv").complaint()


# ---------------------------------------------------------------------- a damaged run


def every_reader(run: Path) -> list[list[object]]:
    return [
        ["intents", run],
        ["recommend", run, "--user", "shopper-00001", "--json"],
        ["recommend", run, "--history", "tent pegs"],
        ["similar", run, "--item", "tent pegs"],
    ]


def unusable(run: Path, *clues: str) -> None:
    """Every verb that reads the run says what is wrong, and none changes it."""
    before = contents(run)
    for arguments in every_reader(run):
        complaint = run_cli(*arguments).complaint()
        assert all(clue in complaint for clue in clues), complaint
    assert contents(run) == before


def test_run_that_is_not_there(tmp_path: Path) -> None:
    unusable(tmp_path / "nowhere", "nowhere", "elcrec train")
    assert not (tmp_path / "nowhere").exists()


def test_run_that_is_a_file(shop: Path) -> None:
    for arguments in every_reader(shop):
        assert (
            run_cli(*arguments).complaint()
            == f"{shop} is a file and no run folder: name the folder that training wrote"
        )


@pytest.mark.parametrize(
    "verb", ["train", "evaluate", "data check", "intents", "serve", "report", "recommend --user 1"]
)
def test_paths_are_printed_as_they_were_given(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log.csv").write_text("one,1\ntwo,2\n")
    out = ("--out", "run") if verb == "train" else ()
    for given in ("log.csv", "nosuch"):
        complaint = run_cli(*verb.split(), given, *out).complaint()
        assert given in complaint
        assert str(tmp_path) not in complaint


def test_run_name_longer_than_the_system_allows(tmp_path: Path) -> None:
    assert "name too long" in run_cli("intents", tmp_path / ("a" * 300)).complaint().lower()


def test_run_without_config(run: Path) -> None:
    (run / "config.json").unlink()
    unusable(run, "config.json")


def test_run_from_a_newer_version(run: Path) -> None:
    document = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**document, "format": 999, "elcrec": "9.9"}))
    unusable(run, "newer elcrec (9.9)", "upgrade")


def _changed(change: Callable[[dict[str, Any]], Any]) -> Callable[[bytes], bytes]:
    return lambda content: json.dumps(change(json.loads(content))).encode()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: b"hello",
        lambda content: b"[]",
        lambda content: b"\xff\x00",
        lambda content: b"[" * 100_000,
        _changed(lambda document: {**document, "format": "1"}),
        _changed(lambda document: {**document, "settings": "abc"}),
        _changed(lambda document: {**document, "settings": None}),
        _changed(lambda document: {name: value for name, value in document.items() if name != "settings"}),
        _changed(lambda document: {**document, "settings": {**document["settings"], "n_layers": -1}}),
        _changed(lambda document: {**document, "settings": {**document["settings"], "nonsense": 1}}),
    ],
    ids=[
        "truncated",
        "empty",
        "not json",
        "no object",
        "not text",
        "nested",
        "format",
        "settings text",
        "settings null",
        "no settings",
        "impossible setting",
        "unknown setting",
    ],
)
def test_damaged_config(run: Path, damage: Callable[[bytes], bytes]) -> None:
    path = run / "config.json"
    path.write_bytes(damage(path.read_bytes()))
    unusable(run, "config.json", "damaged")


@pytest.mark.parametrize("name", ["model.safetensors", "vocabulary.parquet", "interactions.parquet"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:5],
        lambda content: b"",
        lambda content: b"garbage " * 100,
        lambda content: bytes(len(content)),
        lambda content: content[:20] + bytes(200) + content[220:],
        lambda content: content[:-60] + b"\xff" * 50 + content[-10:],
    ],
    ids=["half", "start", "empty", "garbage", "zeros", "hole at the start", "hole at the end"],
)
def test_damaged_tables_and_weights(run: Path, name: str, damage: Callable[[bytes], bytes]) -> None:
    path = run / name
    path.write_bytes(damage(path.read_bytes()))
    unusable(run, name)


@pytest.mark.parametrize("name", ["vocabulary.parquet", "interactions.parquet"])
def test_missing_or_empty_tables(run: Path, name: str) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(run / name)
    unusable(run, name, "damaged")
    pl.DataFrame(schema={"user_id": pl.Int64, "item_id": pl.Int64, "item_index": pl.Int64}).write_parquet(run / name)
    unusable(run, name, "damaged")
    (run / name).unlink()
    unusable(run, name)


def test_missing_weights_mean_an_unfinished_run(run: Path) -> None:
    (run / "model.safetensors").unlink()
    unusable(run, "not finished", "--resume")


def test_vocabulary_of_another_run(run: Path) -> None:
    path = run / "vocabulary.parquet"
    pl.read_parquet(path).head(50).write_parquet(path)
    for arguments in every_reader(run):
        assert run_cli(*arguments).complaint()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers(run: Path, value: float) -> None:
    weights = load_file(run / "model.safetensors")
    weights["centers.weight"][0, 0] = value
    save_file(weights, run / "model.safetensors")
    seal(run)
    unusable(run, "model.safetensors", "not numbers")


def test_weights_of_other_shapes_or_names(run: Path) -> None:
    whole = load_file(run / "model.safetensors")
    name = "encoder.item_embedding.weight"
    for weights in (
        {**whole, name: whole[name][:-3].clone()},
        {key: value for key, value in whole.items() if key != name},
        {**whole, "more": torch.zeros(2)},
    ):
        save_file(weights, run / "model.safetensors")
        seal(run)
        unusable(run, "model.safetensors", "does not fit")


@pytest.mark.parametrize("name", ["metrics.json", "history.jsonl"])
@pytest.mark.parametrize("content", [b'{"a"', b"\xff", b"nonsense"], ids=["truncated", "not text", "not json"])
def test_damaged_results(run: Path, name: str, content: bytes) -> None:
    (run / name).write_bytes(content)
    unusable(run, name, "damaged")


@pytest.mark.parametrize("content", ["null", "[1]", "3", '"text"'])
def test_metrics_that_are_no_object(run: Path, content: str) -> None:
    (run / "metrics.json").write_text(content)
    unusable(run, "metrics.json", "damaged")


# ---------------------------------------------------------------------- where the run goes


def test_existing_run_is_kept_without_resume_or_overwrite(run: Path, shop: Path) -> None:
    before = contents(run)
    assert "--overwrite" in run_cli("train", shop, "--out", run, *SMALL_SETS).complaint()
    assert contents(run) == before


def test_bad_data_with_overwrite_keeps_the_old_run(run: Path, tmp_path: Path) -> None:
    before = contents(run)
    (tmp_path / "ones.txt").write_text("1 4\n2 5\n")
    refused = run_cli("train", tmp_path / "ones.txt", "--out", run, *SMALL_SETS, "--overwrite")
    assert "two training items" in refused.complaint()
    assert contents(run) == before


@pytest.mark.parametrize("more", [[], ["--overwrite"], ["--resume"]], ids=["plain", "overwrite", "resume"])
def test_folder_with_other_files_is_left_alone(shop: Path, tmp_path: Path, more: list[str]) -> None:
    """Also where they bear the names that a run's files have."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("README.md", "metrics.json", "history.jsonl", "interactions.parquet", "model.safetensors", "x.txt"):
        (folder / name).write_text("mine")
    before = contents(folder)
    assert "other files" in run_cli("train", shop, "--out", folder, *SMALL_SETS, *more).complaint()
    assert contents(folder) == before


def test_folder_with_only_a_readme_is_left_alone(shop: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "README.md").write_text("mine")
    assert "other files" in run_cli("train", shop, "--out", folder, *SMALL_SETS).complaint()
    assert contents(folder) == {"README.md": b"mine"}


def test_demo_leaves_other_files_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    assert "other files" in run_cli("demo", "--out", tmp_path, "--users", 50).complaint()
    assert contents(tmp_path) == {"README.md": b"mine"}


@pytest.mark.parametrize("more", [[], ["--overwrite"], ["--resume"]], ids=["plain", "overwrite", "resume"])
def test_out_that_is_a_file(shop: Path, tmp_path: Path, more: list[str]) -> None:
    (tmp_path / "file").write_text("mine")
    assert "file" in run_cli("train", shop, "--out", tmp_path / "file", *SMALL_SETS, *more).complaint()
    assert contents(tmp_path) == {"file": b"mine"}


def test_out_below_a_file(shop: Path, run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert run_cli("train", shop, "--out", tmp_path / "file" / "run", *SMALL_SETS).complaint()
    assert run_cli("recommend", run, "--all", "--out", tmp_path / "file" / "x.parquet").complaint()
    assert (tmp_path / "file").read_text() == "mine"


def test_out_name_longer_than_the_system_allows(shop: Path, tmp_path: Path) -> None:
    outcome = run_cli("train", shop, "--out", tmp_path / ("a" * 300), *SMALL_SETS)
    assert "name too long" in outcome.complaint().lower()


def test_lists_for_a_folder_that_is_not_there(run: Path, tmp_path: Path) -> None:
    assert "cannot write" in run_cli("recommend", run, "--all", "--out", tmp_path / "no" / "x.parquet").complaint()


def test_lists_that_cannot_be_written_leave_the_old_ones(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lists.parquet").write_text("old")
    monkeypatch.setattr(os, "replace", _disk_is_full)
    complaint = run_cli("recommend", run, "--all", "--out", tmp_path / "lists.parquet").complaint()
    assert "No space left" in complaint
    assert (tmp_path / "lists.parquet").read_text() == "old"
    assert not list(tmp_path.glob(".*"))


def test_place_that_cannot_be_written(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(path: Path, *_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "mkdir", read_only)
    assert "Read-only file system" in run_cli("train", shop, "--out", tmp_path / "run", *SMALL_SETS).complaint()


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Without root's right to read and write everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_folder_without_permission(finished: Path) -> None:  # a run before, because modules may be out of reach too
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        shop = shop_csv(folder)
        (folder / "closed").mkdir()
        (folder / "closed" / "log.csv").write_text("user_id,item_id\n")
        (folder / "closed").chmod(0)
        try:
            with nobody():
                outcomes = [
                    run_cli("train", shop, "--out", folder / "closed" / "run", *SMALL_SETS),
                    run_cli("train", folder / "closed" / "log.csv", "--out", folder / "run", *SMALL_SETS),
                    run_cli("intents", folder / "closed" / "run"),
                ]
        finally:
            (folder / "closed").chmod(0o755)
        assert all("ermission denied" in outcome.complaint() for outcome in outcomes)
        assert not (folder / "run").exists()


def _disk_is_full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_full_disk_at_the_start(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", _disk_is_full)
        assert "No space left" in run_cli("train", shop, "--out", tmp_path / "run", *SMALL_SETS).complaint()
    assert not list(tmp_path.rglob(".*"))
    run_cli("train", shop, "--out", tmp_path / "run", *SMALL_SETS, "--resume", "--json").document()


def test_full_disk_in_mid_training_loses_nothing(
    finished: Path, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    written: list[Path] = []

    def full_at_the_second_checkpoint(tensors: Any, path: Path, metadata: Any) -> None:
        written.append(path)
        if len(written) == 2:
            path.write_bytes(b"half")
            _disk_is_full()
        save_file(tensors, path, metadata)

    with monkeypatch.context() as patch:
        patch.setattr("safetensors.torch.save_file", full_at_the_second_checkpoint)
        complaint = run_cli("train", shop, "--out", run, *SMALL_SETS).complaint()
    assert "No space left" in complaint
    assert "kept" in complaint
    assert not list(run.glob(".*"))
    document = run_cli("train", shop, "--out", run, "--resume", "--json").document()
    assert document["test"] == json.loads((finished / "metrics.json").read_text())["test"]
    assert (run / "model.safetensors").read_bytes() == (finished / "model.safetensors").read_bytes()


# ---------------------------------------------------------------------- going on


@pytest.fixture
def unfinished(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A training interrupted after its first epoch."""
    run = tmp_path / "unfinished"
    model = ELCRec(**SMALL)
    with pytest.raises(KeyboardInterrupt):
        model.fit(shop, run, progress=_StopAfterFirstEpoch())
    assert (run / "checkpoint.safetensors").exists()
    return run


class _StopAfterFirstEpoch:
    def log(self, *_: Any) -> None: ...
    def begin(self, *_: Any) -> None: ...
    def step(self, *_: Any) -> None: ...
    def end(self) -> None: ...
    def epoch(self, *_: Any) -> None:
        raise KeyboardInterrupt


@pytest.fixture(params=["run", "unfinished"])
def begun(request: pytest.FixtureRequest) -> Path:
    """A run that can be resumed, as far as it is not finished."""
    folder: Path = request.getfixturevalue(request.param)
    return folder


@pytest.mark.parametrize(
    ("more", "clue"),
    [
        (["--set", "learning_rate=0.01"], "learning_rate"),
        (["--seed", "9"], "seed"),
        (["--recipe", "paper", *SMALL_SETS], "other settings"),
        (["--set", "epoch=3"], "did you mean"),
    ],
    ids=["setting", "seed", "recipe", "typo"],
)
def test_resume_with_other_settings(begun: Path, shop: Path, more: list[str], clue: str) -> None:
    before = contents(begun)
    assert clue in run_cli("train", shop, "--out", begun, "--resume", *more).complaint()
    assert contents(begun) == before


@pytest.mark.parametrize(
    ("option", "rows", "clue"),
    [
        ("", "", "other data"),
        ("--items", "item_id,title\n{item},other\n", "other items"),
        ("--users", "user_id,age\n{user},30\n", "other users"),
    ],
    ids=["log", "items", "users"],
)
def test_resume_with_other_data(begun: Path, shop: Path, tmp_path: Path, option: str, rows: str, clue: str) -> None:
    """Nothing is said of a run that was not made with what is given: whether it is finished does not matter."""
    log, other = pl.read_csv(shop), tmp_path / "other.csv"
    other.write_text(rows.format(item=log["item_id"][0], user=log["user_id"][0]))
    data, more = (shop, [option, other]) if option else (shop_csv(tmp_path, seed=2), [])
    before = contents(begun)
    assert clue in run_cli("train", data, "--out", begun, "--resume", *more).complaint()
    assert contents(begun) == before


@pytest.mark.parametrize("option", ["", "--items", "--users"])
def test_resume_with_a_missing_file(begun: Path, shop: Path, tmp_path: Path, option: str) -> None:
    before, missing = contents(begun), tmp_path / "missing.csv"
    given = [shop, option, missing] if option else [missing]
    assert "missing.csv" in run_cli("train", *given, "--out", begun, "--resume").complaint()
    assert contents(begun) == before


def test_unfinished_run_cannot_be_used_or_replaced_by_accident(unfinished: Path, shop: Path) -> None:
    unusable(unfinished, "not finished", "--resume")
    before = contents(unfinished)
    assert "--resume" in run_cli("train", shop, "--out", unfinished, *SMALL_SETS).complaint()
    assert contents(unfinished) == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: b"garbage " * 100,
        lambda content: content.replace(b"optimizer.", b"optimiser."),
        lambda content: content.replace(b"best.centers", b"worstcenters"),
        lambda content: content.replace(b"best_epoch", b"best_epohc"),
    ],
    ids=["half", "empty", "garbage", "optimiser", "best weights", "progress"],
)
def test_damaged_checkpoint(unfinished: Path, shop: Path, damage: Callable[[bytes], bytes]) -> None:
    path = unfinished / "checkpoint.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    before = contents(unfinished)
    complaint = run_cli("train", shop, "--out", unfinished, "--resume").complaint()
    assert "checkpoint.safetensors" in complaint
    assert contents(unfinished) == before


@pytest.mark.parametrize("content", ["", "hello", '{"format": 999}'], ids=["empty", "not json", "newer"])
def test_resume_with_a_damaged_or_newer_config(run: Path, shop: Path, content: str) -> None:
    (run / "config.json").write_text(content)
    before = contents(run)
    outcome = run_cli("train", shop, "--out", run, "--resume")
    assert outcome.complaint()
    assert "nothing to resume" not in outcome.err
    assert contents(run) == before


# ---------------------------------------------------------------------- published weights


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    lines = [f"{user} " + " ".join(str((3 * user + 5 * step) % 12 + 1) for step in range(6)) for user in range(1, 31)]
    path = tmp_path_factory.mktemp("published") / "log.txt"
    path.write_text("\n".join(lines))
    model = ELCRec("paper", **{**SMALL, "epochs": 1, "max_seq_len": 10}).fit(path, progress=False)
    return {name: tensor.clone() for name, tensor in published_names(model.network.state_dict()).items()}


def refused_import(weights: dict[str, torch.Tensor] | bytes, folder: Path, *more: object, items: int = 12) -> str:
    (folder / "log.txt").write_text("".join(f"{user} 1 2 3 {items}\n" for user in range(1, 9)))
    path = folder / "weights.safetensors"
    if isinstance(weights, bytes):
        path.write_bytes(weights)
    else:
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, path)
    arguments = ("import-checkpoint", path, "--data", folder / "log.txt", "--out", folder / "run", *more)
    complaint = run_cli(*arguments).complaint()
    assert not (folder / "run").exists()
    return complaint


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_import_of_garbage(shop: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"weights.{ending}"
    arguments = ("import-checkpoint", path, "--data", shop, "--out", tmp_path / "run")
    assert "no such file" in run_cli(*arguments).complaint()
    for content in (b"", b"garbage " * 20):
        path.write_bytes(content)
        assert path.name in run_cli(*arguments).complaint()
    assert not (tmp_path / "run").exists()


class _Trap:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (self.path,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_import_runs_no_code_hidden_in_a_pickle(shop: Path, tmp_path: Path) -> None:
    torch.save({"item_embeddings.weight": _Trap(str(tmp_path / "trapped"))}, tmp_path / "weights.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(_Trap(str(tmp_path / "trapped"))))
    for name in ("weights.pt", "plain.pt"):
        arguments = ("import-checkpoint", tmp_path / name, "--data", shop, "--out", tmp_path / "run")
        assert "safe loading" in run_cli(*arguments).complaint()
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, 3, torch.zeros(2)], ids=["list", "numbers", "number", "tensor"])
def test_import_of_a_file_that_is_no_state_dict(shop: Path, tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "weights.pt")
    arguments = ("import-checkpoint", tmp_path / "weights.pt", "--data", shop, "--out", tmp_path / "run")
    assert "state dict" in run_cli(*arguments).complaint()


@pytest.mark.parametrize(
    "name",
    [
        "item_embeddings.weight",
        "cluster_centers",
        "item_encoder.layer.0.attention.query.weight",
        "item_encoder.layer.0.intermediate.dense_2.bias",
    ],
)
def test_import_without_a_tensor(published: dict[str, torch.Tensor], tmp_path: Path, name: str) -> None:
    weights = {key: value for key, value in published.items() if key != name}
    assert name in refused_import(weights, tmp_path)


@pytest.mark.parametrize("name", ["item_embeddings.weight", "position_embeddings.weight", "cluster_centers"])
def test_import_of_tables_that_are_no_matrices(published: dict[str, torch.Tensor], tmp_path: Path, name: str) -> None:
    for wrong in (torch.zeros(14), torch.tensor(3.0), torch.zeros(4, 5, 6)):
        assert refused_import({**published, name: wrong}, tmp_path)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("cluster_centers", (8, 7)),
        ("position_embeddings.weight", (10, 7)),
        ("LayerNorm.weight", (7,)),
        ("item_encoder.layer.0.attention.query.weight", (16, 5)),
        ("item_encoder.layer.0.attention.key.bias", ()),
        ("item_encoder.layer.0.intermediate.dense_1.weight", (16, 16)),
        ("item_embeddings.weight", (2, 16)),
        ("item_embeddings.weight", (0, 16)),
    ],
)
def test_import_of_other_shapes(
    published: dict[str, torch.Tensor], tmp_path: Path, name: str, shape: tuple[int, ...]
) -> None:
    assert refused_import({**published, name: torch.zeros(shape)}, tmp_path)


def test_import_of_weights_that_are_not_numbers(published: dict[str, torch.Tensor], tmp_path: Path) -> None:
    wrong = published["cluster_centers"].clone()
    wrong[0, 0] = float("nan")
    assert "not numbers" in refused_import({**published, "cluster_centers": wrong}, tmp_path)


def test_import_with_items_out_of_range(published: dict[str, torch.Tensor], tmp_path: Path) -> None:
    assert "1 to 12" in refused_import(published, tmp_path, items=13)


def test_import_with_text_ids(published: dict[str, torch.Tensor], shop: Path, tmp_path: Path) -> None:
    save_file(published, tmp_path / "weights.safetensors")
    arguments = ("import-checkpoint", tmp_path / "weights.safetensors", "--data", shop, "--out", tmp_path / "run")
    assert "1 to 12" in run_cli(*arguments).complaint()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("setting", ["n_heads=3", "n_layers=3", "fusoin=shift", "fusion=sum", "device=cpu", "data=x"])
def test_import_with_impossible_settings(published: dict[str, torch.Tensor], tmp_path: Path, setting: str) -> None:
    assert setting.partition("=")[0] in refused_import(published, tmp_path, "--set", setting)


def test_import_keeps_an_existing_run(published: dict[str, torch.Tensor], run: Path, tmp_path: Path) -> None:
    before = contents(run)
    save_file(published, tmp_path / "weights.safetensors")
    (tmp_path / "log.txt").write_text("1 1 2 3 12\n2 1 2 3 4\n")
    arguments = ("import-checkpoint", tmp_path / "weights.safetensors", "--data", tmp_path / "log.txt", "--out", run)
    assert "holds a run" in run_cli(*arguments).complaint()
    assert contents(run) == before


# ---------------------------------------------------------------------- what intents are kept with


@pytest.mark.parametrize(
    ("name", "content"),
    [("intents.json", "{"), ("intents.json", '{"names": [1]}'), ("intents.json", "[]"), ("items.parquet", "no table")],
)
def test_damaged_names_and_items_are_named(tmp_path: Path, name: str, content: str) -> None:
    run_cli("train", shop_csv(tmp_path), "--out", tmp_path / "run", *SMALL_SETS, "--json").document()
    (tmp_path / "run" / name).write_text(content)
    assert name in run_cli("intents", tmp_path / "run").complaint()


def test_runs_of_an_older_format_are_refused(tmp_path: Path) -> None:
    run_cli("train", shop_csv(tmp_path), "--out", tmp_path / "run", *SMALL_SETS, "--json").document()
    config = tmp_path / "run" / "config.json"
    config.write_text(config.read_text().replace('"format": 3', '"format": 1'))
    assert "train it again" in run_cli("intents", tmp_path / "run").complaint()


def test_a_report_that_cannot_be_written_loses_nothing(tmp_path: Path) -> None:
    run_cli("train", shop_csv(tmp_path), "--out", tmp_path / "run", *SMALL_SETS, "--json").document()
    before = contents(tmp_path / "run")
    assert (
        "nowhere" in run_cli("report", tmp_path / "run", "--out", tmp_path / "nowhere" / "at" / "all.html").complaint()
    )
    assert "no run folder" in run_cli("report", tmp_path / "missing").complaint()
    assert run_cli("rename", tmp_path / "run", "--intent", 99, "--name", "x").complaint()
    assert contents(tmp_path / "run") == before
