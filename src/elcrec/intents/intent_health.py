"""Health of intents: how users are spread over them, and how close centres are."""

from __future__ import annotations

from typing import TypedDict

import torch
import torch.nn.functional as F
from torch import Tensor

DUPLICATE_COSINE = 0.95
DOMINANT_FACTOR = 10
COLLAPSED_SHARE = 0.5
COLLAPSED_EFFECTIVE = 0.1


class IntentHealth(TypedDict, total=False):
    """How users spread over the intents.

    Attributes:
        effective: Exp of the entropy of the users' shares, 1 .. K (K when all are equally large).
        used: Intents with a user.
        largest_share: Share of users in the largest, 0 to 1.
        dead: Intents without a user.
        duplicates: Intents whose centre has a cosine of .95 or more with another.
        dominant: Intents with over half of the users, or over ten times an equal share.
        cosine: Mean cosine of users to the own centre, -1 to 1.
        margin: Mean lead of that cosine on the next centre's, >= 0.
        warning: A sentence when the intents have collapsed, else None.
    """

    effective: float
    used: int
    largest_share: float
    dead: int
    duplicates: int
    dominant: int
    cosine: float
    margin: float
    warning: str | None


def intent_health(users_K: Tensor, centers_KD: Tensor) -> IntentHealth:
    """How many intents are really in use, and how many are distinct.

    Args:
        users_K: [K], users of each intent.
        centers_KD: [K, D].

    Returns:
        All but ``cosine``, ``margin`` and ``warning``.
    """
    share_K = users_K.double() / users_K.sum().clamp(min=1)
    flags = intent_flags(users_K, centers_KD)
    return {
        "effective": effective_intents(users_K),
        "used": int((users_K > 0).sum()),
        "largest_share": share_K.max().item(),
        "dead": int(flags["dead"].sum()),
        "duplicates": int(flags["duplicates"].sum()),
        "dominant": int(flags["dominant"].sum()),
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


def collapse_warning(health: IntentHealth, n_intents: int, n_users: int) -> str | None:
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
