"""Counters and durations in the Prometheus format: of one process, merged with those of the other workers."""

from __future__ import annotations

import contextlib
import os
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from elcrec.storage import write_text

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0)
_THREADS = "lists (plain requests), slow-lists (explain, diversify), store (events)"
MODEL = re.compile(r'^elcrec_model{.*version="(\w+)"}', re.MULTILINE)
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class Metrics:
    """Requests and their durations, by endpoint."""

    def __init__(self, shared: Path | None = None) -> None:
        """Start at zero.

        Args:
            shared: A folder where all workers of a server leave their metrics, so that each can report all.
        """
        self._shared = shared
        self._requests: dict[tuple[str, str, int], int] = defaultdict(int)
        self._buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BOUNDS) + 1))
        self._seconds: dict[str, float] = defaultdict(float)
        self.reloads: dict[str, int] = defaultdict(int)

    def count(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count one request; an unknown method counts as ``other``, since clients choose its name."""
        method = method if method in METHODS else "other"
        self._requests[method, path, status] += 1
        self._buckets[path][bisect_left(BOUNDS, seconds)] += 1
        self._seconds[path] += seconds

    def text(self, version: str, batches: Mapping[str, Mapping[int, int]]) -> str:
        """The text format of Prometheus; the other workers' part as they last left it.

        Args:
            version: Version of the served model.
            batches: By name of a queue, how many micro-batches of each size it had.
        """
        own = self.leave(version, batches)
        return own if self._shared is None else merged(_texts(self._shared))

    def models(self, version: str) -> list[str]:
        """Versions of the models that all workers serve, each once; those of the others as they last left them.

        Args:
            version: Version of the model that this worker serves.
        """
        texts = () if self._shared is None else _texts(self._shared, but=os.getpid())
        return sorted({version, *(found for text in texts for found in MODEL.findall(text))})

    def leave(self, version: str, batches: Mapping[str, Mapping[int, int]]) -> str:
        """This worker's own text, left where the others find it."""
        own = "\n".join([*self._lines(version, batches), ""])
        if self._shared is None:
            return own
        mine = self._shared / f"{os.getpid()}.prom"
        write_text(mine, own)
        return own

    def _lines(self, version: str, batches: Mapping[str, Mapping[int, int]]) -> Iterator[str]:
        worker = f'worker="{os.getpid()}"'
        yield from _head("elcrec_model", "gauge", "The served model.")
        yield f'elcrec_model{{{worker},version="{version}"}} 1'
        yield from _head("elcrec_requests_total", "counter", "Requests answered.")
        for (method, path, status), number in list(self._requests.items()):
            yield f'elcrec_requests_total{{{worker},method="{method}",path="{path}",status="{status}"}} {number}'
        yield from _head("elcrec_request_seconds", "histogram", "Seconds from the request to the end of its answer.")
        for path, buckets in list(self._buckets.items()):
            total = 0
            for bound, number in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
                total += number
                yield f'elcrec_request_seconds_bucket{{{worker},path="{path}",le="{bound}"}} {total}'
            yield f'elcrec_request_seconds_sum{{{worker},path="{path}"}} {self._seconds[path]:.6f}'
            yield f'elcrec_request_seconds_count{{{worker},path="{path}"}} {total}'
        yield from _head("elcrec_batches_total", "counter", f"Micro-batches processed, by thread: {_THREADS}.")
        yield from (f'elcrec_batches_total{{{worker},thread="{name}"}} {sum(sizes)}' for name, sizes in _sizes(batches))
        yield from _head("elcrec_batched_total", "counter", "Requests in micro-batches, by thread.")
        for name, counts in batches.items():
            requests = sum(size * number for size, number in list(counts.items()))
            yield f'elcrec_batched_total{{{worker},thread="{name}"}} {requests}'
        yield from _head("elcrec_reloads_total", "counter", "Reloads of the run, by outcome.")
        for outcome, number in list(self.reloads.items()):
            yield f'elcrec_reloads_total{{{worker},outcome="{outcome}"}} {number}'


def _texts(folder: Path, but: int | None = None) -> Iterator[str]:
    """What the workers left, without that of the process ``but``."""
    for path in sorted(one for one in folder.glob("*.prom") if one.stem != str(but)):
        with contextlib.suppress(FileNotFoundError):  # that worker has gone
            yield path.read_text()


def merged(texts: Iterable[str]) -> str:
    """Texts whose samples differ in their worker as one text: the head of each metric once, then its samples."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        name = ""
        for line in text.splitlines():
            if line.startswith("# HELP "):
                name = line.split()[2]
                heads[name] = [line]
            elif line.startswith("# TYPE "):
                heads[name].append(line)
            else:
                samples[name].append(line)
    return "\n".join([*(line for name, head in heads.items() for line in (*head, *samples[name])), ""])


def _sizes(batches: Mapping[str, Mapping[int, int]]) -> Iterable[tuple[str, list[int]]]:
    return [(name, list(counts.values())) for name, counts in batches.items()]


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"
