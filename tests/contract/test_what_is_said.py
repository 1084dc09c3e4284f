"""Lines and warnings that say what a call has done, or left, where the caller may expect something else."""

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runner import LEARNED, baskets_log, run_cli, shop_csv, shop_log, untrained
from elcrec import ELCRec, Interactions
from elcrec.data.synthetic import make_shop
from elcrec.errors import DataWarning, SettingsError

NOTHING = "nothing to resume in {}: the training starts from scratch"
QUICKER = {**LEARNED, "epochs": 1}


def sets_of(**settings: Any) -> list[str]:
    return [part for name, value in {**QUICKER, **settings}.items() for part in ("--set", f"{name}={value}")]


def shelves(n_users: int = 120) -> pl.DataFrame:
    return make_shop(n_users, 0.2, 1).shelf_of_item.rename({"planted": "shelf"})


def fitted(**settings: Any) -> ELCRec:
    return ELCRec(seed=1, **{**QUICKER, **settings}).fit(shop_log(120), items=shelves(), progress=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "shop"
    fitted().save(folder)
    return folder


def test_a_training_that_finds_nothing_to_resume_says_so(tmp_path: Path) -> None:
    log, out = shop_csv(tmp_path, 60), tmp_path / "run"
    first = run_cli("train", log, "--out", out, *sets_of(), "--resume")
    assert first.code == 0
    assert NOTHING.format(out) in first.err.splitlines()
    finished = run_cli("train", log, "--out", out, *sets_of(), "--resume")
    assert "finished already" in finished.err
    assert "starts from scratch" not in finished.err
    plain = run_cli("train", log, "--out", tmp_path / "other", *sets_of())
    assert "nothing to resume" not in plain.err


def test_in_python_the_terminal_alone_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = shop_log(60)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        for name, progress in (("loud", True), ("silent", False)):
            ELCRec(seed=1, **QUICKER).fit(log, tmp_path / name, resume=True, progress=progress)
            assert (NOTHING.format(tmp_path / name) in capsys.readouterr().err.splitlines()) == progress


@pytest.mark.parametrize(("known", "said"), [(1, "1 row describes an item"), (2, "2 rows describe items")])
def test_rows_of_known_items_are_counted_where_items_are_added(
    run: Path, tmp_path: Path, known: int, said: str
) -> None:
    new = shelves().head(3).with_columns(item_id=pl.format("new {}", pl.int_range(3)))
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        ELCRec.load(run).add_items(new)
    both = pl.concat([shelves().head(known), new])
    with pytest.warns(
        DataWarning, match=rf"{said} of the model, left unchanged: .* partial_fit\(events, items="
    ) as seen:
        ELCRec.load(run).add_items(both)
    assert [Path(warning.filename).name for warning in seen] == [Path(__file__).name]
    both.write_csv(tmp_path / "items.csv")
    added = run_cli("add-items", run, "--items", tmp_path / "items.csv", "--out", tmp_path / "next")
    assert added.code == 0
    lines = [line for line in added.err.splitlines() if said in line]
    assert len(lines) == 1
    assert lines[0].endswith("by elcrec train EVENTS --from RUN --items FILE")


def test_carried_names_are_counted_and_those_left_are_named(tmp_path: Path) -> None:
    earlier = fitted(n_intents=8)
    earlier.rename_intents({intent: f"name [{intent}]" for intent in range(8)})
    earlier.save(tmp_path / "earlier")
    shop_log(120).write_csv(tmp_path / "log.csv")
    how = ["--seed", "1", "--names-from", tmp_path / "earlier"]
    for n_intents in (8, 3):
        out = tmp_path / f"run-{n_intents}"
        done = run_cli("train", tmp_path / "log.csv", "--out", out, *how, *sets_of(n_intents=n_intents))
        assert done.code == 0, done.err
        carried = set(ELCRec.load(out).given_names.values())
        [line] = [line for line in done.err.splitlines() if "carried over" in line]
        assert line.startswith(f"{len(carried)} of 8 given names carried over")
        left = [name for name in earlier.given_names.values() if name not in carried]
        assert (f"not {', '.join(map(repr, left[:3]))}" in line) == bool(left)
        assert (f" and {len(left) - 3} more" in line) == (len(left) > 3)


def test_one_name_for_two_intents_is_warned_about(run: Path, tmp_path: Path) -> None:
    model = ELCRec.load(run)
    with pytest.warns(DataWarning, match="intents 1 and 3 have one name, 'NAILS'") as seen:
        model.rename_intents({1: "Nails", 3: "NAILS"})
    assert len(seen) == 1
    assert Path(seen[0].filename).name == Path(__file__).name
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        model.rename_intents({3: "Hair", 1: "Nails", 2: ""})
    model.save(tmp_path / "run")
    done = run_cli("rename", tmp_path / "run", "--intent", 5, "--name", "hair")
    assert done.code == 0
    assert "warning: intents 3 and 5 have one name" in done.err


@pytest.fixture(scope="module")
def named_run(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two names are given, and one to two intents."""
    model, folder = ELCRec.load(run), tmp_path_factory.mktemp("named") / "run"
    with pytest.warns(DataWarning, match="one name"):
        model.rename_intents({1: "Classics, old", 2: "Twin", 4: "Twin"})
    model.save(folder)
    return folder


def test_a_name_that_is_a_number_is_refused(run: Path) -> None:
    model = ELCRec.load(run)
    for name in ("12", " 12 ", "٣"):
        with pytest.raises(SettingsError, match=r"would stand for intent (12|3): add a word"):
            model.rename_intents({1: name})


def test_every_verb_takes_an_intent_by_its_given_name(named_run: Path, tmp_path: Path) -> None:
    user = ELCRec.load(named_run).users.ids[0]
    for verb, rest in {
        "recommend": ["--user", user, "--strength", "0.9", "--json"],
        "recommend --all": ["--all", "--out", "NEW", "--strength", "0.9"],
        "audience": ["--out", "NEW", "--top", "8"],
        "intents": ["--json"],
        "rename": ["--name", "Classics, old", "--json"],
    }.items():
        found = []
        for place, name in enumerate(("1", "Classics, old", "classics,  OLD")):
            out = tmp_path / f"{verb.replace(' ', '')}-{place}.csv"
            given = [out if one == "NEW" else one for one in rest]
            done = run_cli(verb.split()[0], named_run, "--intent", name, *given)
            assert done.code == 0, (verb, done.err)
            found.append(out.read_text() if out.exists() else done.out)
        assert found[0] == found[1] == found[2], verb
        assert found[0], verb
        refused = {"Twin": "intents 2, 4 have this name", "No": "'Classics, old' (1)", "1.5": "number", "-1": ""}
        for name, reason in refused.items():
            given = [tmp_path / "no.csv" if one == "NEW" else one for one in rest]
            assert reason in run_cli(verb.split()[0], named_run, f"--intent={name}", *given).complaint()
            missing = run_cli(verb.split()[0], tmp_path / "nowhere", f"--intent={name}", *given).complaint()
            assert "nowhere" in missing, (verb, name)
    left_out = ["recommend", named_run, "--user", user, "--json", "--exclude-intent"]
    assert run_cli(*left_out, "1").document() == run_cli(*left_out, "classics, old").document()


def test_every_table_with_intents_takes_their_names(named_run: Path) -> None:
    model = ELCRec.load(named_run)
    user, item = model.users.ids[0], model.items.ids[0]
    tables = [
        model.recommend([user], explain=True),
        model.recommend_from_history([[item]], explain=True),
        model.user_intents(top=3),
        model.history_intents([[item]], top=3),
        model.slate([user]),
        model.intent_timeline(user),
        model.recommend_for_intent(k=1),
        model.user_intents([]),
    ]
    for table in tables:
        shown = model.with_intent_names(table)
        assert shown.columns == [*table.columns, "intent_name"]
        assert shown["intent_name"].to_list() == [
            None if intent is None else model.intent_names[intent] for intent in table["intent"]
        ]
        assert model.with_intent_names(shown).equals(shown)
    plain = model.recommend([user])
    assert model.with_intent_names(plain).equals(plain)


@pytest.mark.parametrize("titled", [False, True])
@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("header", [True, False])
def test_files_with_columns_are_told_to_hold_one_id_a_line(
    run: Path, tmp_path: Path, header: bool, mark: str, titled: bool
) -> None:
    if not titled:
        run = tmp_path / "untitled"
        untrained(Interactions(shop_log(120))).save(run)
    ids, path = shelves()["item_id"].head(4).to_list(), tmp_path / "ids.csv"
    lines = [f"{item}{mark}x {place}" for place, item in enumerate(ids)]
    path.write_text("\n".join([f"item_id{mark}title", *lines] if header else lines))
    user = ["--user", ELCRec.load(run).users.ids[0]]
    everybody = ["--all", "--out", tmp_path / "all.csv"]
    for given in (
        [*user, "--allow", path],
        [*user, "--deny", path],
        [*everybody, "--deny", path],
        ["--history-file", path],
    ):
        said = run_cli("recommend", run, *given).complaint()
        assert said.startswith(f"{path} seems to hold several columns: "), said
        assert "one item id per line" in said
    # An unknown id elsewhere is no fault of a file.
    path.write_text("\n".join(ids))
    assert "columns" not in run_cli("recommend", run, "--user", "no,one", "--deny", path).complaint()
    path.write_text(json.dumps(["no, such", "nor, this"]))
    assert "columns" not in run_cli("recommend", run, *user, "--deny", path).complaint()


def test_a_title_with_a_comma_makes_no_table(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "history.txt"
    for lines in (["Godfather, Thee", ELCRec.load(run).items.ids[0]], ["Godfather, Thee"]):
        path.write_text("\n".join(lines))
        said = run_cli("recommend", run, "--history-file", path).complaint()
        assert "Godfather, Thee" in said
        assert "several columns" not in said


def test_an_audience_of_no_user_names_the_highest_weight(run: Path, tmp_path: Path) -> None:
    model, out = ELCRec.load(run), ["--out", tmp_path / "audience.csv"]
    highest = model.audience([0, 1], top=2)["weight"].max()
    how = ["--intent", 0, "--intent", 1, "--top", 2]
    said = run_cli("audience", run, *how, *out, "--min-weight", 1).err
    assert "--min-weight 1 leaves no user: the highest weight is " in said
    assert highest - 1e-4 <= float(said.split()[-1]) <= highest
    again = run_cli("audience", run, *how, *out, "--min-weight", said.split()[-1], "--json").document()
    assert again["users"] > 0
    assert "leaves no user" not in run_cli("audience", run, *how, *out).err


def test_ranks_have_titles_where_items_have_some(run: Path, tmp_path: Path) -> None:
    titled = ELCRec.load(run)
    plain = ELCRec.from_fitted(titled.fitted.described(None))
    titles = shelves().with_columns(title=pl.format("The {}", "item_id"))
    titled.describe_items(titles)
    titled.save(tmp_path / "titled")
    assert plain.ranks().columns == ["user_id", "item_id", "rank"]
    known = dict(titles.select("item_id", "title").iter_rows())
    assert run_cli("evaluate", tmp_path / "titled", "--ranks", tmp_path / "ranks.parquet").code == 0
    for ranks in (titled.ranks(), pl.read_parquet(tmp_path / "ranks.parquet")):
        assert ranks.drop("title").equals(plain.ranks())
        assert ranks["title"].to_list() == [known[item] for item in ranks["item_id"]]
        assert ranks.columns[-1] == "title"


def test_an_export_prints_its_own_line_alone(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    command = [sys.executable, "-m", "elcrec.cli", "export", run, "--out", tmp_path / "onnx"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "torchvision" not in done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("export written")]


def test_a_basket_stands_next_to_chance(tmp_path: Path) -> None:
    baskets_log(40).write_csv(tmp_path / "log.csv")
    sets = sets_of(split="leave_one_basket_out", n_layers=1)
    assert run_cli("train", tmp_path / "log.csv", "--out", tmp_path / "run", *sets).code == 0
    done = run_cli("evaluate", tmp_path / "run", "--no-baselines")
    chance = ELCRec.load(tmp_path / "run").evaluate()["chance@10"]
    assert f"find an item of their next basket among ten ({chance:.1%} by chance; " in done.err
