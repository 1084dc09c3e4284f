"""Trends of intents: their shares in the events of equal periods of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from elcrec.data.times import dated, unit_of

N_PERIODS = 12


@dataclass(frozen=True)
class Periods:
    """Equal parts of the time a log spans.

    Attributes:
        labels: When each begins: a date, a moment or, of a log that counts no moments, a number, as text.
        number_N: int64 [N], the period of each event, 0 .. len(labels) - 1.
    """

    labels: list[str]
    number_N: npt.NDArray[np.int64]

    def sample(self, most: int, seed: int) -> npt.NDArray[np.int64]:
        """Positions of at most ``most`` events, as many from each period as it has or its share allows: sorted."""
        generator = np.random.default_rng(seed)
        shuffled = generator.permutation(len(self.number_N))
        ordered = shuffled[np.argsort(self.number_N[shuffled], kind="stable")]
        parts = np.split(ordered, np.cumsum(np.bincount(self.number_N, minlength=len(self.labels)))[:-1])
        return np.sort(np.concatenate([part[: most // len(self.labels)] for part in parts]))


def make_periods(times: pl.Series) -> Periods | None:
    """Twelve periods from the first moment to the last; None where all events happened at one.

    Args:
        times: [N], numbers or dates.
    """
    numbers = _as_numbers(times).to_numpy()
    first, last = numbers.min(), numbers.max()
    if not last > first:
        return None
    number_N = np.minimum(((numbers - first) / (last - first) * N_PERIODS).astype(np.int64), N_PERIODS - 1)
    starts = first + (last - first) * np.arange(N_PERIODS) / N_PERIODS
    return Periods(_labels(_of_column(pl.Series(starts), times)), number_N)


def _as_numbers(times: pl.Series) -> pl.Series:
    return (times.to_physical() if times.dtype.is_temporal() else times).cast(pl.Float64)


def _of_column(starts: pl.Series, times: pl.Series) -> pl.Series:
    """Numbers as the times of a column that they were computed from."""
    if not times.dtype.is_temporal():
        return dated(starts, unit_of(times))
    return starts.floor().cast(pl.Int64).cast(times.dtype)


def _labels(starts: pl.Series) -> list[str]:
    """Dates, where periods are of a day or more, else moments, in the log's own time zone; or plain numbers."""
    if not starts.dtype.is_temporal():
        return [f"{start:.15g}" for start in starts]
    by_day = starts.dtype == pl.Date or starts[1] - starts[0] >= timedelta(days=1)
    return (starts.dt.strftime("%Y-%m-%d") if by_day else starts.cast(pl.String)).to_list()


def trends(
    intent_X: npt.NDArray[np.int64], period_X: npt.NDArray[np.int64], n_periods: int, n_intents: int
) -> list[list[float]]:
    """Share of each intent in the events of each period: K rows of n_periods values.

    Each column sums to 1, or to 0 for a period without events.
    """
    counts = np.zeros((n_intents, n_periods))
    np.add.at(counts, (intent_X, period_X), 1)
    shares: list[list[float]] = (counts / np.maximum(counts.sum(axis=0), 1)).tolist()
    return shares
