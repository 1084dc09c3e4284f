"""Files of studies and searches that anybody may write: used as they stand, or refused in a line."""

from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cli_runner import shop_csv
from elcrec.config import Settings, check_value
from elcrec.errors import ElcrecError, SettingsError
from elcrec.experiments.plan import planned_runs
from elcrec.experiments.suite import read_suite
from elcrec.experiments.tuning_space import Range, chosen_space, is_whole, read_space

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SCALARS = (
    st.integers(-5, 5)
    | st.sampled_from([0.0, 1e-7, 0.5, 1.0, 3.0, 1e30, float("inf"), float("nan"), 2**70, -(2**70)])
    | st.booleans()
    | st.sampled_from(["", "bce", "softmax", "nearest", "1", "a\0b", "é\n|", "default", "popularity", "shop.csv"])
)
NAMES = st.sampled_from([*Settings.model_fields, "noise", "n_layer", ""])
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)


def one_line(error: ElcrecError) -> None:
    assert str(error)
    assert "\n" not in str(error)


RANGES = st.fixed_dictionaries(
    {}, optional={"low": SCALARS, "high": SCALARS, "log": SCALARS, "choices": VALUES, "lo": SCALARS}
)


@QUICK
@given(st.dictionaries(NAMES, RANGES | VALUES, max_size=2), st.lists(NAMES, max_size=2))
def test_a_space_is_searched_whole_or_refused(tmp_path: Path, document: dict[str, Any], overrides: list[str]) -> None:
    path = tmp_path / "space.toml"
    path.write_text(tomli_w.dumps(document), encoding="utf-8")
    try:
        space = chosen_space(read_space(path), overrides)
    except SettingsError as error:
        one_line(error)
        return
    assert space
    assert not set(space) & set(overrides)
    for name, where in space.items():
        _check_inside(name, where)


def _check_inside(name: str, where: Range) -> None:
    """Whatever a search draws from a range is legal."""
    if where.choices is not None:
        drawn = where.choices
    else:
        assert where.low is not None
        assert where.high is not None
        middle = where.low + (where.high - where.low) / 2
        drawn = [where.low, where.high, int(middle) if is_whole(name) else middle]
        assert where.low <= where.high
        assert not where.log or where.low > 0
    for value in drawn:
        check_value(name, value)


ROWS = st.fixed_dictionaries(
    {"recipe": st.sampled_from(["default", "popularity", "sasrec", "x.toml", "a\0.toml", "popular"])},
    optional={
        "name": SCALARS,
        "set": st.dictionaries(NAMES, VALUES, max_size=2),
        "vary": st.dictionaries(NAMES, VALUES, max_size=2),
        "data": VALUES,
        "seeds": VALUES,
        "rows": SCALARS,
    },
)


@QUICK
@given(
    st.lists(ROWS, max_size=2),
    st.fixed_dictionaries({}, optional={"name": SCALARS, "against": SCALARS, "seeds": VALUES, "data": VALUES}),
)
def test_a_suite_is_planned_whole_or_refused(tmp_path: Path, rows: list[Any], more: dict[str, Any]) -> None:
    data = tmp_path / "shop.csv"
    if not data.exists():
        shop_csv(tmp_path, 20).rename(data)
    path = tmp_path / "try.toml"
    path.write_text(tomli_w.dumps({"name": "try", "data": ["shop.csv"], "rows": rows, **more}), encoding="utf-8")
    try:
        runs = planned_runs(read_suite(path), tmp_path)
    except ElcrecError as error:
        one_line(error)
        return
    assume(runs)
    assert len({run.name for run in runs}) == len(runs)
    assert len({(run.row, run.data, run.seed) for run in runs}) == len(runs)
    for run in runs:
        assert 0 <= run.noise <= 1
        assert run.settings.seed == run.seed or run.is_baseline
        (tmp_path / run.name).with_suffix(".json").touch()
