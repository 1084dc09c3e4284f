"""Warnings name the line that called elcrec."""

import subprocess
import sys
import warnings
from pathlib import Path

import polars as pl
import pytest

from elcrec import ELCRec, Interactions
from elcrec.errors import AccuracyWarning, DataWarning

SOURCE = Path(__file__).resolve().parents[3] / "src" / "elcrec"


def test_nothing_else_in_the_package_warns() -> None:
    found = [path for path in SOURCE.rglob("*.py") if "warnings.warn(" in path.read_text()]
    assert [path.name for path in found] == ["warning.py"]


def twice(rows: int) -> pl.DataFrame:
    """A log with each event twice, and without times: two warnings."""
    pairs = [(user, (user + step) % 7) for user in range(rows) for step in range(4)]
    return pl.DataFrame(2 * pairs, schema=["user_id", "item_id"], orient="row").sort("user_id")


def test_it_does_so_through_a_link_to_the_package(tmp_path: Path) -> None:
    (tmp_path / "elcrec").symlink_to(SOURCE)
    code = (
        "from elcrec import Interactions; import polars\n\n"
        "Interactions.read(polars.DataFrame({'user_id': [1, 1], 'item_id': [1, 2]}))\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    said = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert f"{script}:3: DataWarning" in said.stderr


@pytest.mark.parametrize("how", ["read", "fit", "evaluate"])
def test_a_warning_names_the_callers_line(how: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if how == "read":
            Interactions.read(twice(8))
        else:
            model = ELCRec(epochs=1, embedding_dim=8, n_intents=2).fit(twice(8), progress=False)
            if how == "evaluate":
                caught.clear()
                model.evaluate(twice(8))
    ours = [warning for warning in caught if issubclass(warning.category, DataWarning | AccuracyWarning)]
    assert any(warning.category is DataWarning for warning in ours)
    assert {warning.filename for warning in ours} == {__file__}
