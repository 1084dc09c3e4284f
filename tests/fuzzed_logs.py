"""Random logs, written in any format and dialect, and what is right when they are read."""

import bz2
import csv
import datetime
import gzip
import io
import json
import lzma
import random
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from elcrec import Interactions
from elcrec.data.columns import ALIASES
from elcrec.errors import DataError, DataWarning

Event = tuple[str, str, int]  # user, item, microseconds since 1970 (or any number)
EPOCH = datetime.datetime(1970, 1, 1)
WORDS = ["None", "NULL", "NA", "\\N", "nan", "undefined"]
ALPHABETS = {
    "integers": "0123456789",
    "plain": "abcXYZ019_-",
    "prose": "abc é,;|'.#/ ",
    "quoted": 'ab"c, ;',
    "odd": "aß日本😀&=?%\\{}[]()",
}


@dataclass
class Case:
    """A log as it was written.

    Attributes:
        source: What is read.
        options: Of :meth:`Interactions.read`.
        events: What it means, in file order.
        timed: Whether it has times.
        what: How it was written, for messages.
    """

    source: Path
    options: dict[str, Any]
    events: list[Event]
    timed: bool
    what: dict[str, Any] = field(default_factory=dict)


def an_id(rng: random.Random, kind: str) -> str:
    """An id without blanks around it."""
    if kind == "integers":
        return str(rng.choice([rng.randrange(1, 30), rng.randrange(10**6), rng.randrange(2**63, 2**64)]))
    if kind == "padded":
        return f"{rng.randrange(1000):05d}"
    if kind == "like lists":
        return rng.choice([" ", ","]).join(f"{rng.choice('ABC')}{rng.randrange(9)}" for _ in range(rng.randrange(1, 4)))
    while True:
        text = "".join(rng.choices(ALPHABETS[kind], k=rng.randrange(1, 9))).strip()
        if text and text not in WORDS and not text.startswith("#"):
            return text


TIMES: dict[str, Any] = {
    "none": None,
    "s": lambda moment: str(int(moment.timestamp())),
    "ms": lambda moment: str(int(moment.timestamp()) * 1000),
    "us": lambda moment: str(int(moment.timestamp()) * 10**6),
    "float": lambda moment: f"{int(moment.timestamp())}.0",
    "date": lambda moment: f"{moment:%Y-%m-%d}",
    "iso": lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}",
    "isoT": lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}.000Z",
    "utc": lambda moment: f"{moment:%Y-%m-%d %H:%M:%S} UTC",
    "offset": lambda moment: f"{moment + datetime.timedelta(hours=5, minutes=30):%Y-%m-%dT%H:%M:%S}+05:30",
    "us slash": lambda moment: f"{moment.month}/{moment.day}/{moment.year} {moment:%I:%M:%S %p}",
    "eu slash": lambda moment: f"{moment:%d/%m/%Y %H:%M:%S}",
    "eu dot": lambda moment: f"{moment:%d.%m.%Y}",
    "named": lambda moment: f"{moment:%d %b %Y %H:%M:%S}",
    "ctime": lambda moment: f"{moment:%a %b %d %H:%M:%S +0000 %Y}",
    "compact": lambda moment: f"{moment:%Y%m%d}",
    "compact14": lambda moment: f"{moment:%Y%m%d%H%M%S}",
}
DAYS = ("date", "eu dot", "compact")


