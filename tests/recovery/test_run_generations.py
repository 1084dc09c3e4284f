"""A run is one generation: old or new wherever a writer is killed, refused when damaged, written by one at a time."""

import importlib.util
import json
import os
import random
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runner import SMALL, contents, run_cli, shop_log
from elcrec import ELCRec
from elcrec.errors import DataError, RunError
from elcrec.runs.run_folder import RunFolder
from elcrec.training.report import SilentReporter

CHECKED = (
    "config.json",
    "model.safetensors",
    "metrics.json",
    "history.jsonl",
    "interactions.parquet",
    "vocabulary.parquet",
    "items.parquet",
)


def trained(seed: int, n_users: int = 60) -> ELCRec:
    return ELCRec(seed=seed, **SMALL).fit(shop_log(n_users, seed), progress=False)


@pytest.fixture(scope="module")
def old() -> ELCRec:
    return trained(1)


@pytest.fixture(scope="module")
def new() -> ELCRec:
    model = trained(2, 70)
    model.describe_items(pl.DataFrame({"item_id": model.items.ids, "title": model.items.ids.cast(pl.String)}))
    model.rename_intents({0: "the first"})
    return model


def what(model: ELCRec) -> tuple[Any, ...]:
    """Enough of a model to tell it from a mixture of two."""
    weights = [value.sum().item() for value in model.network.state_dict().values()]
    titled = model.catalogue is not None
    return weights, model.items.ids.to_list(), len(model.log), titled, model.intent_names[0] == "the first"


def flipped(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :]


def refusal(ask: Callable[[], object]) -> str | None:
    """The one line that something is refused with; None where it is not."""
    try:
        ask()
    except RunError as error:
        said = str(error)
    else:
        return None
    assert "\n" not in said
    return said


def answers(run: Path, approximate: bool, right: Any) -> None:
    """See that a run answers as it should."""
    model = ELCRec.load(run)
    if approximate:
        model.recommend(k=3, approximate=True)
    assert (what(model), model.recommend(k=3).rows()) == right


def test_a_flipped_bit_in_any_file_is_refused_in_one_line_or_changes_nothing(tmp_path: Path, new: ELCRec) -> None:
    """Also in files that only some verbs look at, each tried with one that does."""
    run, approximate = tmp_path / "run", importlib.util.find_spec("faiss") is not None
    new.save(run)
    if approximate:
        new.write_item_search(run, new.make_item_search())
    rng, right = random.Random(1), new.recommend(k=3).rows()
    names = sorted(os.listdir(run))
    assert {*CHECKED, "intents.json", "manifest.json", "README.md"} <= set(names)
    for name in names:
        whole, refused = (run / name).read_bytes(), 0
        for _ in range(6):
            (run / name).write_bytes(flipped(whole, rng))
            said = refusal(partial(answers, run, name == "items.faiss", (what(new), right)))
            assert name in (said or name) or name == "config.json"  # that may seem to be of a newer elcrec
            refused += said is not None
        assert refused == (0 if name == "README.md" else 6)
        (run / name).unlink()
        if name not in ("items.faiss", "README.md"):
            with pytest.raises(RunError):
                ELCRec.load(run)
        (run / name).write_bytes(whole)
    assert what(ELCRec.load(run)) == what(new)


def stopped(run: Path, old: ELCRec, **more: Any) -> ELCRec:
    """A training in ``run`` that was interrupted after its first epoch, with all that a training can begin with."""
    items = pl.DataFrame({"item_id": shop_log(60, 1)["item_id"].unique(maintain_order=True)})
    model = ELCRec(seed=4, **SMALL)
    given = {"items": items.with_columns(title="item_id"), "names_from": old, **more}
    with pytest.raises(KeyboardInterrupt):
        model.fit(shop_log(60, 1), run, progress=Stopping(), **given)
    return model


class Stopping(SilentReporter):
    def epoch(self, *_: Any) -> None:
        raise KeyboardInterrupt


def test_a_flipped_bit_in_an_unfinished_training_is_refused_or_changes_nothing(tmp_path: Path, old: ELCRec) -> None:
    run, rng = tmp_path / "run", random.Random(2)
    old.rename_intents({0: "kept"})
    stopped(run, old)
    shutil.copytree(run, tmp_path / "whole")
    right = what(ELCRec(seed=4, **SMALL).fit(shop_log(60, 1), tmp_path / "whole", resume=True, progress=False))
    names = sorted(os.listdir(run))
    assert {"config.json", "checkpoint.safetensors", "earlier.safetensors", "items.parquet"} <= set(names)
    for name in names:
        for number in range(4):
            copy = tmp_path / f"{name}{number}"
            shutil.copytree(run, copy)
            (copy / name).write_bytes(flipped((copy / name).read_bytes(), rng))
            model = ELCRec(seed=4, **SMALL)
            said = refusal(partial(model.fit, shop_log(60, 1), copy, resume=True, progress=False))
            assert said is not None or what(model) == right
            assert said is not None or name == "history.jsonl"  # written anew


