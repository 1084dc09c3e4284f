"""In-batch contrast of paired vectors."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# A logit that is so far below the largest has at most e^-REACH of its softmax.
REACH = 60.0


def nt_xent(a_BD: Tensor, b_BD: Tensor, temperature: float = 1.0, same_B: Tensor | None = None) -> Tensor:
    """NT-Xent over the 2B vectors of two sides: find your partner among all others.

    ``-1/2B sum_i log( exp(z_i.z_p(i) / t) / sum_{j != i} exp(z_i.z_j / t) )`` with z the 2B vectors as they
    are (dot products; normalise before for cosines) and p(i) the partner on the other side.

    Args:
        a_BD: [B, D], first side.
        b_BD: [B, D], second side.
        temperature: t > 0.
        same_B: int64 [B], optional: rows with the same value are not each other's negatives.

    Returns:
        Scalar, >= 0; 0 for B = 1.

    Source: SimCLR (arXiv 2002.05709) eq. 1; ELCRec eq. 9 (two views) and 10 (view and centre); the released
    program uses temperature 1, raw dot products and no ``same_B``.
    """
    n = a_BD.shape[0]
    z = torch.cat([a_BD, b_BD])
    logits: Tensor = _Gram.apply(z) / temperature  # type: ignore[no-untyped-call]
    hidden = torch.eye(2 * n, dtype=torch.bool, device=z.device)
    row, partner = torch.arange(2 * n, device=z.device), torch.arange(2 * n, device=z.device).roll(n)
    if same_B is not None:
        same_2B = same_B.repeat(2)
        hidden = same_2B[:, None] == same_2B[None, :]
    # Smaller logits add nothing in float32, but their gradients are denormal numbers, which multiply many times slower.
    reach_21 = logits.detach().masked_fill(hidden, float("-inf")).amax(dim=1, keepdim=True) - REACH
    hidden = hidden | (logits.detach() < reach_21)
    hidden[row, partner] = False
    return F.cross_entropy(logits.masked_fill(hidden, float("-inf")), partner)


class _Gram(torch.autograd.Function):
    """``z z^T``, whose gradient ``(g + g^T) z`` is one product, not two."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        ctx.save_for_backward(z)
        return z @ z.T

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (z,) = ctx.saved_tensors
        gradient: Tensor = (grads[0] + grads[0].T) @ z
        return gradient
