"""Ranking policy: how to recommend, one record for Python, the command line and the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from elcrec.data.ids import as_list
from elcrec.data.numbers import at_least_one, from_0_to_1
from elcrec.data.vocabulary import check_unknown
from elcrec.errors import OptionWarning, SettingsError
from elcrec.process.warning import warn

if TYPE_CHECKING:
    from torch import Tensor

    from elcrec.inference.scoring import ScoreAdjustment

STRENGTH = 0.8
POPULARITY = 0.8
"""How much new items are shown by default: a quantile, see :meth:`elcrec.ELCRec.add_items`."""
LISTS = ("intents", "exclude_intents", "allow", "deny", "attributes", "all_attributes")


@dataclass(frozen=True, kw_only=True)
class RankingPolicy:
    """How a caller wants items ranked; ranges are checked here, ids and intents by :meth:`TopN.resolve`.

    Attributes:
        k: Number of items, 1 or more.
        exclude_seen: Leave out items that are in the history; None: as in the settings.
        only_seen: Recommend only items of the history (buy again).
        explain: Add explanations.
        intents: Steer toward these intents.
        exclude_intents: Remove what these intents contribute to the scores.
        strength: Weight of ``intents``, 0 to 1.
        diversify: Calibrated re-ranking: 0 by score alone, 1 by the mix of the user's intents alone.
        allow: Only these items; None: all.
        deny: None of these items.
        attributes: Only items with at least one of these, each a value or ``COLUMN=VALUE``.
        all_attributes: Only items with every one of these.
        approximate: Use the approximate index instead of scoring all items.
        titles: Show the titles of the items, where the model knows some.
        unknown: What to do with unknown items in ``allow`` and ``deny``: ``raise``, or ``skip`` them.
    """

    k: int = 10
    exclude_seen: bool | None = None
    only_seen: bool = False
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
    titles: bool = True
    unknown: str = "raise"

    def __post_init__(self) -> None:
        """Check what needs no model.

        Raises:
            SettingsError: ``k`` is no whole number from 1, ``strength`` or ``diversify`` is not within 0 and 1, or an
                intent is in ``intents`` and in ``exclude_intents``.
            DataError: One thing stands where a list is needed, or ``unknown`` is neither ``raise`` nor ``skip``.
        """
        at_least_one("k", self.k)
        check_unknown(self.unknown)
        for name in LISTS:
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, as_list(name, given))
        for name in ("strength", "diversify"):
            from_0_to_1(name, getattr(self, name))
        self._check_together()

    def _check_together(self) -> None:
        """Raise SettingsError for what contradicts itself."""
        both = [intent for intent in self.intents if intent in self.exclude_intents]
        if both:
            raise SettingsError(f"intents and exclude_intents both name {both[0]}: leave it out of one of them")
        if self.only_seen and self.exclude_seen:
            raise SettingsError("exclude_seen and only_seen leave nothing to recommend: choose one of them")

    @property
    def filters_items(self) -> bool:
        """Whether some items may not be recommended."""
        return self.allow is not None or bool(self.deny or self.attributes or self.all_attributes)

    @property
    def is_plain(self) -> bool:
        """Whether the ranking is that of the scores alone."""
        adjusted = self.intents or self.exclude_intents or self.diversify or self.filters_items or self.only_seen
        return not (self.explain or adjusted)


@dataclass(frozen=True)
class ResolvedPolicy:
    """A policy in terms of one model's tensors.

    Attributes:
        k: Number of items.
        exclude_seen: Leave out items that are in the history.
        explain: Add explanations.
        excluded: int64 [X], intents whose contribution is removed.
        adjustment: Adjustment of the dot product; None: none.
        diversify: 0 to 1.
        approximate: Use the approximate index.
        titles: Show the titles of the items.
    """

    k: int
    exclude_seen: bool
    explain: bool
    excluded: Tensor
    adjustment: ScoreAdjustment | None
    diversify: float
    approximate: bool = False
    titles: bool = True


def requested_policy(strength: float | None, **fields: Any) -> RankingPolicy:
    """A policy of these fields, by default with :data:`STRENGTH`; warn of a strength that weighs nothing."""
    if strength is None:
        return RankingPolicy(**fields)
    policy = RankingPolicy(strength=strength, **fields)
    if not policy.intents:
        warn(without_effect(strength), OptionWarning)
    return policy


def without_effect(strength: float) -> str:
    """What to say of a strength that is given where no intents are."""
    return f"strength={strength!r} has no effect: it weighs intents, and none is given"
