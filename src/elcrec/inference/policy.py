"""How a list is to be made: one record for Python, the command line and the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from torch import Tensor

from elcrec.errors import SettingsError
from elcrec.inference.scoring import ScoreAdjustment

STRENGTH = 0.8


@dataclass(frozen=True, kw_only=True)
class RankingPolicy:
    """What a caller wants of a list; checked when it is made, against a model by :meth:`TopN.resolve`.

    Attributes:
        k: Items a list, 1 or more.
        exclude_seen: Leave out what is in the history; None: as in the settings.
        explain: Add the reasons.
        intents: Steer toward these.
        exclude_intents: Score without what a user has of these.
        strength: How much the steering counts, 0 to 1.
        diversify: How far a list follows the mix of its user's intents, 0 to 1.
        allow: Only these items; None: all.
        deny: None of these items.
        attributes: Only items with at least one of these.
        all_attributes: Only items with every one of these.
        approximate: Look the best items up in an index instead of scoring all.
    """

    k: int = 10
    exclude_seen: bool | None = None
    explain: bool = False
    intents: Sequence[int] = ()
    exclude_intents: Sequence[int] = ()
    strength: float = STRENGTH
    diversify: float = 0.0
    allow: Sequence[Any] | None = None
    deny: Sequence[Any] = ()
    attributes: Sequence[str] = ()
    all_attributes: Sequence[str] = ()
    approximate: bool = False

    def __post_init__(self) -> None:
        """Check what needs no model.

        Raises:
            SettingsError: ``k`` is no whole number from 1, or a dial is not within 0 and 1.
        """
        at_least_one("k", self.k)
        for name in ("strength", "diversify"):
            dial = getattr(self, name)
            if not isinstance(dial, Real) or not 0 <= float(dial) <= 1:
                raise SettingsError(f"{name}={dial!r}: use a number from 0 to 1")

    @property
    def filters_items(self) -> bool:
        """Whether some items may not be listed."""
        return self.allow is not None or bool(self.deny or self.attributes or self.all_attributes)

    @property
    def is_plain(self) -> bool:
        """Whether the list is that of the scores alone."""
        return not (self.explain or self.intents or self.exclude_intents or self.diversify or self.filters_items)


@dataclass(frozen=True)
class ResolvedPolicy:
    """A policy in terms of one model's tensors.

    Attributes:
        k: Items a list.
        exclude_seen: Leave out what is in the history.
        explain: Add the reasons.
        excluded: int64 [X], intents to score without.
        adjustment: What counts beside the dot product; None: nothing.
        diversify: 0 to 1.
        approximate: Look the best items up in an index.
    """

    k: int
    exclude_seen: bool
    explain: bool
    excluded: Tensor
    adjustment: ScoreAdjustment | None
    diversify: float
    approximate: bool = False


def at_least_one(name: str, number: int) -> int:
    """A number of things.

    Raises:
        SettingsError: It is no whole number from 1.
    """
    if not isinstance(number, int | np.integer) or isinstance(number, bool) or number < 1:
        raise SettingsError(f"{name}={number!r}: use a whole number, at least one")
    return int(number)
