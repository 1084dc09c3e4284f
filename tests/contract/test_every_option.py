"""Every option of every verb has an effect or is refused; the list comes from the command line's own definition."""

import itertools
import json
from pathlib import Path

import pytest
import typer

from cli_runner import QUICK, contents, run_cli, shop_csv
from elcrec.cli import app
from surface import of_verbs

OPTIONS = {
    (verb.removeprefix("elcrec "), name)
    for verb, options in of_verbs(typer.main.get_command(app)).items()
    for name in options
    if name.startswith("-")
}
SETS = [part for name, value in {**QUICK, "epochs": 1, "n_layers": 1}.items() for part in ("--set", f"{name}={value}")]
BASE = {
    "add-items": "RUN --items no.csv --out NEW",
    "audience": "RUN --intent 0 --out NEW.csv",
    "benchmark": "SUITE",
    "data check": "LOG",
    "data describe": "LOG",
    "data fetch": "beauty",
    "data generate": "--out NEW.parquet --users 20 --items 20 --interactions 200 --intents 2",
    "data list": "",
    "data prepare": "LOG --out NEW.parquet",
    "demo": "--out NEW",
    "evaluate": "RUN --data LOG",
    "events": "RUN --out NEW.csv",
    "export": "RUN --out NEW",
    "import-checkpoint": "no.pt --data LOG --out NEW",
    "index": "RUN",
    "intents": "RUN",
    "recommend": "RUN --user USER",
    "rename": "RUN --intent 0 --name mine",
    "report": "RUN --out NEW.html",
    "serve": "RUN",
    "settings": "",
    "similar": "RUN --item ITEM",
    "train": "LOG --out NEW",
    "tune": "LOG --out NEW",
}
"""Arguments that each verb takes when the row of an option adds its own."""

REFUSED: dict[str, tuple[str, str]] = {
    "--device": ("--device nonsense", "device"),
    "--format": ("--format nonsense", "format"),
    "--set": ("--set nonsense=1", "unknown setting"),
    "--columns": ("--columns a,b", "column"),
    "--events": ("--events nonsense", "event"),
    "--unknown": ("--unknown nonsense", "unknown"),
    "--ray": ("--ray 0", "0"),
    "--epochs": ("--epochs 0", "epochs"),
    "--batch-size": ("--batch-size 0", "batch_size"),
    "--n-intents": ("--n-intents 0", "n_intents"),
    "--recipe": ("--recipe nonsense", "nonsense"),
    "--items": ("--items no.csv", "no.csv"),
    "--trials": ("--trials 0", "0"),
    "--space": ("--space no.toml", "no.toml"),
    "--seed": ("--seed nonsense", "nonsense"),
    "--min-weight": ("--min-weight 2", "2"),
    "--popularity": ("--popularity 2", "2"),
    "--diversify": ("--diversify 2", "2"),
    "--strength": ("--strength 0.5", "--intent"),
    "--intent": ("--intent 99999", "99999"),
    "--exclude-intent": ("--exclude-intent 99999", "99999"),
    "-k/--top": ("-k 0", "0"),
    "--top": ("--top 0", "0"),
    "--rows": ("--rows 0", "0"),
    "--against": ("--against no", "no run folder"),
    "--names-from": ("--names-from no", "no"),
    "--from": ("--from no", "no"),
    "--difficulty": ("--difficulty 2", "2"),
    "--history-file": ("--history-file no.json", "choose"),
    "--history": ("--history a,b", "choose"),
    "--user": ("--all", "choose"),
    "--all": ("--all", "choose"),
    "--split": ("--split nonsense", "nonsense"),
    "--ranks": ("--ranks x.xls", "x.xls"),
    "--data": ("--data no.csv", "no.csv"),
    "--unknown-user": ("--unknown-user nonsense", "nonsense"),
    "--api-key-file": ("--api-key-file no.txt", "no.txt"),
    "--port": ("--port 99999", "99999"),
    "--workers": ("--workers 0", "0"),
    "--metadata": ("--metadata x.xls", "x.xls"),
    "--kinds": ("--kinds --baskets", "--baskets"),
    "--baskets": ("--kinds --baskets", "--baskets"),
    "--dry-run": ("--dry-run --plots", "--plots"),
    "--only": ("--only x --tables", "--only"),
    "--tables": ("--dry-run --tables", "--dry-run"),
    "--plots/--no-plots": ("--dry-run --plots", "--plots"),
    "--name": ("--name a --intent 99999", "99999"),
    "--quality": ("--quality --suggest-k", "--quality"),
    "--suggest-k": ("--suggest-k --quality", "--suggest-k"),
    **{f"--max-{name}": (f"--max-{name} 0", "0") for name in ("k", "history", "work", "body", "header", "connections")},
    "--timeout": ("--timeout 0", "0"),
    "--rate": ("--rate -1", "-1"),
    "--users": ("--users -1", "-1"),
    "--item": ("--item nonsense", "nonsense"),
    "--store": ("--store nowhere.sqlite", "nowhere.sqlite"),
    "--only-seen": ("--only-seen --exclude-seen", "--only-seen"),
    "--interactions": ("--interactions 0", "interactions"),
    "--intents": ("--intents 0", "intents"),
}
"""By option what is refused, and what the complaint names; for all verbs that have it."""

