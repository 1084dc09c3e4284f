"""Repeats: held-out items that are in their user's history already; without ranking seen items they are never found."""

from __future__ import annotations

import torch

from elcrec.config import Settings
from elcrec.data.histories import HistoryBatch
from elcrec.data.splits import Split
from elcrec.evaluation.metrics import SELECTION_METRIC, RankingMetrics
from elcrec.process.wording import setting, worded

ROWS_AT_ONCE = 1024
WORTH_SAYING = 0.01


def repeat_share(histories: HistoryBatch) -> float:
    """Share of targets that stand in their history already.

    Args:
        histories: Those before the items to predict; one or more.

    Returns:
        0 to 1.
    """
    repeated = n_targets = 0
    for _, block in histories.shortest_first(ROWS_AT_ONCE):
        (row_Y, at_Y), (row_X, item_X) = block.events, block.targets
        item_Y = block.item_N[at_Y]
        n_keys = int(max(item_Y.max(), item_X.max())) + 1
        repeated += int(torch.isin(row_X * n_keys + item_X, row_Y * n_keys + item_Y).sum())
        n_targets += len(row_X)
    return repeated / n_targets


def evaluates_both_ways(split: Split, settings: Settings) -> bool:
    """Whether validation is to say if seen items are ranked: it is left to it, and held-out items repeat."""
    if "exclude_seen" not in settings.auto or not bool((split.valid_U >= 0).any()):
        return False
    return repeat_share(split.held_out("valid", settings.judged_users, settings.seed)[1]) >= WORTH_SAYING


def better_way(both: dict[bool, RankingMetrics]) -> bool:
    """Whether seen items are better excluded, by metrics of both ways: True where they are equally good."""
    return both[True][SELECTION_METRIC] >= both[False][SELECTION_METRIC]


def own_event_warning(split: Split, part: str, settings: Settings) -> str | None:
    """What to say where most held-out events follow another event of their user with the same item.

    Args:
        split: Of a log with kinds of events; of others None is returned, whose repeats are what they predict.
        part: ``valid`` or ``test``.
        settings: Where they exclude seen items, such events cannot be found (:func:`repeat_warning`).
    """
    if split.judged_N is None or split.baskets or settings.exclude_seen:
        return None
    _, at_Q = split.targets(part)
    same_Q = split.item_N[at_Q] == split.item_N[at_Q - 1]
    share = float((same_Q & ~split.judged_N[at_Q - 1]).double().mean())
    if share <= 0.5:
        return None
    kind = settings.target_kind
    remedy = "" if kind is None else f": to predict it from the earlier ones, keep one kind, {setting('events', kind)}"
    return (
        f"{share:.0%} of the held-out events follow an event of another kind with the same item (it was looked at or "
        f"put into the cart just before), so the model repeats the newest item, and metrics are high{remedy}"
    )


def repeat_warning(share: float, exclude_seen: bool) -> str | None:
    """What to say of such a share; None where it is too small to matter or such items are ranked."""
    if not exclude_seen or share < WORTH_SAYING:
        return None
    return (
        f"{share:.1%} of the held-out items are in their user's history already, and exclude_seen=true does not rank "
        "those: they cannot be found; where users take items again, use "
        f"{setting('exclude_seen', False)}{worded(' (recommend: --include-seen)', '')}"
    )
