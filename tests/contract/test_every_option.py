"""Every option of every verb has an effect or is refused; the list comes from the command line's own definition.

A new option fails here until it has a row: in ``EFFECTS`` where it changes what comes out, in ``REFUSED`` with a value
that cannot be, or in ``ELSEWHERE`` with the file whose tests need a server or a training of their own.
"""

import asyncio
import itertools
import json
import shutil
import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import polars as pl
import pytest
import typer
from safetensors.torch import save_file

from cli_runner import QUICK, Outcome, contents, run_cli, shop_csv, shop_log
from elcrec import ELCRec
from elcrec.cli.app import app
from elcrec.inference.policy import RankingPolicy
from elcrec.model.published import published_names
from elcrec.serving.options import Options
from elcrec.serving.snapshot import Snapshot
from surface import of_verbs

TESTS = Path(__file__).parents[1]
OPTIONS = {
    (verb.removeprefix("elcrec "), name)
    for verb, options in of_verbs(typer.main.get_command(app)).items()
    for name in options
    if name.startswith("-")
}
SETS = [part for name, value in {**QUICK, "epochs": 1, "n_layers": 1}.items() for part in ("--set", f"{name}={value}")]

BASE = {
    "add-items": "RUN --items NEWCOMERS --out NEW",
    "audience": "RUN --intent 0 --out NEW.csv",
    "benchmark": "SUITE --dry-run",
    "data check": "LOG",
    "data describe": "LOG",
    "data fetch": "beauty",
    "data generate": "--out NEW.parquet --users 20 --items 20 --interactions 200 --intents 2",
    "data list": "",
    "data prepare": "LOG --out NEW.parquet",
    "demo": "--out NEW",
    "evaluate": "RUN",
    "events": "RUN --out NEW.csv",
    "export": "RUN --out NEW",
    "find": "RUN the",
    "import-checkpoint": "WEIGHTS --data NUMBERED --out NEW",
    "index": "RUN",
    "intents": "RUN",
    "recommend": "RUN --user USER",
    "rename": "COPY --intent 0 --name mine",
    "report": "RUN --out NEW.html",
    "serve": "RUN --port 0",
    "settings": "",
    "similar": "RUN --item ITEM",
    "train": "LOG --out NEW",
    "tune": "LOG --out NEW",
}
"""Arguments of each verb; the words of a row come after them."""

