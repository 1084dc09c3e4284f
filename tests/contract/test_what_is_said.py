"""Lines and warnings that say what a call has done, or left, where the caller may expect something else."""

import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runner import SMALL, run_cli, shop_csv, shop_log
from elcrec import ELCRec
from elcrec.data.synthetic import make_shop
from elcrec.errors import DataWarning

NOTHING = "nothing to resume in {}: the training starts from scratch"
QUICKER = {**SMALL, "epochs": 1}


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
