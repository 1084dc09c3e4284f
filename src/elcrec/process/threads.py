"""Threads of PyTorch: as many as this process has cores, by its affinity and by the CPU quota of its container."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")

WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "5000"}
"""How threads wait. GNU's library for threads reads both, and the number of spins counts; others read the first."""


def wait_briefly() -> None:
    """Let idle threads sleep after a short wait, where nothing was requested; it counts once the library is loaded.

    A thread that spins for long keeps the core that a thread with work needs, once another process runs at the same
    time. One that sleeps at once wakes too late for the next operation.
    """
    if "torch" not in sys.modules and not WAITING.keys() & os.environ.keys():
        os.environ.update(WAITING)


def available_cores(root: Path = ROOT) -> int:
    """Whole cores that this process may use: by its affinity, and by the CPU quota of its cgroup (version 1 or 2).

    Args:
        root: Where ``proc`` and ``sys`` are mounted.

    Returns:
        1 or more; of a quota of 2.5 cores, 2.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(root)
    return affinity if quota is None else max(1, min(affinity, int(quota)))


def cpu_quota(root: Path = ROOT) -> float | None:
    """The smallest CPU quota of this process's cgroup and of those above it, in cores; None: there is none."""
    return min((quota for folder in _cgroups(root) if (quota := _quota_of(folder)) is not None), default=None)


def _cgroups(root: Path) -> Iterator[Path]:
    """Folders that may hold a quota of this process: its cgroup and those above it, up to where they are mounted.

    Within a container, the path in ``proc`` may be that outside: then only the mounted folder itself is there.
    """
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            mounts = ["sys/fs/cgroup"]
        elif "cpu" in controllers.split(","):
            mounts = ["sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"]
        else:
            continue
        parts = [part for part in path.split("/") if part and part != ".."]
        for mount in mounts:
            yield from (root.joinpath(mount, *parts[:depth]) for depth in range(len(parts) + 1))


def _quota_of(folder: Path) -> float | None:
    """The quota of one cgroup, in cores."""
    words = _text(folder / "cpu.max").split()
    if not words:
        words = [*_text(folder / "cpu.cfs_quota_us").split(), *_text(folder / "cpu.cfs_period_us").split()]
    if len(words) != 2 or not all(word.isdecimal() for word in words):
        return None  # "max" and -1 stand for no quota
    quota, period = map(int, words)
    return quota / period if quota > 0 and period > 0 else None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def use_threads(threads: int) -> None:
    """Set the number of threads of PyTorch, in this process.

    Args:
        threads: The number; 0: no more than there are cores. What ``OMP_NUM_THREADS`` or a call of
            ``torch.set_num_threads`` gave is then not raised, and ``OMP_NUM_THREADS`` is not lowered either.
    """
    import torch

    if threads == 0:
        if given_threads() is not None:
            return
        threads = min(torch.get_num_threads(), available_cores())
    if threads != torch.get_num_threads():
        torch.set_num_threads(threads)


def given_threads() -> int | None:
    """The number in ``OMP_NUM_THREADS``; None where there is none."""
    given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(given) if given.isdecimal() and int(given) > 0 else None
