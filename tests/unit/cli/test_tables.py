"""What an explanation says of parts of a score."""

from typing import Any

import polars as pl
import pytest
from rich.console import Console

from elcrec.cli.tables import explanation_table


def explained(**parts: Any) -> str:
    row = {"user_id": 1, "rank": 1, "item_id": 7, "score": 2.0, "intent": 0, "intent_share": 0.5, "because": [3]}
    frame = pl.DataFrame([{**row, "rank_without": 9, "repeat": 0.0, "steering": 0.0, **parts}])
    console = Console(width=200)
    with console.capture() as captured:
        console.print(explanation_table(frame, ["snacks"]))
    return captured.get()


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({}, "50% of the score; because of 3; rank 9 without"),
        ({"intent_share": 1.07}, "all of the score"),
        ({"intent_share": 0.004}, "hardly explained by the intents"),
        ({"intent": None, "intent_share": None}, "not explained by the intents"),
        ({"repeat": 2.5}, "taken before, all of the score"),
    ],
)
def test_an_explanation_says_what_explains_a_score(parts: dict[str, Any], said: str) -> None:
    assert said in explained(**parts)


def test_nothing_is_because_of_an_intent_that_gives_nothing() -> None:
    assert "because" not in explained(intent_share=0.004)
    assert "hardly" not in explained(intent_share=0.004, repeat=1.9)