def test_files_of_two_runs_are_no_run(tmp_path: Path, new: ELCRec) -> None:
    described = trained(3, 65)
    described.describe_items(pl.DataFrame({"item_id": described.items.ids, "title": "another"}))
    for name in CHECKED:
        described.save(tmp_path / "run", overwrite=True)
        new.save(tmp_path / "other", overwrite=True)
        shutil.copy(tmp_path / "other" / name, tmp_path / "run" / name)
        with pytest.raises(RunError, match=name.replace(".", r"\.")):
            ELCRec.load(tmp_path / "run")


def test_names_given_later_keep_the_run_whole(tmp_path: Path, old: ELCRec) -> None:
    old.save(tmp_path / "run")
    model = ELCRec.load(tmp_path / "run")
    model.rename_intents({0: "Mornings"})
    model.write_names(tmp_path / "run")
    assert ELCRec.load(tmp_path / "run").intent_names[0] == "Mornings"


@pytest.fixture
def held(tmp_path: Path, old: ELCRec) -> Iterator[Path]:
    """A run that another process is writing."""
    run = tmp_path / "run"
    old.save(run)
    program = "import sys, time; from elcrec.runs.run_folder import RunFolder; from pathlib import Path\n"
    program += "with RunFolder(Path(sys.argv[1])).locked(): print('held', flush=True); time.sleep(60)"
    writer = subprocess.Popen([sys.executable, "-c", program, str(run)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "held\n"
    yield run
    writer.kill()
    writer.wait()


def test_a_second_writer_is_refused_and_readers_are_not(
    held: Path, old: ELCRec, new: ELCRec, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(held)
    monkeypatch.setattr("elcrec.runs.run.SHORT_WAIT", 0.1)
    for write in (
        lambda: new.save(held, overwrite=True),
        lambda: old.write_names(held),
        lambda: old.write_item_search(held, None),  # type: ignore[arg-type]
        lambda: ELCRec(seed=2, **SMALL).fit(shop_log(60, 2), held, overwrite=True, progress=False),
        lambda: ELCRec(seed=2, **SMALL).fit(shop_log(60, 2), held, resume=True, progress=False),
    ):
        with pytest.raises(RunError, match=r"written by process \d+"):
            write()
    assert "written by process" in run_cli("rename", held, "--intent", 1, "--name", "x").complaint()
    assert what(ELCRec.load(held)) == what(old)
    assert contents(held) == before


def test_the_lock_of_a_killed_writer_is_no_lock(tmp_path: Path, old: ELCRec) -> None:
    old.save(tmp_path / "run")
    (tmp_path / "run" / ".lock").write_text("12345\n")
    old.save(tmp_path / "run", overwrite=True)
    assert not (tmp_path / "run" / ".lock").exists()


def test_a_short_writer_waits_for_another(tmp_path: Path, old: ELCRec) -> None:
    """Two workers of a server name intents at once: both names are kept."""
    old.save(tmp_path / "run")
    models = [ELCRec.load(tmp_path / "run") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        kept = [pool.submit(model.write_names, tmp_path / "run", {n: f"name {n}"}) for n, model in enumerate(models)]
        assert [one.result() for one in kept] == [None] * 4
    assert ELCRec.load(tmp_path / "run").given_names == {n: f"name {n}" for n in range(4)}


def test_names_and_index_of_another_model_are_not_written_into_a_run(tmp_path: Path, old: ELCRec, new: ELCRec) -> None:
    """As of a server that has loaded the run before it was replaced."""
    old.save(tmp_path / "run")
    served = ELCRec.load(tmp_path / "run")
    new.save(tmp_path / "run", overwrite=True)
    before = contents(tmp_path / "run")
    with pytest.raises(RunError, match="another model"):
        served.write_names(tmp_path / "run", {2: "not here"})
    assert served.given_names == old.given_names
    with pytest.raises(RunError, match="another model"):
        served.write_item_search(tmp_path / "run", None)  # type: ignore[arg-type]
    assert contents(tmp_path / "run") == before


@pytest.mark.parametrize(("more", "clue"), [("items", "items"), ("names_from", "names")])
def test_other_items_or_names_are_refused_when_a_training_goes_on(
    tmp_path: Path, old: ELCRec, new: ELCRec, more: str, clue: str
) -> None:
    run = tmp_path / "run"
    old.rename_intents({0: "kept"})
    stopped(run, old)
    other: Any = pl.DataFrame({"item_id": old.items.ids, "title": "other"}) if more == "items" else new
    before = contents(run)
    with pytest.raises(RunError, match=clue):
        ELCRec(seed=4, **SMALL).fit(shop_log(60, 1), run, resume=True, progress=False, **{more: other})
    assert contents(run) == before
    same = pl.DataFrame({"item_id": old.items.ids}).with_columns(title="item_id") if more == "items" else old
    ELCRec(seed=4, **SMALL).fit(shop_log(60, 1), run, resume=True, progress=False, **{more: same})
    assert ELCRec.load(run).catalogue is not None
    assert not (run / "earlier.safetensors").exists()


def test_an_overwrite_gives_up_an_interrupted_replacement(tmp_path: Path, old: ELCRec, new: ELCRec) -> None:
    run = tmp_path / "run"
    old.save(run)
    stopped(run, old, overwrite=True)
    with pytest.raises(RunError, match=r"go on with resume=True.*overwrite=True"):
        ELCRec(seed=4, **SMALL).fit(shop_log(60, 1), run, progress=False)
    new.save(run, overwrite=True)
    assert what(ELCRec.load(run)) == what(new)
    assert RunFolder(run).unfinished is None


@pytest.mark.parametrize("name", [*CHECKED, "manifest.json"])
def test_a_damaged_run_can_be_replaced(tmp_path: Path, old: ELCRec, new: ELCRec, name: str) -> None:
    run = tmp_path / "run"
    new.save(run)
    whole = (run / name).read_bytes()
    (run / name).write_bytes(whole[: len(whole) // 2])
    old.save(run, overwrite=True)
    assert what(ELCRec.load(run)) == what(old)


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_files_are_as_readable_as_the_umask_says(tmp_path: Path, old: ELCRec, mask: int) -> None:
    before = os.umask(mask)
    try:
        old.save(tmp_path / "run")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "run").iterdir()}
    assert set(modes.values()) == {0o666 & ~mask}, modes


def test_refused_data_leave_a_fitted_model_as_it_was(old: ELCRec) -> None:
    before = what(old)
    for refused in (pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2]}), pl.DataFrame({"user": [1]})):
        with pytest.raises(DataError):
            old.fit(refused, progress=False)
        assert what(old) == before
        assert len(old.recommend(k=3)) > 0


def test_resuming_keeps_items_and_names(tmp_path: Path, old: ELCRec) -> None:
    names = {intent: f"kept {intent}" for intent in range(SMALL["n_intents"])}
    old.rename_intents(names)
    old.save(tmp_path / "earlier")
    old.rename_intents(dict.fromkeys(names, ""))
    log = shop_log(60, 1)
    items = pl.DataFrame({"item_id": log["item_id"].unique(), "title": log["item_id"].unique()})

    class Stop(Exception):
        pass

    class Stopping:
        def __getattr__(self, name: str) -> Any:
            def told(*_: Any) -> None:
                if name == "epoch":
                    raise Stop

            return told

    settings: Any = {**SMALL, "epochs": 3}
    run = tmp_path / "run"
    with pytest.raises(Stop):
        ELCRec(**settings).fit(log, run, items=items, names_from=tmp_path / "earlier", progress=Stopping())
    resumed = ELCRec(**settings).fit(log, run, resume=True, progress=False)
    assert resumed.catalogue is not None
    assert ELCRec.load(run).catalogue is not None
    assert set(names.values()) & set(ELCRec.load(run).intent_names)


def test_an_interrupted_replacement_goes_on_while_the_old_run_answers(tmp_path: Path, old: ELCRec) -> None:
    run, log = tmp_path / "run", shop_log(60, 3)
    old.save(run)

    class Stopping:
        def __getattr__(self, name: str) -> Any:
            def told(*_: Any) -> None:
                if name == "epoch":
                    raise KeyboardInterrupt

            return told

    with pytest.raises(KeyboardInterrupt):
        ELCRec(seed=5, **SMALL).fit(log, run, overwrite=True, progress=Stopping())
    assert what(ELCRec.load(run)) == what(old)
    resumed = ELCRec(seed=5, **SMALL).fit(log, run, resume=True, progress=False)
    assert what(ELCRec.load(run)) == what(resumed)
    straight = ELCRec(seed=5, **SMALL).fit(log, progress=False)
    assert what(straight)[0] == what(resumed)[0]


def test_a_run_without_hashes_is_read_with_a_warning(tmp_path: Path, old: ELCRec) -> None:
    run = tmp_path / "run"
    old.save(run)
    document = json.loads((run / "config.json").read_text())
    del document["manifest"]
    (run / "config.json").write_text(json.dumps(document))
    (run / "manifest.json").unlink()
    with pytest.warns(UserWarning, match="no hashes"):
        assert what(ELCRec.load(run)) == what(old)
