"""Warnings name the line that called elcrec."""

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
