"""A run is one generation: old or new wherever a writer is killed, refused when damaged, written by one at a time."""

import json
import os
import random
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runner import SMALL, contents, shop_log
from elcrec import ELCRec
from elcrec.errors import DataError, RunError
from elcrec.run_folder import HASHED


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


class Killed(BaseException):
    """The process is gone: nothing that it would have done on the way out happens."""


def killed(write: Callable[[], object], at: int, after: bool) -> bool:
    """Run a writer that dies at its Nth change of the disk; whether it came that far."""
    count, dead = 0, False

    def dying(call: Callable[..., Any]) -> Callable[..., Any]:
        def one(*args: Any, **more: Any) -> Any:
            nonlocal count, dead
            count += 1
            if dead or (count == at and not after):
                dead = True
                raise Killed
            try:
                return call(*args, **more)
            finally:
                if count == at:
                    dead = True
                    raise Killed

        return one

    with pytest.MonkeyPatch.context() as patch:
        for name in ("replace", "rename", "unlink", "rmdir"):
            patch.setattr(os, name, dying(getattr(os, name)))
        try:
            write()
        except (Killed, RunError):
            assert dead
    return dead


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("writer", ["save", "fit"])
def test_killed_anywhere_a_run_is_old_or_new(
    tmp_path: Path, old: ELCRec, new: ELCRec, writer: str, after: bool
) -> None:
    again = shop_log(70, 2)
    seen = set()
    for at in range(1, 200):
        run = tmp_path / f"{at}"
        old.save(run)
        (run / "mine.txt").write_text("mine")
        if writer == "save":
            reached = killed(lambda run=run: new.save(run, overwrite=True), at, after)  # type: ignore[misc]
        else:
            fresh = ELCRec(seed=2, **{**SMALL, "epochs": 1})
            reached = killed(
                lambda run=run, fresh=fresh: fresh.fit(again, run, overwrite=True, progress=False), at, after
            )  # type: ignore[misc]
        found = what(ELCRec.load(run))
        fine = found == what(old) or (found == what(new) if writer == "save" else found[2] == len(again))
        assert fine, f"killed {'after' if after else 'before'} step {at}"
        assert (run / "mine.txt").read_text() == "mine"
        seen.add(found == what(old))
        if at % 4 == 0:  # and a later writer puts everything in order
            new.save(run, overwrite=True)
            assert what(ELCRec.load(run)) == what(new)
            assert not [name for name in os.listdir(run) if name.startswith((".next", ".lock"))]
        shutil.rmtree(run)
        if not reached:
            break
    assert seen == {True, False}
    assert at > 15


def test_a_flipped_bit_is_refused_in_one_line(tmp_path: Path, new: ELCRec) -> None:
    run = tmp_path / "run"
    new.save(run)
    rng = random.Random(1)
    for name in (*HASHED, "intents.json", "manifest.json"):
        whole = (run / name).read_bytes()
        for _ in range(6):
            at = rng.randrange(len(whole))
            (run / name).write_bytes(whole[:at] + bytes([whole[at] ^ (1 << rng.randrange(8))]) + whole[at + 1 :])
            with pytest.raises(RunError) as caught:
                ELCRec.load(run)
            assert "\n" not in str(caught.value)
        (run / name).unlink()
        if name != "intents.json":
            with pytest.raises(RunError):
                ELCRec.load(run)
        (run / name).write_bytes(whole)
    assert what(ELCRec.load(run)) == what(new)


def test_files_of_two_runs_are_no_run(tmp_path: Path, old: ELCRec, new: ELCRec) -> None:
    for name in HASHED:
        old.save(tmp_path / "run", overwrite=True)
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
    program = "import sys, time; from elcrec.run_folder import RunFolder; from pathlib import Path\n"
    program += "with RunFolder(Path(sys.argv[1])).locked(): print('held', flush=True); time.sleep(60)"
    writer = subprocess.Popen([sys.executable, "-c", program, str(run)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "held\n"
    yield run
    writer.kill()
    writer.wait()


def test_a_second_writer_is_refused_and_readers_are_not(held: Path, old: ELCRec, new: ELCRec) -> None:
    before = contents(held)
    for write in (
        lambda: new.save(held, overwrite=True),
        lambda: new.write_names(held),
        lambda: ELCRec(seed=2, **SMALL).fit(shop_log(60, 2), held, overwrite=True, progress=False),
    ):
        with pytest.raises(RunError, match="written by process"):
            write()
    assert what(ELCRec.load(held)) == what(old)
    assert contents(held) == before


def test_the_lock_of_a_killed_writer_is_no_lock(tmp_path: Path, old: ELCRec) -> None:
    old.save(tmp_path / "run")
    (tmp_path / "run" / ".lock").write_text("12345\n")
    old.save(tmp_path / "run", overwrite=True)
    assert not (tmp_path / "run" / ".lock").exists()


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
    old.rename_intents({0: "kept"})
    old.save(tmp_path / "earlier")
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
    assert "kept" in ELCRec.load(run).intent_names


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
