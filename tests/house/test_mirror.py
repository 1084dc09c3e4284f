"""Unit tests mirror the package: tests of ``src/elcrec/data/`` lie in ``tests/unit/data/``."""

from pathlib import Path

from source import PACKAGE, ROOT

UNIT = ROOT / "tests" / "unit"


def test_unit_tests_lie_where_their_modules_do() -> None:
    for folder in {path.parent for path in UNIT.rglob("test_*.py")}:
        inner = folder.relative_to(UNIT)
        assert (PACKAGE / inner).is_dir(), f"tests/unit/{inner} has no folder src/elcrec/{inner}"


def test_names_of_test_files_are_unique() -> None:
    names = [path.name for path in Path(UNIT.parent).rglob("test_*.py")]
    twice = sorted({name for name in names if names.count(name) > 1})
    assert not twice, f"pytest imports test files by name: {twice}"
