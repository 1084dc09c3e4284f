"""Whether intents are alive: how users spread over them."""

from __future__ import annotations

import torch
from torch import Tensor


def intent_health(users_K: Tensor) -> dict[str, float]:
    """How many intents are really in use.

    Args:
        users_K: [K], users of each intent.

    Returns:
        ``effective``: exp of the entropy of the users' shares, 1 .. K (K when all are equally large);
        ``used``: intents with a user; ``largest_share``: share of users in the largest, 0 to 1.
    """
    share_K = users_K.double() / users_K.sum().clamp(min=1)
    entropy = -torch.xlogy(share_K, share_K).sum()
    return {
        "effective": entropy.exp().item(),
        "used": int((users_K > 0).sum()),
        "largest_share": share_K.max().item(),
    }
