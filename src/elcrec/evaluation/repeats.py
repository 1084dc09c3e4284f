"""Held-out items that their user had before: never found where seen items are not ranked."""

from __future__ import annotations

import torch
from torch import Tensor

from elcrec.data.batches import histories

ROWS_AT_ONCE = 1024
WORTH_SAYING = 0.01


def repeat_share(item_N: Tensor, start_Q: Tensor, target_Q: Tensor) -> float:
    """Share of targets that stand in their history already.

    Args:
        item_N: int64 [N], the log.
        start_Q: int64 [Q], first position of each history; Q >= 1.
        target_Q: int64 [Q], positions of the items to predict, > start.

    Returns:
        0 to 1.
    """
    repeated = torch.zeros((), dtype=torch.int64, device=item_N.device)
    for at_B in (target_Q - start_Q).argsort().split(ROWS_AT_ONCE):
        history_BW, _ = histories(item_N, start_Q[at_B], target_Q[at_B])
        repeated += (history_BW == item_N[target_Q[at_B]][:, None]).any(dim=1).sum()
    return repeated.item() / target_Q.numel()


def repeat_warning(share: float, exclude_seen: bool) -> str | None:
    """What to say of such a share; None where it is too small to matter or such items are ranked."""
    if not exclude_seen or share < WORTH_SAYING:
        return None
    return (
        f"{share:.1%} of the held-out items are in their user's history already, and exclude_seen=true never lists "
        "those: they cannot be found; where people take things again, use --set exclude_seen=false "
        "(recommend: --include-seen)"
    )
