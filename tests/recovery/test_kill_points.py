"""Killed before or after any change that a writer makes to a disk: what is there is the old or the new, never else."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runner import SMALL, contents, run_cli, seal, shop_log
from disk_states import changes_watched, states_of
from elcrec import ELCRec, Interactions
from elcrec.errors import RunError
from elcrec.runs.run_folder import RunFolder
from elcrec.storage import make_folder, publish_folder, write_frame, write_frames, write_json, write_tensors, write_text
from elcrec.training.report import SilentReporter

TINY: dict[str, Any] = {**SMALL, "epochs": 1, "embedding_dim": 8, "n_intents": 4}


def learnt(seed: int, *where: Any, **more: Any) -> ELCRec:
    return ELCRec(seed=seed, **TINY).fit(log_of(seed), *where, progress=False, **more)


def log_of(seed: int) -> pl.DataFrame:
    return shop_log(40 + 5 * seed, seed)


def titles_of(seed: int) -> pl.DataFrame:
    return log_of(seed).select("item_id", title=pl.format("{} of {}", "item_id", pl.lit(seed))).unique("item_id")


@pytest.fixture(scope="module")
def old() -> ELCRec:
    model = learnt(1, items=titles_of(1))
    model.rename_intents({0: "old name", 1: "second"})
    return model


@pytest.fixture(scope="module")
def new() -> ELCRec:
    model = learnt(2, items=titles_of(2))
    model.rename_intents({0: "new name"})
    return model


def what(model: ELCRec) -> Any:
    """All that a run answers."""
    titles = None if model.catalogue is None else sorted(model.catalogue.titles().items())
    metrics = {name: value for name, value in model.metrics.items() if name != "train_seconds"}
    return (model.recommend(k=3).rows(), titles, model.given_names, metrics, len(model.history), model.settings.seed)


def loaded(run: Path) -> Any:
    """What the run here answers; None where there is none."""
    try:
        return what(ELCRec.load(run))
    except RunError as error:
        said = str(error)
    assert "\n" not in said
    assert "damaged" not in said
    return None


def all_old_or_new(states: list[Path], before: Any, after: Any) -> None:
    """Every state loads as the old run or the new one, and once it is the new one, it stays so."""
    found = [loaded(state / "run") for state in states]
    switched = found.index(after)
    assert found == [before] * switched + [after] * (len(states) - switched)
    assert 0 < switched < len(states) - 1
    assert all((state / "run" / "mine.txt").exists() for state in states if before is not None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "states"


def test_a_new_run_that_is_saved(root: Path, kept: Path, new: ELCRec) -> None:
    states = states_of(root, lambda: new.save(root / "run"), kept)
    all_old_or_new(states, None, what(new))
    for state in states:
        new.save(state / "run", overwrite=True)
        assert loaded(state / "run") == what(new)


def test_a_run_that_is_replaced(root: Path, kept: Path, old: ELCRec, new: ELCRec) -> None:
    old.save(root / "run")
    (root / "run" / "mine.txt").write_text("mine")
    states = states_of(root, lambda: new.save(root / "run", overwrite=True), kept)
    all_old_or_new(states, what(old), what(new))
    for state in states:
        old.save(state / "run", overwrite=True)
        assert loaded(state / "run") == what(old)
        assert not [path.name for path in (state / "run").glob(".*")]


def test_a_run_without_a_manifest_that_is_replaced(root: Path, kept: Path, old: ELCRec, new: ELCRec) -> None:
    """As elcrec 0.1 left it."""
    old.save(root / "run")
    (root / "run" / "mine.txt").write_text("mine")
    config = root / "run" / "config.json"
    config.write_text(config.read_text().replace('  "manifest": "manifest.json",\n', ""))
    (root / "run" / "manifest.json").unlink()
    states = states_of(root, lambda: new.save(root / "run", overwrite=True), kept)
    with pytest.warns(UserWarning, match="no hashes"):
        all_old_or_new(states, what(old), what(new))


def test_a_training(root: Path, kept: Path) -> None:
    straight, without = what(learnt(2, items=titles_of(2))), what(learnt(2))
    states = states_of(root, lambda: learnt(2, root / "run", items=titles_of(2)), kept)
    all_old_or_new(states, None, straight)
    for state in states[:: max(1, len(states) // 12)]:
        resumed = what(learnt(2, state / "run", resume=True))
        begun = (state / "run" / "items.parquet").exists()
        assert resumed == (straight if begun else without)
        assert (loaded(state / "run")[1] is not None) == begun  # kept from the moment the training has begun


def test_a_training_that_replaces_a_run(root: Path, kept: Path, old: ELCRec) -> None:
    straight = what(learnt(2, items=titles_of(2)))
    old.save(root / "run")
    (root / "run" / "mine.txt").write_text("mine")
    states = states_of(root, lambda: learnt(2, root / "run", overwrite=True, items=titles_of(2)), kept)
    all_old_or_new(states, what(old), straight)
    for state in states[:: max(1, len(states) // 12)]:
        if (state / "run" / ".training" / "config.json").exists():
            assert what(learnt(2, state / "run", resume=True)) == straight
        else:
            learnt(2, state / "run", overwrite=True, items=titles_of(2))
        assert loaded(state / "run") == straight


class Stop(SilentReporter):
    def epoch(self, *_: Any) -> None:
        raise KeyboardInterrupt


@pytest.mark.parametrize("replaces", [False, True])
def test_a_training_that_goes_on(root: Path, kept: Path, old: ELCRec, replaces: bool) -> None:
    straight = what(learnt(2, items=titles_of(2), names_from=old))
    if replaces:
        old.save(root / "run")
        (root / "run" / "mine.txt").write_text("mine")
    stopped: dict[str, Any] = {"overwrite": replaces, "items": titles_of(2), "names_from": old}
    with pytest.raises(KeyboardInterrupt):
        ELCRec(seed=2, **TINY).fit(log_of(2), root / "run", progress=Stop(), **stopped)
    states = states_of(root, lambda: learnt(2, root / "run", resume=True), kept)
    all_old_or_new(states, what(old) if replaces else None, straight)
    for state in states[:: max(1, len(states) // 8)]:
        assert what(learnt(2, state / "run", resume=True)) == straight
        assert loaded(state / "run") == straight


def test_learning_on_over_the_run_itself(root: Path, kept: Path, old: ELCRec) -> None:
    old.save(root / "run")
    (root / "run" / "mine.txt").write_text("mine")
    log = log_of(1)
    later = pl.col("timestamp") + pl.duration(days=400)
    log.head(5).with_columns(later, item_id=pl.lit("brand new")).write_csv(root / "new.csv")
    arguments = ("train", root / "new.csv", "--from", root / "run", "--out", root / "run", "--overwrite")
    states = states_of(root, lambda: run_cli(*arguments, "--set", "epochs=1", "--json").document(), kept)
    all_old_or_new(states, what(old), loaded(root / "run"))


def renamed(run: Path) -> None:
    ELCRec.load(run).write_names(run, {0: "", 3: "third"})


def reported(run: Path) -> None:
    with RunFolder(run).locked():
        RunFolder(run).write_report("<html>")


def test_names_given_later(root: Path, kept: Path, old: ELCRec) -> None:
    old.save(root / "run")
    (root / "run" / "mine.txt").write_text("mine")
    old.save(kept.parent / "after")
    after = ELCRec.load(kept.parent / "after")
    after.rename_intents({0: "", 3: "third"})
    states = states_of(root, lambda: renamed(root / "run"), kept)
    all_old_or_new(states, what(old), what(after))
    for state in states:
        renamed(state / "run")
        assert loaded(state / "run") == what(after)


def test_the_last_name_taken_back(root: Path, kept: Path, new: ELCRec) -> None:
    new.save(root / "run")
    (root / "run" / "mine.txt").write_text("mine")
    new.save(kept.parent / "after")
    after = ELCRec.load(kept.parent / "after")
    after.rename_intents({0: ""})
    states = states_of(root, lambda: ELCRec.load(root / "run").write_names(root / "run", {0: ""}), kept)
    all_old_or_new(states, what(new), what(after))
    assert not (root / "run" / "intents.json").exists()


@pytest.mark.parametrize("name", ["items.faiss", "report.html"])
def test_what_is_added_to_a_run(root: Path, kept: Path, old: ELCRec, name: str) -> None:
    if name == "items.faiss":
        pytest.importorskip("faiss")
    old.save(root / "run")

    def add() -> None:
        if name == "items.faiss":
            model = ELCRec.load(root / "run")
            model.write_item_search(root / "run", model.make_item_search())
        else:
            reported(root / "run")

    states = states_of(root, add, kept)
    assert len(states) > 10
    whole = (root / "run" / name).read_bytes()
    for state in states:
        assert loaded(state / "run") == what(old)
        found = RunFolder(state / "run").place(name)
        assert not found.exists() or found.read_bytes() == whole
        if name == "items.faiss" and found.exists():
            assert len(ELCRec.load(state / "run").recommend(k=3, approximate=True))


def test_an_index_stays_where_the_weights_do(root: Path, old: ELCRec, new: ELCRec) -> None:
    old.save(root / "run")
    (root / "run" / "items.faiss").write_bytes(b"an index")
    manifest = RunFolder(root / "run")
    with manifest.locked():
        manifest.write_item_search(lambda path: path.write_bytes(b"an index"))
    old.save(root / "run", overwrite=True)
    assert (root / "run" / "items.faiss").read_bytes() == b"an index"
    new.save(root / "run", overwrite=True)
    assert not (root / "run" / "items.faiss").exists()


FILES: dict[str, Callable[[Path, int], object]] = {
    "text": lambda path, number: write_text(path, f"{number}"),
    "json": lambda path, number: write_json(path, {"number": number}),
    "frame": lambda path, number: write_frame(path, log_of(number)),
    "frames": lambda path, number: write_frames(path, [log_of(number), log_of(number)]),
    "tensors": lambda path, number: write_tensors(path, {"a": pl.Series([number]).to_torch()}),
    "log": lambda path, number: Interactions.read(log_of(number)).write(path),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_any_kind(root: Path, kept: Path, kind: str) -> None:
    FILES[kind](root / "file.parquet", 1)
    before = (root / "file.parquet").read_bytes()
    states = states_of(root, lambda: FILES[kind](root / "file.parquet", 2), kept)
    after = (root / "file.parquet").read_bytes()
    found = [(state / "file.parquet").read_bytes() for state in states]
    assert set(found) == {before, after}
    assert found == sorted(found, key=lambda content: content == after)


def test_a_folder_that_appears_whole(root: Path, kept: Path) -> None:
    def write() -> None:
        make_folder(root / ".beside")
        for number in range(3):
            write_text(root / ".beside" / f"{number}", "whole")
        publish_folder(root / ".beside", root / "folder")

    states = states_of(root, write, kept)
    assert {len(contents(state / "folder")) for state in states} == {0, 3}


def test_a_reader_in_the_midst_of_every_change_sees_one_generation(root: Path, old: ELCRec, new: ELCRec) -> None:
    """Not killed, but read while it is written: at each change another process loads the run."""
    old.save(root / "run")
    found: list[Any] = []
    with changes_watched(lambda _: found.append(loaded(root / "run"))):
        new.save(root / "run", overwrite=True)
    switched = found.index(what(new))
    assert found == [what(old)] * switched + [what(new)] * (len(found) - switched)


def test_a_reader_that_is_overtaken_reads_again(root: Path, old: ELCRec, new: ELCRec) -> None:
    old.save(root / "run")
    weights, times = RunFolder.weights, []

    def overtaken(folder: RunFolder) -> Any:
        found = weights(folder)
        if not times:
            times.append(1)
            new.save(root / "run", overwrite=True)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunFolder, "weights", overtaken)
        assert loaded(root / "run") == what(new)


def test_nothing_is_written_by_readers(root: Path, kept: Path, old: ELCRec, new: ELCRec) -> None:
    old.save(root / "run")
    for state in states_of(root, lambda: new.save(root / "run", overwrite=True), kept):
        before = contents(state)
        loaded(state / "run")
        assert contents(state) == before


def test_copies_of_a_run_are_runs(root: Path, old: ELCRec) -> None:
    """By any tool: a run is plain files."""
    old.save(root / "run")
    shutil.copytree(root / "run", root / "copy")
    assert loaded(root / "copy") == what(old)
    assert not any(path.is_symlink() for path in (root / "run").rglob("*"))
    seal(root / "copy")
    assert loaded(root / "copy") == what(old)
