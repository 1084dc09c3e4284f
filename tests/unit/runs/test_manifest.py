"""The manifest of a run: only files of its own folder."""

from pathlib import Path

import pytest

from elcrec.errors import RunError
from elcrec.runs.generation import FILES, NEXT, finish_switch
from elcrec.runs.manifest import MANIFEST, Entry, Manifest


def written(folder: Path, *names: str) -> Path:
    """A manifest with a right checksum that names some files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_text(Manifest("now", dict.fromkeys(names, Entry(0, ""))).text())
    return folder / MANIFEST


def test_every_file_of_a_run_may_be_named(tmp_path: Path) -> None:
    assert set(Manifest.read(written(tmp_path, *FILES)).files) == set(FILES)


@pytest.mark.parametrize("name", ["../mine.txt", "..", "/etc/passwd", "a/b", "..\\mine.txt", "C:mine.txt", "", ".lock"])
def test_a_file_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match="is no file of a run"):
        Manifest.read(written(tmp_path, name))


def test_a_switch_moves_no_file_elsewhere(tmp_path: Path) -> None:
    """A manifest may come with a run that somebody else made."""
    run = tmp_path / "run"
    written(run / NEXT, "../mine.txt")
    (run / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="is no file of a run"):
        finish_switch(run)
    assert (run / "mine.txt").read_text() == "mine"
    assert not (tmp_path / "mine.txt").exists()
