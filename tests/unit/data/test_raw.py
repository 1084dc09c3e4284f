"""What is no table is refused in one sentence."""

from typing import Any

import pytest

from elcrec import DataError
from elcrec.data.raw import as_frame


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (5, "an int"),
        (2.5, "a float"),
        (None, "None"),
        (True, "a bool"),
        ({1, 2}, "a set"),
        (object(), "an object"),
        (len, "a builtin_function_or_method"),
    ],
)
@pytest.mark.parametrize("role", ["interactions", "items", "users"])
def test_what_is_no_table_is_refused_with_what_is_accepted(role: str, value: Any, kind: str) -> None:
    with pytest.raises(DataError) as caught:
        as_frame(value, role, "ids")
    accepted = "pass a file, or a pandas, Polars or Arrow table with ids of one type per column"
    assert str(caught.value) == f"cannot use {kind} as {role}: {accepted}"


def test_a_table_that_cannot_be_read_is_refused_with_the_reason() -> None:
    with pytest.raises(DataError, match=r"^cannot use a dict as items \(.+\): pass a file"):
        as_frame({"item_id": [1, "a"], "title": ["x"]}, "items", "ids")
