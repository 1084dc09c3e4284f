"""An event counts once: serve, export, learn on and serve again leaves every history as it was."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import redis
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cli_runner import untrained
from elcrec import ELCRec, Interactions
from elcrec.data.by_settings import read_new
from elcrec.data.joining import is_id
from elcrec.serving.api.incoming import stored_events, users_without_time
from elcrec.serving.api.schemas.users import NewEvent
from elcrec.serving.events_file import events_as_log
from elcrec.serving.histories import user_history
from elcrec.serving.store import Store, open_store
from redis_server import RedisServer

QUICK = settings(max_examples=6, deadline=None, derandomize=True)
START = datetime(2024, 3, 9, 22, 59, 58, tzinfo=UTC)
NANOS = int(START.timestamp()) * 10**9
STEP = 900_000_000_000_001  # a quarter of an hour and a nanosecond: several a day, each with digits of its own
ITEMS, USERS = 5, 4


def moments(kind: pl.DataType, per: int) -> Callable[[list[int]], pl.Series]:
    return lambda steps: pl.Series([(NANOS + STEP * step) // per for step in steps], dtype=pl.Int64).cast(kind)


TIMES: dict[str, Callable[[list[int]], pl.Series] | None] = {
    "s": moments(pl.Int64(), 10**9),
    "ms": moments(pl.Int64(), 10**6),
    "us": moments(pl.Int64(), 10**3),
    "ns": moments(pl.Int64(), 1),
    "date": moments(pl.Date(), 86_400 * 10**9),
    "datetime-ms": moments(pl.Datetime("ms"), 10**6),
    "datetime-us-zoned": moments(pl.Datetime("us", "Europe/Paris"), 10**3),
    "datetime-ns": moments(pl.Datetime("ns", "UTC"), 1),
    "seconds-with-fractions": lambda steps: pl.Series([NANOS / 1e9 + 0.25 * step for step in steps]),
    "steps": lambda steps: pl.Series(steps, dtype=pl.Int64),
    "half-steps": lambda steps: pl.Series([step / 2 for step in steps], dtype=pl.Float64),
    "none": None,
}
ROWS = st.lists(st.tuples(st.integers(0, USERS - 1), st.integers(0, ITEMS - 1), st.integers(0, 6)), max_size=12)
# Whose event of what, when (None: now), with which id (None: none), in which of the forms that time may have.
SENT = st.tuples(
    st.integers(0, USERS),
    st.integers(0, ITEMS - 1),
    st.none() | st.integers(0, 9),
    st.none() | st.integers(0, 30),
    st.integers(0, 2),
)
# One thing taken three times at one moment of the log, told out of order, over two nights; then now.
AGAIN = [[(0, 0, 1, 1, 0), (0, 1, 0, None, 0), (0, 0, 1, 2, 0)], [(0, 0, 1, 3, 1), (0, 0, 0, 4, 0), (0, 0, None, 5, 0)]]
ROUNDS = st.lists(st.lists(SENT, max_size=8), min_size=2, max_size=3)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on the PATH: apt-get install redis-server")
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def fresh_store(request: pytest.FixtureRequest) -> Callable[[Path], Store]:
    if request.param == "sqlite":
        return lambda folder: open_store(str(folder / "events.sqlite"))
    url = request.getfixturevalue("redis_url")

    def emptied(_: Path) -> Store:
        with redis.Redis.from_url(url) as client:
            client.flushall()
        return open_store(url)

    return emptied


def first_log(rows: list[tuple[int, int, int]], times: Callable[[list[int]], pl.Series] | None, text: bool) -> Any:
    """The rows, and somebody who has taken each item, so that all are known."""
    rows = [*rows, *((99, item, 1) for item in range(ITEMS))]
    columns: dict[str, Any] = {"user_id": [row[0] for row in rows], "item_id": [row[1] for row in rows]}
    if times is not None:
        columns["timestamp"] = times([row[2] for row in rows])
    frame = pl.DataFrame(columns)
    if text:
        frame = frame.with_columns(pl.format("u{}", "user_id").alias("user_id"), pl.col("item_id").cast(pl.String))
    return Interactions.read(frame)


def forms(log: Interactions, times: Callable[[list[int]], pl.Series] | None, step: int) -> list[Any]:
    """How a client may tell the time of a step: as the log does, in seconds, as text."""
    if times is None:
        return [int(START.timestamp()) + step] * 2 + [(START + timedelta(seconds=step)).isoformat()]
    [own] = times([step]).to_list()
    if isinstance(own, int | float):
        seconds = [own] if own < 1e8 or own > 1e14 else [own / 10 ** (len(str(int(own))) - 10)]
        return [own, own, *seconds]
    kind, per = log.frame.schema["timestamp"], {"ms": 10**6, "us": 10**3, "ns": 1}
    unit = 10**3 if kind == pl.Date else per[kind.time_unit]
    nanoseconds = (NANOS + STEP * step) // unit * unit
    text = datetime.fromtimestamp(nanoseconds // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    exact = f"{text}.{nanoseconds % 10**9:09d}Z"
    return [exact, nanoseconds, exact if kind == pl.Date or unit == 1 else nanoseconds / 1e9]


def send(model: ELCRec, store: Store, events: list[NewEvent]) -> None:
    users = users_without_time(model, events)
    kept = zip(users, store.read(users), strict=True)
    store.write(stored_events(model, events, {user: its.events[-1].time for user, its in kept if its.events}))


def histories(model: ELCRec, store: Store) -> dict[str, list[Any]]:
    users = [*model.users.ids.cast(pl.String), *store.users("", 1000)]
    return {
        user: model.lookup.item_ids(user_history(model.lookup, user, kept).items)
        for user, kept in zip(users, store.read(users), strict=True)
    }


def learnt_on(model: ELCRec, store: Store, path: Path) -> ELCRec:
    rows = events_as_log(model, store.everything()).rows
    (rows.write_csv if path.suffix == ".csv" else rows.write_parquet)(path)
    new = read_new(path, None, model.settings)
    whole = model.fitted.dataset.whole_log.joined(new)
    assert whole.joined(new).frame.equals(whole.frame), "what was learnt from is learnt from again"
    assert whole.joined(whole).frame.equals(whole.frame) or "timestamp" not in whole.frame
    return untrained(whole)


@pytest.mark.parametrize("name", TIMES)
@QUICK
@given(ROWS, ROUNDS, st.booleans(), st.booleans())
@example([(0, 0, 1)], AGAIN, True, False)
@example([(0, 0, 1), (0, 1, 2), (0, 0, 1), (0, 1, 2)], AGAIN, False, True)
def test_serve_export_learn_on_serve_leaves_every_history(
    fresh_store: Callable[[Path], Store],
    name: str,
    rows: list[tuple[int, int, int]],
    rounds: list[list[tuple[int, ...]]],
    text: bool,
    csv: bool,
) -> None:
    times = TIMES[name]
    log = first_log(rows, times, text)
    with tempfile.TemporaryDirectory() as folder:
        store = fresh_store(Path(folder))
        model = untrained(log)
        store.adopt(model.lookup.clock.kind)
        for number, sent in enumerate(rounds):
            events = [
                NewEvent(
                    f"u{user}" if text else user,
                    str(item),
                    None if event_id is None else f"event {event_id}",
                    None if step is None else forms(log, times, step)[form],
                )
                for user, item, step, event_id, form in sent
            ]
            send(model, store, events)
            send(model, store, [event for event in events[::-1] if event.event_id or event.timestamp is not None])
            before = histories(model, store)
            assert {user: len(items) for user, items in before.items()} == counted(log, model, store)
            if not list(store.everything()):
                continue
            model = learnt_on(
                model, store, Path(folder) / f"{number}.{'csv' if csv and '-ns' not in name else 'parquet'}"
            )
            assert histories(model, store) == before
            learnt = {str(user): model.lookup.item_ids(model.lookup.history_of(user)) for user in model.users.ids}
            assert learnt == before, "the log holds what was served"
        store.close()


def counted(log: Interactions, model: ELCRec, store: Store) -> dict[str, int]:
    """Events of each user by a loop: of equal user, item and time so many as the log or the store has, the larger."""
    frame = log.frame.with_columns(pl.col("user_id", "item_id").cast(pl.String))
    timed = "timestamp" in frame
    frame = frame.with_columns(time=pl.col("timestamp").to_physical() if timed else pl.lit(None))
    ours = Counter(frame.select("user_id", "item_id", "time").rows())
    theirs = Counter(
        (event.user_id, event.item_id, model.lookup.clock.time_of(event.time) if timed else f"event {event.event_id}")
        for event in store.everything()
    )
    total: Counter[str] = Counter()
    for (user, _, _), number in (ours | theirs).items():
        total[user] += number
    return dict(total)


LOOKS_LIKE = [
    *("007", "7", "-0", "1.0", "2.0", "1.5", "1e+5", "1.5E10", "+1", "1_000", "1 000", "1,000", "5,6,7", "N1 N2"),
    *("9" * 25, "[1]", "{}", '="x"', "true", "2020-01-01", "12:00", "inf", "0x1F", "\u0663", "total", "sum"),
    *("user_id", "timestamp", "#x", "//", "--", "a,b", "a;b", "a|b", '"q"', 'q"r', "it's", "é", "1::2", " x"),
    *("\u200bx", "x\ufeff", "NULL", "none"),
]
ID_TEXT = st.sampled_from(LOOKS_LIKE) | st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(st.lists(ID_TEXT, min_size=1, max_size=3), st.lists(ID_TEXT, min_size=1, max_size=3), st.booleans())
def test_text_ids_are_learnt_as_they_are_kept_whatever_they_look_like(
    users: list[str], items: list[str], timed: bool
) -> None:
    taken = [(user, item) for user in users for item in items if is_id(user, pl.String()) and is_id(item, pl.String())]
    if not taken:
        return
    times = {"timestamp": pl.Series([int(START.timestamp())])} if timed else {}
    model = untrained(Interactions.read(pl.DataFrame({"user_id": ["a user"], "item_id": ["an item"], **times})))
    sent = [NewEvent(user, item, f"{at:02}", int(START.timestamp()) + at) for at, (user, item) in enumerate(taken)]
    rows = events_as_log(model, stored_events(model, sent, {})).rows
    with tempfile.TemporaryDirectory() as folder:
        for name in ("new.csv", "new.parquet"):
            path = Path(folder) / name
            (rows.write_csv if name == "new.csv" else rows.write_parquet)(path)
            whole = model.log.joined(read_new(path, None, model.settings)).frame
            assert Counter(whole.select("user_id", "item_id").rows()) == Counter([("a user", "an item"), *taken])
