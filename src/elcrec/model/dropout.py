"""Dropout that does not wait for the random numbers."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _ByteDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kept: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(kept)
        ctx.scale = scale
        return (x * kept).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (kept,) = ctx.saved_tensors
        return (grads[0] * kept).mul_(ctx.scale), None, None


class Dropout(nn.Module):
    """Zero entries with probability p and scale the others up.

    On a CPU one random byte decides an entry, eight bytes a draw: several times faster than the library's
    own, with p rounded to a multiple of 1/256 (0.5 is exact) and the scale following the rounded p.
    """

    def __init__(self, p: float) -> None:
        """P in [0, 1)."""
        super().__init__()
        self.p = p
        self._threshold = min(round(p * 256), 255)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape; the identity in evaluation mode."""
        if not self.training or self.p == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.p, True)
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        byte = words.view(torch.uint8)[: x.numel()].view(x.shape)
        scale = 256 / (256 - self._threshold)
        out: Tensor = _ByteDropout.apply(x, byte >= self._threshold, scale)  # type: ignore[no-untyped-call]
        return out
