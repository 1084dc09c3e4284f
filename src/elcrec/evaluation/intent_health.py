"""Whether intents are alive and distinct: how users spread over them, how close they sit."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

DUPLICATE_COSINE = 0.95
DOMINANT_FACTOR = 10
COLLAPSED_SHARE = 0.5
COLLAPSED_EFFECTIVE = 0.1


def intent_health(users_K: Tensor, centers_KD: Tensor) -> dict[str, float]:
    """How many intents are really in use, and how many are distinct.

    Args:
        users_K: [K], users of each intent.
        centers_KD: [K, D].

    Returns:
        ``effective``: exp of the entropy of the users' shares, 1 .. K (K when all are equally large);
        ``used``: intents with a user; ``largest_share``: share of users in the largest, 0 to 1;
        ``dead``, ``duplicates``, ``dominant``: intents with that flag, see :func:`intent_flags`.
    """
    share_K = users_K.double() / users_K.sum().clamp(min=1)
    flags = intent_flags(users_K, centers_KD)
    return {
        "effective": effective_intents(users_K),
        "used": int((users_K > 0).sum()),
        "largest_share": share_K.max().item(),
        **{name: int(flag_K.sum()) for name, flag_K in flags.items()},
    }


def effective_intents(users_K: Tensor) -> float:
    """Exp of the entropy of the users' shares; see :func:`intent_health`."""
    share_K = users_K.double() / users_K.sum().clamp(min=1)
    return (-torch.xlogy(share_K, share_K).sum()).exp().item()


def intent_flags(users_K: Tensor, centers_KD: Tensor) -> dict[str, Tensor]:
    """What is wrong with single intents.

    Returns:
        bool [K] each: ``dead`` (no user), ``duplicates`` (a centre whose cosine with another is .95 or more) and
        ``dominant`` (over half of the users, or over ten times an equal share).
    """
    share_K = users_K.double() / users_K.sum().clamp(min=1)
    unit_KD = F.normalize(centers_KD.detach(), dim=-1)
    closest_K = torch.full_like(share_K, -1.0)
    for at_C in torch.arange(len(unit_KD), device=unit_KD.device).split(1024):
        cosine_CK = unit_KD[at_C] @ unit_KD.T
        cosine_CK[torch.arange(len(at_C)), at_C] = -1
        closest_K[at_C] = cosine_CK.max(dim=1).values.double()
    return {
        "dead": users_K == 0,
        "duplicates": closest_K >= DUPLICATE_COSINE,
        "dominant": share_K > min(COLLAPSED_SHARE, DOMINANT_FACTOR / len(users_K)),
    }


def collapse_warning(health: dict[str, Any], n_intents: int, n_users: int) -> str | None:
    """A sentence when the intents say next to nothing about users, else None.

    That is when one holds over half of the users, or when fewer than a tenth of those that could be in use
    are effectively so.
    """
    possible = min(n_intents, n_users)
    alone = health["largest_share"] > COLLAPSED_SHARE and possible > 2
    if not alone and health["effective"] >= COLLAPSED_EFFECTIVE * possible:
        return None
    return (
        f"the intents have collapsed: {health['used']} of {n_intents} in use, effectively {health['effective']:.1f}, "
        f"and the largest holds {health['largest_share']:.1%} of the users, so intents say little here"
    )
