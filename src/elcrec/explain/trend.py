"""How intents come and go: their shares in the events of equal periods of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

N_PERIODS = 12


@dataclass(frozen=True)
class Periods:
    """Equal parts of the time a log spans.

    Attributes:
        labels: When each begins: a date, a moment or a number, as text.
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
    numbers = times.to_physical().cast(pl.Float64).to_numpy()
    first, last = numbers.min(), numbers.max()
    if not last > first:
        return None
    number_N = np.minimum(((numbers - first) / (last - first) * N_PERIODS).astype(np.int64), N_PERIODS - 1)
    starts = pl.Series(first + (last - first) * np.arange(N_PERIODS) / N_PERIODS)
    if times.dtype.is_temporal():
        moments = starts.cast(pl.Int64).cast(times.dtype)
        days = (last - first) / N_PERIODS >= _day(times.dtype)
        labels = (moments.cast(pl.Date) if days else moments).cast(pl.String).to_list()
    else:
        labels = [f"{start:g}" if abs(start) < 1e6 else f"{start:.0f}" for start in starts]
    return Periods(labels, number_N)


def _day(dtype: pl.DataType) -> float:
    """Length of a day in the physical unit of a temporal type."""
    if dtype == pl.Date:
        return 1.0
    return 86_400 * {"ms": 1e3, "us": 1e6, "ns": 1e9}[getattr(dtype, "time_unit", "us")]


def trends(
    intent_X: npt.NDArray[np.int64], period_X: npt.NDArray[np.int64], n_periods: int, n_intents: int
) -> list[list[float]]:
    """Share of each intent in the events of each period: K rows of n_periods values, each column sums to 1."""
    counts = np.zeros((n_intents, n_periods))
    np.add.at(counts, (intent_X, period_X), 1)
    shares: list[list[float]] = (counts / np.maximum(counts.sum(axis=0), 1)).tolist()
    return shares