READING = {
    "--set": "LOG <> LOG --set user_column=item_id --set item_column=user_id",
    "--columns": "BARE <> BARE --columns user_id,item_id,timestamp",
    "--events": "KINDS <> KINDS --events purchase",
}
GENERATED = "--out NEW.parquet --items 20 --interactions 200 --intents 2 --users 20"
EFFECTS: dict[str, dict[str, str]] = {
    "add-items": {"--popularity": "--popularity 1"},
    "audience": {
        "--intent": "RUN --out NEW.csv --intent 0 <> RUN --out NEW.csv --intent 1",
        "--out": "RUN --intent 0 --out NEW.csv <> RUN --intent 0 --out NEW.jsonl",
        "--min-weight": "--min-weight 0.6",
        "--top": "--top 3",
    },
    "benchmark": {"--only": "SUITE --dry-run <> SUITE --dry-run --only markov"},
    "data check": READING,
    "data describe": READING,
    "data prepare": {
        "--out": "LOG --out NEW.csv <> LOG --out NEW.jsonl",
        **{
            option: " <> ".join(f"{side} --out NEW.parquet" for side in row.split(" <> "))
            for option, row in READING.items()
        },
    },
    "data generate": {
        "--out": f"{GENERATED} <> {GENERATED.replace('.parquet', '.csv')}",
        "--users": f"{GENERATED} <> {GENERATED.replace('--users 20', '--users 30')}",
        "--items": f"{GENERATED} <> {GENERATED.replace('--items 20', '--items 30')}",
        "--interactions": f"{GENERATED} <> {GENERATED.replace('--interactions 200', '--interactions 300')}",
        "--intents": f"{GENERATED} <> {GENERATED.replace('--intents 2', '--intents 3')}",
        "--difficulty": "--difficulty 0.9",
        "--seed": "--seed 2",
        "--metadata": "--metadata NEW.csv",
        "--kinds": "--kinds",
        "--baskets": "--baskets",
    },
    "evaluate": {
        "--data": "--data OTHER",
        "--split": "--split valid",
        "--ranks": "--ranks NEW.csv",
        "--baselines/--no-baselines": "--no-baselines",
        "--include-seen": "RUN --no-baselines --include-seen <> RUN --no-baselines --exclude-seen",
        "--exclude-seen": "RUN --no-baselines --include-seen <> RUN --no-baselines --exclude-seen",
        "--unknown": "RUN --data STRANGE <> RUN --data STRANGE --unknown skip",
        "--set": "RUN --data RENAMED <> RUN --data RENAMED --set item_column=thing",
        "--columns": "RUN --data BARE <> RUN --data BARE --columns user_id,item_id,timestamp",
        "--events": "RUN --data KINDS <> RUN --data KINDS --events purchase",
    },
    "find": {"-k/--k/--top": "-k 3"},
    "intents": {
        "-k/--k/--top": "RUN --json <> RUN --json -k 2",
        "--rows": "--rows 1",
        "--intent": "--intent 1",
        "--items": "RUN --json <> RUN --json --items ITEMS",
        "--quality": "--quality",
        "--against": "--against RUN",
        "--suggest-k": "--suggest-k",
        "--ids-only": "--ids-only",
    },
    "recommend": {
        "--user": "RUN --user USER <> RUN --user USER --user PEER",
        "--history": "RUN --history ITEM <> RUN --history ITEM --history LATER",
        "--history-file": "RUN --history ITEM <> RUN --history ITEM --history-file HISTORY",
        "--user-feature": "RUN --history ITEM <> RUN --history ITEM --user-feature country=DE",
        "--all": "RUN --all --out NEW.csv <> RUN --user USER --out NEW.csv",
        "--out": "--out NEW.csv",
        "-k/--k/--top": "-k 3",
        "--include-seen": "RUN --user USER -k 500 --include-seen <> RUN --user USER -k 500 --exclude-seen",
        "--exclude-seen": "RUN --user USER -k 500 --include-seen <> RUN --user USER -k 500 --exclude-seen",
        "--only-seen": "--only-seen",
        "--explain": "--explain",
        "--intent": "--intent 1",
        "--exclude-intent": "--exclude-intent 0 --exclude-intent 1 --exclude-intent 2",
        "--strength": "RUN --user USER --intent 1 <> RUN --user USER --intent 1 --strength 0.1",
        "--diversify": "--diversify 0.9",
        "--allow": "--allow HISTORY",
        "--deny": "RUN --user USER -k 500 <> RUN --user USER -k 500 --deny HISTORY",
        "--attribute": "--attribute kind=kind-1",
        "--all-attributes": "--all-attributes kind-1",
        "--approximate": "RUN --user USER --exclude-seen <> RUN --user USER --exclude-seen --approximate",
        "--unknown": "RUN --history ITEM,nothing <> RUN --history ITEM,nothing --unknown skip",
        "--ids-only": "--ids-only",
    },
    "rename": {
        "--intent": "COPY --name a --intent 0 <> COPY --name a --intent 1",
        "--name": "COPY --intent 0 --name a <> COPY --intent 0 --name b",
    },
    "report": {"--items": "--items ITEMS", "--users": "--users 2", "--title": "--title Mine"},
    "settings": {"--recipe": "--recipe paper"},
    "similar": {
        "--item": "RUN --item ITEM <> RUN --item LATER",
        "-k/--k/--top": "-k 3",
        "--unknown": "RUN --item ITEM --item nothing <> RUN --item ITEM --item nothing --unknown skip",
        "--ids-only": "--ids-only",
    },
}
"""By verb and option what changes what comes out: ``A <> B``, or the words of B, where A is the verb's ``BASE``."""

