"""How a list is asked for."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from elcrec.evaluation.ranking import Wish

STRENGTH = 0.8


class Policy(NamedTuple):
    """How lists are made.

    Attributes:
        k: Items a list.
        exclude_seen: Leave out what is in the history.
        explain: Add the reasons.
        excluded: int64 [X], intents to score without.
        wish: What counts beside the dot product.
        diversify: 0 to 1, how far a list follows the mix of its user's intents.
        approximate: Look up the best items in an index instead of scoring all.
    """

    k: int
    exclude_seen: bool
    explain: bool
    excluded: Tensor
    wish: Wish | None
    diversify: float
    approximate: bool = False
