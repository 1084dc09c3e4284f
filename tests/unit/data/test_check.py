"""What looks odd in a whole log."""

import polars as pl
import pytest

from elcrec.data.check import check_log
from elcrec.data.layout import Layout


@pytest.mark.parametrize(
    ("largest", "others", "each", "odd"),
    [(250, 11, 40, True), (90, 11, 40, False), (250, 68, 40, False), (100, 200, 10, False), (250, 200, 10, True)],
)
def test_a_user_of_a_large_share_is_named(largest: int, others: int, each: int, odd: bool) -> None:
    """More than a fifth of the events, or more than 5% and twenty times those of the median user."""
    users = ["guest"] * largest + [f"u{user}" for user in range(others) for _ in range(each)]
    log = pl.DataFrame({"user_id": users, "item_id": [row % 50 for row in range(len(users))]})
    said = [line for line in check_log(log, Layout())["warnings"] if "of all events" in line]
    assert bool(said) == odd
    assert all("'guest'" in line and f"{largest / len(log):.1%}" in line for line in said)
