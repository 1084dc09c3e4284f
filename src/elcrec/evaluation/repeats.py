"""Repeats: held-out items that are in their user's history already; without ranking seen items they are never found."""

from __future__ import annotations

import torch

from elcrec.data.histories import HistoryBatch

ROWS_AT_ONCE = 1024
WORTH_SAYING = 0.01


def repeat_share(histories: HistoryBatch) -> float:
    """Share of targets that stand in their history already.

    Args:
        histories: Those before the items to predict; one or more.

    Returns:
        0 to 1.
    """
    target_Q = histories.target_Q
    repeated = torch.zeros((), dtype=torch.int64, device=target_Q.device)
    for at_B in histories.shortest_first(ROWS_AT_ONCE):
        history_BW, _ = histories.at(at_B).items()
        repeated += (history_BW == target_Q[at_B][:, None]).any(dim=1).sum()
    return repeated.item() / target_Q.numel()


def repeat_warning(share: float, exclude_seen: bool) -> str | None:
    """What to say of such a share; None where it is too small to matter or such items are ranked."""
    if not exclude_seen or share < WORTH_SAYING:
        return None
    return (
        f"{share:.1%} of the held-out items are in their user's history already, and exclude_seen=true does not rank "
        "those: they cannot be found; where users take items again, use --set exclude_seen=false "
        "(recommend: --include-seen)"
    )
