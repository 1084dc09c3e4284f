"""How a log is read, to be checked before training."""

from __future__ import annotations

import datetime
from typing import Any, Literal

import polars as pl

from elcrec.data.interactions import Interactions, said_copies
from elcrec.data.layout import Layout
from elcrec.data.reader import understand
from elcrec.data.times import PER_SECOND, Unit, unit_of

SHOWN = 20
_ROLES = ("user_id", "item_id", "timestamp", "event", "weight")
_EARLY = 1990
_LARGE_SHARE = 0.2
_LARGE_BESIDE_OTHERS, _TIMES_SECOND = 0.05, 3
"""A smaller share of the events is large, too, where it is so many times that of the second largest user.

In a log of people the lengths of histories have a long tail, so the largest is often many times the median; the second
largest is then close behind it."""
_MANY = 100


def check_log(source: Any, layout: Layout) -> dict[str, Any]:
    """Read a log and report how it was read.

    Args:
        source: See :meth:`elcrec.data.interactions.Interactions.read`.
        layout: What the caller says about it.

    Returns:
        ``format``, ``separator``, ``encoding``, ``compression``, ``header``; ``columns`` (the caller's by role, or
        None; ``weight`` only where one is named); ``n_events``, ``n_users``, ``n_items``; ``repeats`` (share of events
        whose user had the item before, 0 to 1), ``ties`` (share of events at the same time as another of their user, 0
        to 1; None without times), ``duplicates`` (rows that another row equals); ``time`` (``unit``, ``first``,
        ``last``, or None); ``kinds`` (events of each kind, or None); ``sample`` (the first events in training order);
        ``warnings``.

    Raises:
        DataError: The log cannot be used.
    """
    found = understand(source, layout)
    users = found.columns[0].head(1000).unique(maintain_order=True).head(SHOWN)
    log = Interactions.understood(found, quiet=True)
    frame, summary = log.frame, log.summary()
    time = _time(log)
    ties = log.tied_share() if "timestamp" in frame.columns else None
    duplicates = log.copies()
    warnings = [*found.notes, *said_copies(duplicates), *_odd(log, time, ties)]
    raw = found.first
    return {
        "format": None if raw is None else raw.format,
        "separator": None if raw is None else raw.separator,
        "encoding": None if raw is None else raw.encoding,
        "compression": None if raw is None else raw.compression,
        "header": True if raw is None else raw.header,
        "columns": {role: found.names.get(role) for role in _ROLES if role in found.names or role != "weight"},
        "n_events": len(log),
        "n_users": summary["users"],
        "n_items": summary["items"],
        "repeats": summary["repeats"],
        "ties": ties,
        "duplicates": duplicates,
        "time": time,
        "kinds": found.kinds,
        "sample": _sample(frame, users),
        "warnings": warnings,
    }


def _sample(frame: pl.DataFrame, users: pl.Series) -> list[dict[str, Any]]:
    """The first events of the first users, users in file order."""
    order = (
        pl.DataFrame({"user_id": users.cast(frame["user_id"].dtype, strict=False)}).drop_nulls().with_row_index("at")
    )
    some = frame.lazy().join(order.lazy(), on="user_id", how="inner", maintain_order="left").collect()
    rows = some.sort("at", maintain_order=True).drop("at").head(SHOWN)
    if "timestamp" in rows.columns:
        rows = rows.with_columns(shown_times(rows["timestamp"], unit_of(frame["timestamp"])))
    else:
        rows = rows.with_columns(timestamp=pl.lit(None))
    return rows.to_dicts()


def shown_times(times: pl.Series, unit: Unit) -> pl.Series:
    """Times in readable form: moments since 1970 in ISO 8601, other numbers as they are."""
    if times.dtype.is_temporal():
        moments = times
    elif unit in PER_SECOND:
        finest: Literal["ns", "us"] = "ns" if unit == "ns" else "us"
        moments = (times * (PER_SECOND[finest] // PER_SECOND[unit])).cast(pl.Datetime(finest))
    else:
        return times
    form = "%Y-%m-%dT%H:%M:%S%.f" if isinstance(moments.dtype, pl.Datetime) else "%Y-%m-%d"
    zoned = getattr(moments.dtype, "time_zone", None) is not None
    return moments.dt.to_string(form + ("%:z" if zoned else "")).alias(times.name)


def _time(log: Interactions) -> dict[str, Any] | None:
    if "timestamp" not in log.frame.columns:
        return None
    times = log.frame["timestamp"]
    unit = unit_of(times)
    first, last = shown_times(pl.Series("timestamp", [times.min(), times.max()], dtype=times.dtype), unit).to_list()
    return {"unit": unit, "first": first, "last": last}


def _odd(log: Interactions, time: dict[str, Any] | None, ties: float | None) -> list[str]:
    """What looks odd in a whole log."""
    found = []
    lengths = log.lengths()
    if len(log) >= _MANY and len(lengths) == len(log):
        found.append("every event has a user of its own: is the user column right?")
    largest = int(lengths.max())  # type: ignore[arg-type]
    if len(lengths) > 10 and len(log) >= _MANY and _is_large(largest, lengths):
        user = log.frame["user_id"].unique(maintain_order=True)[int(lengths.arg_max())]  # type: ignore[arg-type]
        found.append(
            f"user {user!r} has {largest / len(log):.1%} of all events: is it a placeholder for unknown users?"
        )
    if ties and ties > 0.5:
        found.append(
            f"{ties:.0%} of the events share their time with another of their user: training takes them as baskets, "
            "without an order (ties=file: in file order)"
        )
    return [*found, *_odd_times(log, time)]


def _is_large(largest: int, lengths: pl.Series) -> bool:
    """Whether the events of one user are a large share of those of all users."""
    share, second = largest / int(lengths.sum()), int(lengths.top_k(2).min())  # type: ignore[arg-type]
    return share > _LARGE_SHARE or (share > _LARGE_BESIDE_OTHERS and largest > _TIMES_SECOND * second)


def _odd_times(log: Interactions, time: dict[str, Any] | None) -> list[str]:
    if time is None or time["unit"] == "number":
        return []
    found = []
    tomorrow = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)).isoformat()
    if str(time["last"]) > tomorrow:
        found.append(f"the last event is in the future ({time['last']}): are the unit and the format of times right?")
    if str(time["first"])[:4] < str(_EARLY):
        found.append(f"the first event is of {time['first']}: are the unit and the format of times right?")
    return found