def make_case(seed: int, folder: Path) -> Case:
    """A log from a seed, written into a folder."""
    rng = random.Random(seed)
    kinds = [*ALPHABETS, "padded", "like lists"]
    user_kind, item_kind = rng.choice(kinds), rng.choice(kinds)
    users = [an_id(rng, user_kind) for _ in range(rng.randrange(1, 6))]
    items = [an_id(rng, item_kind) for _ in range(rng.randrange(2, 12))]
    how = rng.choice([*TIMES, "none"])
    base = datetime.datetime(2021, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(days=rng.randrange(300))
    spread = rng.choice([5, 10**5, 10**7])
    rows, events = [], []
    for _ in range(rng.randrange(1, 25)):
        moment = base + datetime.timedelta(seconds=rng.randrange(spread))
        if how in DAYS:
            moment = moment.replace(hour=0, minute=0, second=0)
        user, item = rng.choice(users), rng.choice(items)
        time = None if how == "none" else TIMES[how](moment)
        rows.append((user, item, time))
        events.append((user, item, int(moment.timestamp()) * 10**6))
    writer = rng.choice(list(WRITERS))
    what = {"seed": seed, "writer": writer, "times": how, "users": user_kind, "items": item_kind}
    source, options = WRITERS[writer](rng, rows, how, folder, what)
    if "like lists" in (user_kind, item_kind):
        options["lists"] = rng.choice(["refuse", "keep"])
    return Case(source, options, events, how != "none", what)


# ---------------------------------------------------------------------- writers


def _names(rng: random.Random, timed: bool) -> list[str]:
    roles = ["user_id", "item_id", *(["timestamp"] if timed else [])]
    names = [rng.choice(ALIASES[role]) for role in roles]
    names = [name if name != "time" else "timestamp" for name in names]
    return [rng.choice([name, name.upper(), name.replace("_", " ").title(), name.replace("_", "")]) for name in names]


def _delimited(rng: random.Random, rows: list[Any], how: str, folder: Path, what: dict[str, Any]) -> Any:
    timed = how != "none"
    separator = rng.choice([",", ",", ";", "\t", "|", "::", "\x01", " "])
    quoting = rng.choice(["minimal", "all"]) if len(separator) == 1 and separator != " " else "none"
    if separator == "\t" and rng.random() < 0.4:
        quoting = "none"
    header = rng.random() < 0.7
    extra = rng.random() < 0.5
    names = [*_names(rng, timed), *(["rating"] if extra else [])]
    table = [
        [user, item, *([time] if timed else []), *([str(rng.randrange(1, 6))] if extra else [])]
        for user, item, time in rows
    ]
    order = list(range(len(names)))
    rng.shuffle(order)
    end = rng.choice(["\n", "\r\n"])
    lines = [[names[at] for at in order]] if header else []
    lines += [[row[at] for at in order] for row in table]
    blanks = rng.random() < 0.1 and quoting != "all" and separator != " "
    text = "".join(_line(line, separator, quoting, blanks) + end for line in lines)
    if rng.random() < 0.15:
        text = text.replace(end, end + end, 2)
    if rng.random() < 0.1 and header:
        text = f"# exported by hand{end}{text}"
    if rng.random() < 0.2:
        text = text.removesuffix(end)
    what |= {"separator": separator, "quoting": quoting, "header": header, "blanks": blanks}
    encoding = rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
    options: dict[str, Any] = {}
    try:
        content = text.encode(encoding)
    except UnicodeEncodeError:
        encoding, content = "utf-8", text.encode()
    if encoding == "cp1252" and rng.random() < 0.8:
        options["encoding"] = "cp1252"
    if not header:
        roles = ["user_id", "item_id", *(["timestamp"] if timed else []), *(["_"] if extra else [])]
        options["columns"] = ",".join(roles[at] for at in order)
    if how in ("us slash", "eu slash", "eu dot") and rng.random() < 0.5:
        forms = {"us slash": "%m/%d/%Y %I:%M:%S %p", "eu slash": "%d/%m/%Y %H:%M:%S", "eu dot": "%d.%m.%Y"}
        options["time_format"] = forms[how]
    ending = rng.choice([".csv", ".tsv", ".txt", ".dat", ""])
    what |= {"encoding": encoding, "ending": ending, "options": options}
    return _packed(rng, folder, f"log{ending}", content, what), options


def _line(fields: list[str], separator: str, quoting: str, blanks: bool) -> str:
    if quoting == "none":
        return separator.join(fields)
    kept = io.StringIO()
    style: Any = csv.QUOTE_ALL if quoting == "all" else csv.QUOTE_MINIMAL
    csv.writer(kept, delimiter=separator, quoting=style, lineterminator="").writerow(fields)
    return (
        kept.getvalue().replace(separator, separator + " ")
        if blanks and '"' not in kept.getvalue()
        else kept.getvalue()
    )


def _packed(rng: random.Random, folder: Path, name: str, content: bytes, what: dict[str, Any]) -> Path:
    pack = rng.choice(["", "", "", ".gz", ".bz2", ".xz", ".zip", ".tar.gz"])
    what["pack"] = pack
    path = folder / (name + pack)
    if pack == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, content)
    elif pack == ".tar.gz":
        with tarfile.open(path, "w:gz") as tar:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    else:
        packers: dict[str, Callable[[bytes], bytes]] = {
            "": bytes,
            ".gz": gzip.compress,
            ".bz2": bz2.compress,
            ".xz": lzma.compress,
        }
        path.write_bytes(packers[pack](content))
    return path


def _frame(rng: random.Random, rows: list[Any], how: str) -> pl.DataFrame:
    timed = how != "none"
    columns = list(zip(*rows, strict=True))
    frame = pl.DataFrame(
        {name: list(values) for name, values in zip(_names(rng, timed), columns, strict=False)}, strict=False
    )
    if timed:
        name = frame.columns[2]
        if how in ("s", "ms", "us"):
            frame = frame.with_columns(pl.col(name).cast(rng.choice([pl.Int64, pl.UInt64, pl.Float64])))
        elif how in ("iso", "date") and rng.random() < 0.5:
            form = {"iso": "%Y-%m-%d %H:%M:%S", "date": "%Y-%m-%d"}[how]
            kind: Any = pl.Datetime("us") if how == "iso" else pl.Date
            frame = frame.with_columns(pl.col(name).str.strptime(kind, form))
    for name in frame.columns[:2]:
        numbers = frame[name].cast(pl.Int64, strict=False)
        if not numbers.has_nulls() and (numbers.cast(pl.String) == frame[name]).all() and rng.random() < 0.5:
            frame = frame.with_columns(numbers.alias(name))
    return frame


