"""Numbers that a caller gives: what is none, or out of range, is refused in one line."""

from __future__ import annotations

from numbers import Integral, Real

from elcrec.errors import SettingsError


def is_whole(number: object) -> bool:
    """Whether this is a whole number, of Python or NumPy; truth values are none."""
    return isinstance(number, Integral) and not isinstance(number, bool)


def at_least_one(name: str, number: int) -> int:
    """A number of things.

    Raises:
        SettingsError: It is no whole number from 1.
    """
    if not is_whole(number) or number < 1:
        raise SettingsError(f"{name}={number!r}: use a whole number, at least one")
    return int(number)


def from_0_to_1(name: str, number: float, meaning: str = "") -> float:
    """A share or a weight.

    Args:
        name: Of the argument.
        number: What was given.
        meaning: What the ends mean, for the message: `` (0: none, 1: all)``.

    Raises:
        SettingsError: It is no number from 0 to 1.
    """
    if not isinstance(number, Real) or isinstance(number, bool) or not 0 <= float(number) <= 1:
        raise SettingsError(f"{name}={number!r}: use a number from 0 to 1{meaning}")
    return float(number)
