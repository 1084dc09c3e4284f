"""The state of an unfinished training, in one file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from elcrec.errors import RunError, decoding
from elcrec.runs.records import EpochRecord
from elcrec.storage import read_tensors, write_tensors
from elcrec.training.optimizer import Optimizer
from elcrec.wording import argument


@dataclass
class Progress:
    """The state of a training that it needs, in addition to weights and optimiser, to resume identically.

    Attributes:
        history: One record an epoch; see :func:`elcrec.training.loop.train`.
        best_epoch: The epoch (from 1) with the best validation metric; 0 before the first.
        best_value: Its value.
        seconds: Training time so far, interruptions left out.
    """

    history: list[EpochRecord] = field(default_factory=list)
    best_epoch: int = 0
    best_value: float = -1.0
    seconds: float = 0.0


def save_checkpoint(
    path: Path,
    network: nn.Module,
    best: dict[str, Tensor],
    optimizer: Optimizer,
    progress: Progress,
) -> None:
    """Write everything, atomically."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in best.items()}
    tensors |= {f"optimizer.{name}": value for name, value in optimizer.tensors().items()}
    write_tensors(path, tensors, {"sha256": _hash(tensors, vars(progress)), "progress": vars(progress)})


Checkpoint = tuple[Path, dict[str, Tensor], Any]


def read_checkpoint(path: Path) -> Checkpoint:
    """What :func:`save_checkpoint` wrote, and where it lay.

    Raises:
        RunError: The file is damaged.
    """
    tensors, state = read_tensors(path)
    with decoding(
        lambda reason: RunError(f"{path} is damaged ({reason}): start from scratch with {argument('overwrite', True)}")
    ):
        whole = state["sha256"] == _hash(tensors, state["progress"])
    if not whole:
        raise RunError(
            f"{path} is damaged: it is not what was written; start from scratch with {argument('overwrite', True)}"
        )
    return path, tensors, state["progress"]


def load_checkpoint(
    checkpoint: Checkpoint, network: nn.Module, optimizer: Optimizer
) -> tuple[dict[str, Tensor], Progress]:
    """Put network and optimiser where they were.

    Returns:
        The best weights so far, and the progress.

    Raises:
        RunError: It is of another network.
    """
    path, tensors, state = checkpoint
    try:
        best = _under(tensors, "best.")
        network.load_state_dict(best)
        network.load_state_dict(_under(tensors, "network."))
        optimizer.restore(_under(tensors, "optimizer."))
        return best, Progress(**state)
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(
            f"{path} does not fit this run ({reason}): start from scratch with {argument('overwrite', True)}"
        ) from error


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _hash(tensors: Mapping[str, Tensor], progress: Any) -> str:
    """Of all that a checkpoint holds."""
    digest = hashlib.sha256(json.dumps(progress).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(content.numpy().data)
    return digest.hexdigest()
