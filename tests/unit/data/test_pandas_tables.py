"""Tables of pandas, taken and given with PyArrow and without."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from elcrec import SettingsError, to_pandas
from elcrec.data import pandas_tables
from elcrec.data.pandas_tables import from_pandas

MOMENTS = pd.to_datetime(["2024-01-01 12:30", "2024-01-02 00:00", "2024-07-03 00:00"])
TABLE = pd.DataFrame(
    {
        "text": ["a", None, "c"],
        "whole": [1, 2, 3],
        "gap": pd.array([1, None, 3], dtype="Int64"),
        "large": np.array([1, 2, 2**64 - 1], dtype=np.uint64),
        "fraction": [1.5, np.nan, 2.0],
        "truth": [True, False, True],
        "perhaps": pd.array([True, None, False], dtype="boolean"),
        "kind": pd.Categorical(["x", "y", "x"]),
        "time": [MOMENTS[0], pd.NaT, MOMENTS[2]],
        "local": MOMENTS.tz_localize("Europe/Paris"),
        "list": [["a"], ["b", "c"], []],
    },
    index=[7, 7, 9],
)


@pytest.fixture(params=["with", "without"])
def arrow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without":
        monkeypatch.setattr(pandas_tables, "find_spec", lambda _: None)


@pytest.mark.usefixtures("arrow")
def test_a_table_of_pandas_is_taken() -> None:
    found = from_pandas(TABLE)
    assert found.columns == list(TABLE.columns)
    assert found.drop("time", "local").with_columns(pl.col("kind").cast(pl.String)).to_dict(as_series=False) == {
        "text": ["a", None, "c"],
        "whole": [1, 2, 3],
        "gap": [1, None, 3],
        "large": [1, 2, 2**64 - 1],
        "fraction": [1.5, None, 2.0],
        "truth": [True, False, True],
        "perhaps": [True, None, False],
        "kind": ["x", "y", "x"],
        "list": [["a"], ["b", "c"], []],
    }
    assert found["whole"].dtype == pl.Int64
    assert found["time"].dt.to_string("%F %R").to_list() == ["2024-01-01 12:30", None, "2024-07-03 00:00"]
    assert found["local"].dtype.time_zone == "Europe/Paris"  # type: ignore[attr-defined]
    assert found["local"].dt.to_string("%F %R").to_list() == [
        "2024-01-01 12:30",
        "2024-01-02 00:00",
        "2024-07-03 00:00",
    ]


def test_a_table_of_polars_is_given_and_comes_back() -> None:
    frame = from_pandas(TABLE).with_columns(
        pl.col("kind").cast(pl.String), score=pl.Series([0.5, 0.25, 0], dtype=pl.Float32)
    )
    given = to_pandas(frame)
    kinds = {name: str(kind) for name, kind in given.dtypes.items()}
    wanted = {"whole": "int64", "gap": "Int64", "large": "uint64", "fraction": "float64", "score": "float32"}
    wanted |= {"truth": "bool", "perhaps": "boolean"}
    assert {name: kinds[name] for name in wanted} == wanted
    assert given["time"].dtype.kind == "M"
    assert str(given["local"].dtype).endswith("Europe/Paris]")
    assert given["local"].tolist() == TABLE["local"].tolist()
    assert given["list"].tolist() == [["a"], ["b", "c"], []]
    assert_frame_equal(from_pandas(given), frame)
    assert to_pandas(frame.head(0)).columns.tolist() == frame.columns


def test_no_pyarrow_is_needed() -> None:
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "import pandas as pd\n"
        "from elcrec import Interactions, to_pandas\n"
        "days = pd.to_datetime(['2024-01-03', '2024-01-02'])\n"
        "log = Interactions.read(pd.DataFrame({'user_id': ['u', 'u'], 'item_id': ['b', 'a'], 'timestamp': days}))\n"
        "print(to_pandas(log.frame)['item_id'].tolist())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "['a', 'b']\n", done.stderr


def test_pandas_that_is_not_there_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(SettingsError, match="pip install pandas"):
        to_pandas(pl.DataFrame())
