"""The device that a model's tensors live on."""

from __future__ import annotations

import torch

from elcrec.errors import SettingsError
from elcrec.wording import argument


def resolve_device(device: str) -> torch.device:
    """``auto``, ``cpu`` or ``cuda`` (also ``cuda:1``) as a device that is there.

    Raises:
        SettingsError: There is no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cpu":
        return torch.device("cpu")
    if not device.startswith("cuda"):
        raise SettingsError(f"device={device!r}: use auto, cpu or cuda")
    if not torch.cuda.is_available():
        cpu = argument("device", "cpu")
        raise SettingsError(f"device=cuda: PyTorch sees no GPU here; use {cpu} or install a CUDA build")
    return torch.device(device)