REFUSED_BY_VERB = {
    ("data fetch", "--from"): ("toys --from x", "--from"),
    ("data generate", "--items"): ("--items 0", "items"),
    ("data generate", "--seed"): ("--seed -1", "-1"),
    ("data generate", "--out"): ("--out x.xls", "x.xls"),
    ("data prepare", "--out"): ("--out x.xls", "x.xls"),
    ("audience", "--out"): ("--out x.xls", "x.xls"),
    ("events", "--out"): ("--out x.xls", "x.xls"),
    ("recommend", "--out"): ("--out x.xls", "x.xls"),
    ("report", "--out"): ("--out no/x.html", "no"),
    ("train", "--out"): ("--out LOG", "shop"),
    ("tune", "--out"): ("--out RUN", "choose another --out"),
    ("train", "--overwrite"): ("--from RUN --out RUN", "--overwrite"),
    ("train", "--resume"): ("--from RUN --resume", "--resume"),
    ("add-items", "--out"): ("--out RUN", "--overwrite"),
    ("add-items", "--overwrite"): ("--out RUN", "--overwrite"),
    ("export", "--out"): ("--out RUN", "RUN"),
    ("train", "--ray"): ("--ray 1 --from RUN", "--ray"),
    ("recommend", "--ray"): ("--ray 1", "--all"),
    ("benchmark", "--device"): ("--device cpu --tables", "--device"),
}

EFFECT = {
    ("recommend", "--include-seen"): "--include-seen -k 150",
    ("recommend", "--exclude-seen"): "--exclude-seen --include-seen",
    ("recommend", "--explain"): "--explain",
    ("recommend", "--approximate"): "--approximate",
    ("evaluate", "--include-seen"): "--include-seen",
    ("evaluate", "--exclude-seen"): "--include-seen --exclude-seen",
    ("report", "--title"): "--title Mine --json",
}
"""What changes the outcome of the command without it."""

WITHOUT_A_ROW = {
    ("serve", "--allow-host"), ("serve", "--approximate"), ("serve", "--cors"), ("serve", "--host"),
    ("serve", "--read-only"), ("serve", "--trust-proxy"),  # tests/unit/serving and contract/test_serve_edges.py
    ("benchmark", "--out"), ("benchmark", "--work"), ("demo", "--out"),  # tests/e2e
    ("import-checkpoint", "--out"), ("import-checkpoint", "--overwrite"), ("import-checkpoint", "--columns"),
    ("import-checkpoint", "--events"), ("import-checkpoint", "--format"), ("import-checkpoint", "--items"),
    ("serve", "--store"), ("serve", "--api-key-file"), ("serve", "--device"),
}  # fmt: skip
"""Options that tests of whole processes show; an option that is added has no place here."""
JSON_SHOWN_ELSEWHERE = {"add-items", "data fetch", "demo", "import-checkpoint", "serve", "train", "tune", "events"} | {
    "benchmark", "index", "export"
}  # fmt: skip


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("options")
    log, run = shop_csv(folder, 60), folder / "run"
    run_cli("train", log, "--out", run, *SETS, "--json").document()
    suite = folder / "suite.toml"
    suite.write_text("")
    first = log.read_text().splitlines()[1].split(",")
    named = {"LOG": str(log), "RUN": str(run), "SUITE": str(suite), "USER": first[0], "ITEM": first[1]}
    return named | {"FOLDER": str(folder)}


def arguments(verb: str, more: str, places: dict[str, str], number: int) -> list[str]:
    """The words of a command with real places; spaces in ids stay."""

    def real(word: str) -> str:
        if word.startswith("NEW"):
            return f"{places['FOLDER']}/new-{number}{word.removeprefix('NEW')}"
        return places.get(word, word)

    return [*verb.split(), *(real(word) for word in f"{BASE[verb]} {more}".split())]


NUMBERS = itertools.count()


def refusal(verb: str, option: str) -> tuple[str, str] | None:
    if (verb, option) in WITHOUT_A_ROW:
        return None
    return REFUSED_BY_VERB.get((verb, option)) or REFUSED.get(option)


def test_every_option_has_a_row_and_every_row_an_option() -> None:
    assert {verb for verb, _ in OPTIONS} == set(BASE)
    shown = {
        (verb, option)
        for verb, option in OPTIONS
        if option == "--json" or (verb, option) in EFFECT or refusal(verb, option)
    }
    assert OPTIONS - shown == WITHOUT_A_ROW, sorted((OPTIONS - shown) ^ WITHOUT_A_ROW)
    assert (set(REFUSED_BY_VERB) | set(EFFECT)) <= OPTIONS
    assert set(REFUSED) <= {option for _, option in OPTIONS}


@pytest.mark.parametrize(
    ("verb", "option"),
    sorted((v, o) for v, o in OPTIONS if o != "--json" and (v, o) not in EFFECT and refusal(v, o)),
)
def test_a_value_that_cannot_be_is_refused(verb: str, option: str, places: dict[str, str]) -> None:
    more, named = refusal(verb, option) or ("", "")
    before = contents(Path(places["FOLDER"]))
    complaint = run_cli(*arguments(verb, more, places, next(NUMBERS))).complaint()
    assert any(name in complaint for name in (places.get(named, named), *option.split("/")))
    assert contents(Path(places["FOLDER"])) == before, "a refused command wrote something"


@pytest.mark.parametrize(("verb", "option"), sorted(EFFECT))
def test_an_option_changes_what_comes_out(verb: str, option: str, places: dict[str, str]) -> None:
    without = run_cli(*arguments(verb, "", places, 0))
    with_it = run_cli(*arguments(verb, EFFECT[verb, option], places, 0))
    assert without.code == 0, without.err
    assert (with_it.code, with_it.out, with_it.err) != (0, without.out, without.err)


@pytest.mark.parametrize("verb", sorted({v for v, o in OPTIONS if o == "--json"} - JSON_SHOWN_ELSEWHERE))
def test_json_is_one_document(verb: str, places: dict[str, str]) -> None:
    outcome = run_cli(*arguments(verb, "--json", places, next(NUMBERS)))
    assert outcome.code == 0, outcome.err
    json.loads(outcome.out)
