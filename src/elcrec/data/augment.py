"""Data augmentation: two views of a history, by cropping, masking or reordering; one is drawn per view and row.

Source: ELCRec section 4 and, for the operators, CL4SRec (arXiv 2010.14395) section 3.2. As in the released
program, counts are rounded down, a crop keeps at least one item, and no crop or span touches the last
place it could start at (starts are drawn from 0 .. n - span - 1).
"""

from __future__ import annotations

import torch
from torch import Tensor


def draw_view(
    item_BW: Tensor,
    length_B: Tensor,
    generator: torch.Generator,
    crop_keep: float = 0.2,
    mask_share: float = 0.7,
    reorder_share: float = 0.2,
) -> tuple[Tensor, Tensor]:
    """One random view of each row.

    Args:
        item_BW: int64 [B, W], rows filled from column 0, then 0.
        length_B: int64 [B], 1 .. W.
        generator: Source of randomness, on the same device.
        crop_keep: Share of the history a crop keeps, 0 to 1.
        mask_share: Share of items a mask replaces by 0, 0 to 1.
        reorder_share: Share of the history a reordering shuffles, 0 to 1.

    Returns:
        Items int64 [B, W] and lengths int64 [B], in the same layout.
    """
    device = item_BW.device
    kind_B = torch.randint(3, length_B.shape, generator=generator, device=device)
    noise_BW = torch.rand(item_BW.shape, generator=generator, device=device)
    place_B = torch.rand(length_B.shape, generator=generator, device=device)

    cropped_BW, cropped_B = crop(item_BW, length_B, place_B, crop_keep)
    masked_BW = mask(item_BW, length_B, noise_BW, mask_share)
    reordered_BW = reorder(item_BW, length_B, place_B, noise_BW, reorder_share)
    kind_B1 = kind_B[:, None]
    view_BW = torch.where(kind_B1 == 0, cropped_BW, torch.where(kind_B1 == 1, masked_BW, reordered_BW))
    return view_BW, torch.where(kind_B == 0, cropped_B, length_B)


def crop(item_BW: Tensor, length_B: Tensor, place_B: Tensor, keep: float) -> tuple[Tensor, Tensor]:
    """A run of ``max(1, floor(keep * n))`` items, beginning at a place drawn in [0, 1)."""
    span_B = _share(length_B, keep)
    start_B = _start(length_B, span_B, place_B)
    span_B = span_B.clamp(min=1)
    column_W = torch.arange(item_BW.shape[1], device=item_BW.device)
    at_BW = (start_B[:, None] + column_W).clamp(max=item_BW.shape[1] - 1)
    return item_BW.gather(1, at_BW) * (column_W < span_B[:, None]), span_B


def mask(item_BW: Tensor, length_B: Tensor, noise_BW: Tensor, share: float) -> Tensor:
    """``floor(share * n)`` items, those with the least noise, become 0."""
    column_W = torch.arange(item_BW.shape[1], device=item_BW.device)
    outside_BW = column_W >= length_B[:, None]
    rank_BW = noise_BW.masked_fill(outside_BW, 2.0).argsort(dim=1).argsort(dim=1)
    return item_BW * (rank_BW >= _share(length_B, share)[:, None])


def reorder(item_BW: Tensor, length_B: Tensor, place_B: Tensor, noise_BW: Tensor, share: float) -> Tensor:
    """A run of ``floor(share * n)`` items in the order of their noise; the others stay."""
    span_B = _share(length_B, share)
    start_B = _start(length_B, span_B, place_B)
    column_W = torch.arange(item_BW.shape[1], device=item_BW.device)
    inside_BW = (column_W >= start_B[:, None]) & (column_W < (start_B + span_B)[:, None])
    # Keys inside the run fall in (start - .5, start]: between its neighbours' keys, ordered by noise.
    key_BW = torch.where(inside_BW, start_B[:, None] - noise_BW / 2, column_W)
    return item_BW.gather(1, key_BW.argsort(dim=1))


def _share(length_B: Tensor, share: float) -> Tensor:
    return (length_B.double() * share).floor().long()


def _start(length_B: Tensor, span_B: Tensor, place_B: Tensor) -> Tensor:
    return (place_B * (length_B - span_B).clamp(min=1)).long()
