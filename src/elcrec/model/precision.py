"""Floating-point precision: the types in which matrix products are fast."""

from __future__ import annotations

from typing import Any

import torch


def fast_products(device: torch.device) -> torch.dtype:
    """The type to multiply large matrices in: bfloat16 where the processor has instructions for it, else float32."""
    if device.type == "cuda":
        has_it = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # older PyTorch cannot tell
        has_it = bool(known.get("avx512_bf16") or known.get("amx_bf16"))
    return torch.bfloat16 if has_it else torch.float32