REFUSED: dict[str, tuple[str, str]] = {
    "--device": ("--device nonsense", "device"),
    "--format": ("--format parquet", "parquet"),
    "--set": ("--set nonsense=1", "unknown setting"),
    "--columns": ("--columns a,b", "column"),
    "--events": ("--events nonsense", "event"),
    "--ray": ("--ray 0", "0"),
    "--epochs": ("--epochs 0", "epochs"),
    "--batch-size": ("--batch-size 0", "batch_size"),
    "--n-intents": ("--n-intents 0", "n_intents"),
    "--recipe": ("--recipe nonsense", "nonsense"),
    "--items": ("--items no.csv", "no.csv"),
    "--users": ("--users no.csv", "no.csv"),
    "--trials": ("--trials 0", "0"),
    "--space": ("--space no.toml", "no.toml"),
    "--seed": ("--seed nonsense", "nonsense"),
    "--names-from": ("--names-from no", "no run folder"),
    "--from": ("--from no", "no run folder"),
    "--difficulty": ("--difficulty 2", "2"),
    "--data": ("--data no.csv", "no.csv"),
    "--dry-run": ("--plots", "--plots"),
    "--tables": ("--tables", "--dry-run"),
    "--plots/--no-plots": ("--plots", "--plots"),
    "--unknown-user": ("--unknown-user nonsense", "nonsense"),
    "--api-key-file": ("--api-key-file no.txt", "no.txt"),
    "--port": ("--port 99999", "99999"),
    "--workers": ("--workers 0", "0"),
    "--cors": ("--cors https://shop.example/", "--cors"),
    "--allow-host": ("--allow-host https://shop.example", "--allow-host"),
    "--trust-proxy": ("--trust-proxy *", "--trust-proxy"),
    **{f"--max-{name}": (f"--max-{name} 0", "0") for name in ("k", "history", "work", "body", "header", "connections")},
    "--timeout": ("--timeout 0", "0"),
    "--rate": ("--rate -1", "-1"),
    "--store": ("--store ftp://nowhere", "ftp"),
}
"""By option words that are refused, and what the complaint names; for all verbs without a row in ``EFFECTS``."""

REFUSED_OF_VERB = {
    ("evaluate", "--format"): ("--data LOG --format parquet", "parquet"),
    ("export", "--format"): ("--format nonsense", "nonsense"),
    ("data fetch", "--from"): ("toys --from x", "--from"),
    ("demo", "--shop"): ("--shop nonsense", "nonsense"),
    ("demo", "--users"): ("--users -1", "-1"),
    ("demo", "--out"): ("--out LOG", "LOG"),
    ("events", "--out"): ("--out x.xls", "x.xls"),
    ("events", "--store"): ("--store nowhere.sqlite", "nowhere.sqlite"),
    ("report", "--out"): ("--out no/x.html", "no"),
    ("train", "--out"): ("--out LOG", "LOG"),
    ("train", "--overwrite"): ("--from RUN --out RUN", "--overwrite"),
    ("train", "--resume"): ("--from RUN --resume", "--resume"),
    ("tune", "--out"): ("--out RUN", "choose another --out"),
    ("add-items", "--items"): ("--items no.csv", "no.csv"),
    ("add-items", "--out"): ("--out RUN", "--overwrite"),
    ("add-items", "--overwrite"): ("--out RUN", "--overwrite"),
    ("export", "--out"): ("--out RUN", "RUN"),
    ("import-checkpoint", "--out"): ("--out RUN", "--overwrite"),
    ("import-checkpoint", "--overwrite"): ("--out RUN", "--overwrite"),
    ("recommend", "--ray"): ("--ray 1", "--all"),
    ("benchmark", "--device"): ("--device cpu", "--device"),
}

