"""What the adapters share; runs in the environment of every peer, so only the standard library and numpy."""

import json
import resource
import sys
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Task:
    """What run.py asks of an adapter: its four words. Steps of 0 are whole epochs."""

    data: Path
    lists: Path
    epochs: int
    steps: int

    @classmethod
    def of_words(cls) -> "Task":
        """The words are taken off, for a peer that reads the command line too."""
        (data, lists, epochs, *steps), sys.argv[1:] = sys.argv[1:], []
        return cls(Path(data).resolve(), Path(lists).resolve(), int(epochs), int(steps[0]) if steps else 0)


@dataclass(frozen=True)
class Log:
    """A file of lines ``user item item ...``: users, how long their histories are, and all items one after another."""

    user_U: np.ndarray
    length_U: np.ndarray
    item_N: np.ndarray

    @classmethod
    def read(cls, path: Path) -> "Log":
        users, lengths, items = array("q"), array("q"), array("q")
        with path.open() as file:
            for line in file:
                user, *history = line.split()
                users.append(int(user))
                lengths.append(len(history))
                items.extend(map(int, history))
        return cls(np.array(users), np.array(lengths), np.array(items))

    def without(self, newest: int, least: int = 1) -> "Log":
        """Histories without their newest items, where at least so many are left."""
        end_N = np.repeat(np.cumsum(self.length_U), self.length_U)
        left_U = np.maximum(self.length_U - newest, 0)
        enough_U = left_U >= least
        kept_N = (np.arange(len(self.item_N)) < end_N - newest) & np.repeat(enough_U, self.length_U)
        return Log(self.user_U[enough_U], left_U[enough_U], self.item_N[kept_N])

    @property
    def user_N(self) -> np.ndarray:
        return np.repeat(self.user_U, self.length_U)

    @property
    def place_N(self) -> np.ndarray:
        """Place of each item in its history, from 0: the benchmark files are in order of time, without times."""
        start_U = np.cumsum(self.length_U) - self.length_U
        place_N: np.ndarray = np.arange(len(self.item_N)) - np.repeat(start_U, self.length_U)
        return place_N


class Clock:
    """When training began and ended, and what was trained on; the methods are those of a Lightning callback.

    ``count`` says how many sequences a batch has, and how many of its positions predict an item.
    """

    def __init__(self, count: Callable[[Any], tuple[int, int]]) -> None:
        self.count = count
        self.sequences = self.targets = 0
        self.began = time.perf_counter()

    def on_train_start(self, *_: Any) -> None:
        self.started = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        sequences, targets = self.count(batch)
        self.sequences += sequences
        self.targets += targets

    def on_train_end(self, *_: Any) -> None:
        self.ended = time.perf_counter()

    def report(self, task: Task) -> None:
        """Print the line that run.py reads, at the end of everything.

        ``seconds`` are those of preparing the data and training, with ``steps`` those of training alone.
        """
        prepare, train = self.started - self.began, self.ended - self.started
        say(train if task.steps else prepare + train, prepare, train, self.sequences, self.targets)


def say(seconds: float, prepare: float, train: float, sequences: int, targets: int, **more: Any) -> None:
    line = {
        "seconds": seconds,
        "prepare_seconds": prepare,
        "train_seconds": train,
        **more,
        "sequences": sequences,
        "targets": targets,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(line))
