"""Time units: the unit of a log, and the conversion of new events' times into it."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

import polars as pl

from elcrec.data.times import PER_SECOND, Unit, unit_of, unit_of_number
from elcrec.errors import DataError

Time = int | float
SECOND = PER_SECOND["ns"]
NANOSECONDS: dict[str, int] = {"day": 86_400 * SECOND, **{unit: SECOND // per for unit, per in PER_SECOND.items()}}
NAMES = {"day": "days", "s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_YEAR, LAST_YEAR = 1900, 2199
_FIRST, _END = (
    int((datetime(year, 1, 1, tzinfo=UTC) - EPOCH).total_seconds()) * SECOND for year in (FIRST_YEAR, LAST_YEAR + 1)
)
_MOST = 2**63 - 1


@dataclass(frozen=True)
class Clock:
    """How a log tells time.

    A *kept* time is what a store of events holds: nanoseconds since 1970 where the log's times are moments (or it has
    none), else the number itself. A *log* time is a value of the log's own column: a whole number of its unit. Two
    events are at the same time where their log times are equal; what is finer than the unit is cut off.

    Attributes:
        unit: Unit of the log times; ``number`` for plain numbers (steps, years).
        numbers: Whether the column holds numbers; else dates or moments.
        whole: Whether these are whole.
        newest: The last log time.
    """

    unit: Unit = "ns"
    numbers: bool = False
    whole: bool = True
    newest: Time = 0

    @classmethod
    def of(cls, times: pl.Series | None) -> Clock:
        """The clock of a log's times; None for a log without: its events are kept all the same."""
        if times is None:
            return cls()
        newest: Time = times.to_physical().max()  # type: ignore[assignment]
        numbers = times.dtype not in (pl.Date, pl.Datetime)
        return cls(unit_of(times.to_physical() if numbers else times), numbers, not times.dtype.is_float(), newest)

    @property
    def kind(self) -> Literal["moments", "numbers"]:
        """What kept times are."""
        return "numbers" if self.unit == "number" else "moments"

    def kept(self, timestamp: Time | str) -> Time:
        """The kept time of a timestamp from outside: the one place where it is checked and converted.

        Args:
            timestamp: ISO 8601 text (without a zone: UTC), or a number. For a log of moments its size tells its unit
                (s, ms, us, ns since 1970; below 10^8 it counts as seconds); for a log of plain numbers it is one.

        Raises:
            DataError: It is no time of this log; what is.
        """
        if isinstance(timestamp, str):
            if self.kind == "numbers":
                raise DataError(f"timestamp {timestamp[:40]!r}: {self._plain}")
            return _in_range(_nanoseconds(timestamp), timestamp)
        if not math.isfinite(timestamp):
            raise DataError("timestamp: use a finite number")
        if abs(timestamp) > _MOST:
            raise DataError(f"timestamp {timestamp:.4g} is beyond 64 bits: {self._wanted}")
        return self._number(timestamp) if self.kind == "numbers" else self._moment(timestamp)

    def now(self, newest: Time | None = None) -> Time:
        """The kept time of an event that happens now.

        Args:
            newest: The last kept time of the event's user; matters where the log has plain numbers: there it is
                the number after that and after all of the log.
        """
        if self.kind == "moments":
            return time.time_ns()
        return max(self.newest, self.newest if newest is None else newest) + 1

    def time_of(self, kept: Time) -> Time | None:
        """The log time of a kept time; None for what elcrec 0.1 kept and no log like this holds."""
        if self.kind == "numbers":
            return None if self._is_foreign(kept) else math.floor(kept) if self.whole else float(kept)
        nanoseconds = _of_first_stores(kept) if isinstance(kept, float) else kept
        if nanoseconds is None:
            return None
        per = NANOSECONDS[self.unit]
        return nanoseconds // per if self.whole else nanoseconds / per

    def kept_of(self, time: Time) -> Time:
        """The kept time of a log time: the inverse of :meth:`time_of`."""
        return time if self.kind == "numbers" else round(time * NANOSECONDS[self.unit])

    def shown(self, time: Time) -> Time:
        """A log time as answers show it: seconds since 1970 for dates and moments, numbers as they are."""
        if self.numbers:
            return time
        seconds, rest = divmod(int(time) * NANOSECONDS[self.unit], SECOND)
        return seconds if rest == 0 else (seconds * SECOND + rest) / SECOND

    def refuse_foreign(self, highest: Time) -> None:
        """Raise where times of another log, up to ``highest``, cannot be plain numbers of this one.

        Raises:
            DataError: They look like moments.
        """
        if self._is_foreign(highest):
            raise DataError(f"timestamps up to {highest} look like moments: {self._plain}")

    def _moment(self, value: Time) -> int:
        unit = unit_of_number(value)
        if unit == "number" and self.numbers and self.unit != "s":
            raise DataError(f"timestamp {value}: {self._wanted}")
        scale = NANOSECONDS["s" if unit == "number" else unit]
        return _in_range(math.floor(Decimal(str(value)) * scale), value)

    def _number(self, value: Time) -> Time:
        if self._is_foreign(value):
            raise DataError(f"timestamp {value} looks like a moment: {self._plain}")
        if not self.whole:
            return float(value)
        if value != int(value):
            raise DataError(f"timestamp {value}: the log's times are whole numbers")
        return int(value)

    def _is_foreign(self, value: Time) -> bool:
        """Whether a number, far beyond the log's, is a moment."""
        return unit_of_number(value) != "number" and abs(value) > 10 * max(1, abs(self.newest))

    @property
    def _plain(self) -> str:
        return f"the log's times are plain numbers (the last is {self.newest}): use such numbers"

    @property
    def _wanted(self) -> str:
        if self.kind == "numbers":
            return self._plain
        of_log = f"the log's times are {NAMES[self.unit]} since 1970: use these, " if self.numbers else "use "
        return f"{of_log}seconds since 1970 or ISO 8601 text"


def _nanoseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise DataError(f"timestamp {text[:40]!r}: use seconds since 1970 or ISO 8601") from error
    zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    microseconds = (zoned - EPOCH) // timedelta(microseconds=1)
    finer = re.search(r"[.,]\d{6}(\d{1,3})", text)  # Python reads six digits
    return 1000 * microseconds + (int(finer[1].ljust(3, "0")) if finer else 0)


def _in_range(nanoseconds: int, timestamp: Time | str) -> int:
    if not _FIRST <= nanoseconds < _END:
        raise DataError(f"timestamp {timestamp} lies outside the years {FIRST_YEAR} to {LAST_YEAR}")
    return nanoseconds


def _of_first_stores(value: float) -> int | None:
    """Kept time of what elcrec 0.1 kept: seconds, or a number as it came; its exports were rounded to microseconds."""
    unit = unit_of_number(value)
    scale = NANOSECONDS["s" if unit == "number" else unit]
    nanoseconds = 1000 * round(Decimal(str(value)) * scale / 1000)
    return nanoseconds if _FIRST <= nanoseconds < _END else None