ELSEWHERE = {
    ("serve", "--json"): "served.py",
    ("add-items", "--json"): "contract/test_learning_from_items.py",
    ("data fetch", "--json"): "e2e/test_named_data.py",
    ("demo", "--json"): "contract/test_cli_contract.py",
    ("events", "--json"): "contract/test_partial_fit.py",
    ("export", "--json"): "unit/integrations/test_onnx.py",
}
"""Files whose tests show an option in a server, a training or a download of their own."""

AT_ONCE = {
    *(
        (verb, f"--{name}")
        for verb in ("train", "tune")
        for name in ("epochs", "batch-size", "n-intents", "seed", "json")
    ),
    *(("benchmark", option) for option in ("--out", "--work", "--json")),
    *(("serve", option) for option in ("--host", "--read-only", "--approximate", "--against")),
}
"""Options that one training, one suite or one server shows together."""

JSON_OF = {verb for verb, option in OPTIONS if option == "--json" and (verb, option) not in AT_ONCE | set(ELSEWHERE)}
NUMBERS = itertools.count()


def refusal(verb: str, option: str) -> tuple[str, str] | None:
    """Words and what the complaint names; None where the option is shown otherwise."""
    if option == "--json" or option in EFFECTS.get(verb, {}) or (verb, option) in AT_ONCE | set(ELSEWHERE):
        return None
    return REFUSED_OF_VERB.get((verb, option)) or REFUSED.get(option)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the words in capitals stand for."""
    folder = tmp_path_factory.mktemp("options")
    log, run, frame = shop_csv(folder, 60), folder / "run", shop_log(60)
    items, users = frame["item_id"].unique(maintain_order=True), frame["user_id"].unique(maintain_order=True)
    catalogue = pl.DataFrame({"item_id": items}).with_columns(
        title=pl.format("The {}", "item_id"), kind=pl.format("kind-{}", pl.int_range(pl.len()) % 3)
    )
    tables = {
        "catalogue.csv": catalogue,
        "items.csv": catalogue.with_columns(title=pl.format("Some {}", "item_id")),
        "newcomers.csv": catalogue.head(2).with_columns(item_id=pl.format("new {}", "item_id")),
        "people.csv": pl.DataFrame({"user_id": users}).with_columns(
            country=pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("DE")).otherwise(pl.lit("FR"))
        ),
        "other.csv": frame.filter(pl.col("user_id") != users[0]),
        "strange.csv": frame.with_columns(pl.col("item_id").replace(items[3], "nothing")),
        "kinds.csv": frame.with_columns(
            event=pl.when(pl.int_range(pl.len()) % 9 == 0).then(pl.lit("view")).otherwise(pl.lit("purchase"))
        ),
        "numbered.csv": frame.with_columns(pl.col("item_id").rank("dense")),
        "renamed.csv": frame.rename({"item_id": "thing"}),
    }
    for name, table in tables.items():
        table.write_csv(folder / name)
    frame.write_csv(folder / "bare.csv", include_header=False)
    (folder / "history.json").write_text(json.dumps([items[5], items[6]]))
    rows = (f'[[rows]]\nrecipe = "{recipe}"' for recipe in ("popularity", "markov"))
    (folder / "suite.toml").write_text("\n".join([f'name = "options"\ndata = ["{log}"]', *rows]))
    trained = ("train", log, "--out", run, "--items", folder / "catalogue.csv", "--users", folder / "people.csv")
    run_cli(*trained, *SETS, "--json").document()
    shutil.copytree(run, folder / "copy")
    model = ELCRec("paper", **{**QUICK, "epochs": 1, "n_layers": 1}).fit(folder / "numbered.csv", progress=False)
    weights = published_names(model.network.state_dict())
    save_file({name: tensor.contiguous().clone() for name, tensor in weights.items()}, folder / "weights.safetensors")
    names = ("items", "newcomers", "other", "strange", "kinds", "renamed", "bare", "numbered")
    files = {name.upper(): f"{name}.csv" for name in names} | {"WEIGHTS": "weights.safetensors", "LOG": log.name}
    files |= {"SUITE": "suite.toml", "HISTORY": "history.json", "RUN": "run", "COPY": "copy"}
    ids = {"USER": users[0], "PEER": users[1], "ITEM": items[5], "LATER": items[6], "FOLDER": str(folder)}
    return {name: str(folder / file) for name, file in files.items()} | ids


RUN_WEIGHTS = {"x/model.safetensors"}
Called = tuple[Outcome, dict[str, bytes]]


@pytest.fixture(scope="module")
def called(places: dict[str, str]) -> Callable[[str, str], Called]:
    """Calls a verb with the words of a row; gives the outcome, and the files that it wrote in the place of ``NEW``."""
    found: dict[tuple[str, str], Called] = {}

    def call(verb: str, words: str) -> Called:
        if (verb, words) not in found:
            new = Path(places["FOLDER"]) / f"new-{next(NUMBERS)}"
            new.mkdir()
            outcome = run_cli(*verb.split(), *(_real(word, places, new) for word in words.split()))
            texts = (text.replace(str(new), "new") for text in (outcome.out, outcome.err))
            # The other files of a run tell when it was written.
            files = {name: data for name, data in contents(new).items() if name in RUN_WEIGHTS or "/" not in name}
            found[verb, words] = Outcome(outcome.code, *texts), files
        return found[verb, words]

    return call


def _real(word: str, places: dict[str, str], new: Path) -> str:
    """A word of a row with real places."""
    if word == "NEW" or word.startswith("NEW."):
        return f"{new}/x{word.removeprefix('NEW')}"
    return ",".join(places.get(part, part) for part in word.split(","))


def test_every_option_has_a_row_and_every_row_an_option() -> None:
    assert {verb for verb, _ in OPTIONS} == set(BASE)
    rows = {(verb, option) for verb, rows in EFFECTS.items() for option in rows}
    shown = {
        (verb, option)
        for verb, option in OPTIONS
        if (option == "--json" and verb in JSON_OF)
        or (verb, option) in rows | set(ELSEWHERE) | AT_ONCE
        or refusal(verb, option)
    }
    assert shown == OPTIONS, f"without a row: {sorted(OPTIONS - shown)}"
    assert rows | set(REFUSED_OF_VERB) | set(ELSEWHERE) | AT_ONCE <= OPTIONS
    assert set(REFUSED) <= {option for _, option in OPTIONS}


@pytest.mark.parametrize(("verb", "option"), sorted(ELSEWHERE))
def test_the_tests_elsewhere_name_the_option(verb: str, option: str) -> None:
    text = (TESTS / ELSEWHERE[verb, option]).read_text()
    assert f'"{option}"' in text
    assert f'"{verb.split()[-1]}"' in text


@pytest.mark.parametrize(("verb", "option"), sorted((v, o) for v, rows in EFFECTS.items() for o in rows))
def test_an_option_changes_what_comes_out(verb: str, option: str, called: Callable[[str, str], Called]) -> None:
    row = EFFECTS[verb][option]
    without, given = row.split(" <> ") if "<>" in row else (BASE[verb], f"{BASE[verb]} {row}")
    outcome, files = called(verb, given)
    assert outcome.code == 0, outcome.err
    assert (outcome, files) != called(verb, without)


@pytest.mark.parametrize("verb", sorted(EFFECTS))
def test_the_same_command_gives_the_same_again(verb: str, called: Callable[[str, str], Called]) -> None:
    assert called(verb, BASE[verb]) == called(verb, f"{BASE[verb]} ")


@pytest.mark.parametrize(("verb", "option"), sorted((v, o) for v, o in OPTIONS if refusal(v, o)))
def test_a_value_that_cannot_be_is_refused(verb: str, option: str, places: dict[str, str]) -> None:
    words, named = refusal(verb, option) or ("", "")
    folder = Path(places["FOLDER"])
    (folder / "refused").mkdir(exist_ok=True)
    before = _state(folder)
    arguments = (_real(word, places, folder / "refused") for word in f"{BASE[verb]} {words}".split())
    complaint = run_cli(*verb.split(), *arguments).complaint()
    assert any(name in complaint for name in (places.get(named, named), *option.split("/")))
    assert _state(folder) == before, "a refused command wrote something"


def _state(folder: Path) -> dict[Path, int]:
    """All folders, and all files with the time they were written."""
    return {path: 0 if path.is_dir() else path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("verb", sorted(JSON_OF))
def test_json_is_one_document(verb: str, called: Callable[[str, str], Called]) -> None:
    called(verb, f"{BASE[verb]} --json")[0].document()


@pytest.mark.parametrize("verb", ["train", "tune"])
def test_short_options_of_settings_arrive(verb: str, places: dict[str, str], tmp_path: Path) -> None:
    short = ["--epochs", 1, "--batch-size", 32, "--n-intents", 3, "--seed", 7]
    rest = [part for name in ("embedding_dim=8", "warmup_epochs=1", "epoch_steps=1") for part in ("--set", name)]
    space = tmp_path / "space.toml"
    space.write_text("dropout = {choices = [0.1, 0.2]}")
    more = ["--trials", 1, "--space", space] if verb == "tune" else []
    run_cli(verb, places["LOG"], "--out", tmp_path / "out", *short, *rest, *more, "--json").document()
    if verb == "tune":
        found = tomllib.loads((tmp_path / "out" / "best.toml").read_text())
    else:
        found = json.loads((tmp_path / "out" / "config.json").read_text())["settings"]
    assert [found[name] for name in ("epochs", "batch_size", "n_intents", "seed")] == [1, 32, 3, 7]


def test_a_suite_goes_where_it_should(places: dict[str, str], tmp_path: Path) -> None:
    folders = ("--out", tmp_path / "results", "--work", tmp_path / "work")
    lines = run_cli("benchmark", places["SUITE"], *folders, "--json").document()
    assert len(lines) == 2
    assert list((tmp_path / "results" / "options").glob("*.json"))
    assert (tmp_path / "work" / "options").is_dir()


def test_options_of_a_server_arrive(places: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Options] = []
    monkeypatch.setattr("elcrec.serving.server.serve", lambda options, listening: taken.append(options))
    run_cli("serve", places["RUN"])
    run_cli("serve", places["RUN"], "--host", "localhost", "--read-only", "--approximate", "--against", places["COPY"])
    plain, chosen = (Options(**vars(options)) for options in taken)
    assert (plain.host, plain.read_only, plain.approximate) == ("127.0.0.1", False, False)
    assert (chosen.host, chosen.read_only, chosen.approximate) == ("localhost", True, True)
    assert (plain.against, chosen.against) == (None, Path(places["COPY"]))
    snapshots = [Snapshot.load(options) for options in (plain, chosen)]
    assert [len(snapshot.both) for snapshot in snapshots] == [1, 2]
    policy = RankingPolicy(k=1, exclude_seen=True)
    assert [asyncio.run(snapshot.resolve(policy)).approximate for snapshot in snapshots] == [False, True]


@pytest.mark.parametrize("verb", ["", *sorted(BASE)])
def test_help_is_short_and_long_and_shows_flags_without_a_type(verb: str) -> None:
    shown = run_cli(*verb.split(), "--help")
    assert (shown.code, shown.err) == (0, "")
    assert shown == run_cli(*verb.split(), "-h")
    assert "<bool>" not in shown.out


def test_the_version_is_shown() -> None:
    assert run_cli("--version").out == f"elcrec {metadata.version('elcrec')}\n"
