"""Several processes that train one model: each takes some rows of every batch, all make the same step.

Every process draws the same random batches, so one process and several see the same batches. What depends on
the whole batch (contrasts, balance of intents) is put together from all parts, with gradients.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from elcrec.errors import RunError
from elcrec.model.devices import resolve_device
from elcrec.process.wording import argument

Found = TypeVar("Found")


@dataclass(frozen=True)
class Team:
    """The processes that train together; by default a single one, for whom everything here does nothing.

    Attributes:
        rank: Number of this process, from 0.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the one that writes files and tells people."""
        return self.rank == 0

    def part(self, row_B: Tensor) -> Tensor:
        """Which rows are this process's: every ``size``-th."""
        return row_B[self.rank :: self.size]

    def sum(self, tensor: Tensor) -> Tensor:
        """Sum over the processes, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def sum_gradients(self, weights: Iterable[Tensor]) -> None:
        """Gradients become their sums over the processes."""
        if self.size > 1:
            grads = [weight.grad for weight in weights if weight.grad is not None]
            for work in [dist.all_reduce(grad, async_op=True) for grad in grads]:
                work.wait()

    def whole(self, part_X: Tensor, place_X: Tensor, n_rows: int) -> Tensor:
        """All processes' rows in their places, [n_rows, ...]; a gradient goes back to the process a row is from."""
        if self.size == 1:
            return part_X
        whole: Tensor = _Whole.apply(part_X[: len(place_X)], place_X, n_rows)  # type: ignore[no-untyped-call]
        return whole

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """All take over the leader's values."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def broadcast_object(self, ask: Callable[[], Found]) -> Found:
        """What the leader finds, for all."""
        if self.size == 1:
            return ask()
        answer = [ask() if self.is_main else None]
        dist.broadcast_object_list(answer, 0)
        return answer[0]  # type: ignore[return-value]


class _Whole(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part_X: Tensor, place_X: Tensor, n_rows: int) -> Tensor:
        ctx.save_for_backward(place_X)
        whole = part_X.new_zeros(n_rows, *part_X.shape[1:])
        whole[place_X] = part_X
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (place_X,) = ctx.saved_tensors
        grad = grads[0].contiguous()
        dist.all_reduce(grad)
        return grad[place_X], None, None


def launched() -> bool:
    """Whether this is one of several processes: started by torchrun, or already joined by the caller (Ray)."""
    joined = dist.is_available() and dist.is_initialized()
    return dist.get_world_size() > 1 if joined else int(os.environ.get("WORLD_SIZE", "1")) > 1


def own_device(name: str) -> torch.device:
    """The device of that name, see :func:`elcrec.model.devices.resolve_device`; of several GPUs, this process's.

    Raises:
        SettingsError: There is no such device.
    """
    device = resolve_device(name)
    if device.type == "cuda" and device.index is None and launched():
        # Ray shows each process only its own.
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    return device


@contextmanager
def joined(device: torch.device) -> Iterator[Team]:
    """Join the processes that torchrun started, or that the caller has joined; alone where there are none.

    Raises:
        RunError: Another process has stopped.
    """
    if not launched():
        yield Team()
        return
    ours = not dist.is_initialized()
    if ours:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Team(dist.get_rank(), dist.get_world_size())
    except RuntimeError as error:
        if not _lost_another(error):
            raise
        reason = "another process of this training has stopped"
        raise RunError(f"{reason}: see what it said, then start all again with {argument('resume', True)}") from error
    finally:
        if ours:
            dist.destroy_process_group()


def _lost_another(error: RuntimeError) -> bool:
    words = ("gloo", "Connection closed", "Connection reset", "Socket", "NCCL")
    return isinstance(error, dist.DistError) or any(word in str(error) for word in words)
