"""What looks odd in a whole log."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from elcrec.data.check import check_log
from elcrec.data.layout import Layout


def _said_of_shares(lengths: Sequence[int]) -> list[str]:
    """What is said of large users in a log whose users have so many events; the first one is called ``guest``."""
    users = [name for at, length in enumerate(lengths) for name in ["guest" if at == 0 else f"u{at}"] * length]
    log = pl.DataFrame({"user_id": users, "item_id": [row % 50 for row in range(len(users))]})
    return [line for line in check_log(log, Layout())["warnings"] if "of all events" in line]


@pytest.mark.parametrize(
    ("largest", "others", "odd"),
    [
        (250, [40] * 11, True),
        (90, [40] * 11, False),
        (250, [40] * 68, True),
        (250, [100] + [40] * 68, False),
        (100, [10] * 200, False),
        (250, [10] * 200, True),
    ],
)
def test_a_user_of_a_large_share_is_named(largest: int, others: list[int], odd: bool) -> None:
    """More than a fifth of the events, or more than 5% and three times those of the second largest user."""
    said = _said_of_shares([largest, *others])
    assert bool(said) == odd
    assert all("'guest'" in line and f"{largest / (largest + sum(others)):.1%}" in line for line in said)


def test_an_ordinary_long_tail_is_not_named_and_a_bot_in_it_is() -> None:
    """Numbers of events of people have a long tail: the largest is many times the median, and nothing is wrong."""
    generator, logs = np.random.default_rng(0), 40
    named = caught = 0
    for _ in range(logs):
        lengths = np.ceil(np.exp(generator.normal(1, 1.5, 500))).astype(int)
        named += bool(_said_of_shares(lengths.tolist()))
        bot = max(4 * int(lengths.max()), int(lengths.sum()) // 10)
        caught += bool(_said_of_shares([bot, *lengths.tolist()]))
    assert named <= logs // 5
    assert caught == logs
