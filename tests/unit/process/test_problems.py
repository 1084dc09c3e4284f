"""No phrase of pydantic is left in messages about settings."""

from collections.abc import Callable
from typing import Any

import pytest

from elcrec import Settings, SettingsError
from elcrec.config import check_value, validate

BAD: list[Any] = [
    *(-1, 0, 1.5, -5.5, 2**70, float("nan"), float("inf"), True, None, [], {}, [1], {"a": "b"}, (None,), object()),
    *("a", "", "nan", "x:y", "purchase:-1", "1e400", "1" * 5000, "\ud800", b"x"),
]
PHRASES = ("Input should", "Unable to parse", "valid ", "unable to", "Value error", "pydantic")


def refusal(check: Callable[..., object], *given: Any) -> str:
    try:
        check(*given)
    except SettingsError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", Settings.model_fields)
def test_what_is_wrong_with_a_value_is_said_plainly(name: str) -> None:
    said = [refusal(validate, {name: value}) for value in BAD] + [refusal(check_value, name, value) for value in BAD]
    assert any(said)
    assert not [message for message in said if any(phrase in message for phrase in PHRASES)]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("epochs", 0, "epochs=0: use 1 or more"),
        ("epochs", "a", "epochs='a': use a whole number"),
        ("epochs", 1.5, "epochs=1.5: use a whole number"),
        ("holdout_share", 0, "holdout_share=0: use more than 0"),
        ("dropout", 1, "dropout=1: use less than 1"),
        ("n_intents", 2_000_000, "n_intents=2000000: use 1000000 or less"),
        ("learning_rate", "fast", "learning_rate='fast': use a number"),
        ("baselines", "perhaps", "baselines='perhaps': use true or false"),
        ("missing", "no", "missing='no': use 'refuse', 'drop' or 'keep'"),
        ("user_column", 5, "user_column=5: use a text"),
        ("event_weights", "view:-1", "event_weights.view='-1': use 0 or more"),
    ],
)
def test_what_to_use_instead_is_said(name: str, value: Any, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        validate({name: value})
    assert str(caught.value) == says
