"""Fast dropout on a CPU: one random byte an element."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Dropout(nn.Module):
    """Zero entries with probability p and scale the others up.

    On a CPU one random byte decides an entry, eight bytes a draw: several times faster than the library's
    own, with p rounded to a multiple of 1/256 (0.5 is exact) and the scale following the rounded p.
    """

    def __init__(self, p: float) -> None:
        """Zero each entry with probability p, in [0, 1)."""
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
        # Straight into floats: a product of floats and booleans would convert the booleans each time.
        kept = torch.ge(byte, self._threshold, out=torch.empty(x.shape, dtype=x.dtype))
        return x * kept.mul_(256 / (256 - self._threshold))