def _parquet(rng: random.Random, rows: list[Any], how: str, folder: Path, what: dict[str, Any]) -> Any:
    _frame(rng, rows, how).write_parquet(folder / "log.parquet")
    return folder / "log.parquet", {}


def _arrow(rng: random.Random, rows: list[Any], how: str, folder: Path, what: dict[str, Any]) -> Any:
    frame = _frame(rng, rows, how)
    path, stream = folder / "log.arrow", rng.choice([False, True])
    frame.write_ipc_stream(path) if stream else frame.write_ipc(path)
    return path, {}


def _parts(rng: random.Random, rows: list[Any], how: str, folder: Path, what: dict[str, Any]) -> Any:
    frame = _frame(rng, rows, how)
    (folder / "parts").mkdir()
    (folder / "parts" / "_SUCCESS").touch()
    kind = rng.choice(["parquet", "csv"])
    for number, at in enumerate(range(0, len(frame), 2)):
        part = frame.slice(at, 2)
        path = folder / "parts" / f"part-{number}.{kind}"
        part.write_parquet(path) if kind == "parquet" else part.write_csv(path)
    what["parts"] = kind
    return folder / "parts", {}


def _objects(frame: pl.DataFrame) -> list[dict[str, Any]]:
    objects: list[dict[str, Any]] = json.loads(frame.write_json())
    return objects


def _jsonl(rng: random.Random, rows: list[Any], how: str, folder: Path, what: dict[str, Any]) -> Any:
    lines = [json.dumps(row, ensure_ascii=rng.random() < 0.5) for row in _objects(_frame(rng, rows, how))]
    return _packed(rng, folder, rng.choice(["log.jsonl", "log.json", "log.txt"]), ("\n".join(lines)).encode(), what), {}


def _json(rng: random.Random, rows: list[Any], how: str, folder: Path, what: dict[str, Any]) -> Any:
    objects = _objects(_frame(rng, rows, how))
    shape = rng.choice(["array", "columns", "rows", "inside"])
    what["shape"] = shape
    document: Any = objects
    if shape == "columns":
        document = {name: [row[name] for row in objects] for name in objects[0]}
    elif shape == "rows":
        document = {name: {str(at): row[name] for at, row in enumerate(objects)} for name in objects[0]}
    elif shape == "inside":
        document = {"data": objects}
    return _packed(rng, folder, "log.json", json.dumps(document, indent=rng.choice([None, 1])).encode(), what), {}


def _nested(rng: random.Random, rows: list[Any], how: str, folder: Path, what: dict[str, Any]) -> Any:
    """A user a line: a list of items, or a list of events."""
    by_user: dict[str, list[Any]] = {}
    for user, item, time in rows:
        by_user.setdefault(user, []).append((item, time))
    if how == "none":
        lines = [{"user_id": user, "items": [item for item, _ in events]} for user, events in by_user.items()]
    else:
        lines = [
            {"session": user, "events": [{"aid": item, "ts": time} for item, time in events]}
            for user, events in by_user.items()
        ]
    content = "\n".join(json.dumps(line) for line in lines).encode()
    return _packed(rng, folder, "log.jsonl", content, what), {}


WRITERS = {
    "delimited": _delimited,
    "delimited again": _delimited,
    "delimited once more": _delimited,
    "parquet": _parquet,
    "arrow": _arrow,
    "parts": _parts,
    "jsonl": _jsonl,
    "json": _json,
    "nested": _nested,
}


# ---------------------------------------------------------------------- what is right


def wrong(case: Case) -> str | None:
    """What a reading got wrong; "refused: ..." for a refusal, which is right as well; None where all is right."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        try:
            frame = Interactions.read(case.source, **case.options).frame
        except DataError as error:
            message = str(error)
            return f"refused: {message}" if message and "\n" not in message else f"several lines: {message!r}"
    got = _histories((str(user), str(item)) for user, item in frame.select("user_id", "item_id").iter_rows())
    events = sorted(case.events, key=lambda event: event[2]) if case.timed else case.events
    want = _histories((user, item) for user, item, _ in events)
    if got != want:
        return f"other events: {got} instead of {want}"
    return _wrong_times(case, frame) if case.timed else None


def _histories(pairs: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for user, item in pairs:
        found.setdefault(user, []).append(item)
    return found


def _wrong_times(case: Case, frame: pl.DataFrame) -> str | None:
    times = frame["timestamp"]
    if times.dtype == pl.Date:
        times = times.cast(pl.Datetime("us"))
    if times.dtype.is_temporal():
        got = sorted(times.dt.replace_time_zone(None).dt.timestamp("us").to_list())
    else:
        factor = {"s": 10**6, "float": 10**6, "ms": 1000, "us": 1}.get(case.what["times"])
        got = sorted(value * factor for value in times.to_list()) if factor else []
    want = sorted(event[2] for event in case.events)
    return None if got == want else f"other times: {got[:3]} instead of {want[:3]}"
