"""Layouts that people have: each is read right, or refused with a hint; never other events."""

from __future__ import annotations

import datetime
import gzip
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from elcrec.data.check import check_log
from elcrec.data.columns import ALIASES
from elcrec.data.layout import Layout
from elcrec.errors import DataError
from elcrec.process.wording import on_command_line

Content = str | bytes | dict[str, str] | pl.DataFrame
AB = [("u", "a"), ("u", "b")]
BA = AB[::-1]
HEADER = "user_id,item_id,timestamp\n"
IDS = "user_id,item_id\n"


@dataclass(frozen=True)
class Case:
    """A file, and the events it holds (with a pattern for warnings), or the pattern of its refusal."""

    name: str
    content: Content
    events: list[tuple[str, str]] | None
    pattern: str = ""
    layout: Layout = field(default_factory=Layout)


def read(name: str, content: Content, events: Any = AB, warns: str = "", **layout: Any) -> Case:
    return Case(name, content, events, warns, Layout(**layout))


def refuse(name: str, content: Content, hint: str, **layout: Any) -> Case:
    return Case(name, content, None, hint, Layout(**layout))


def times(*written: str) -> str:
    """A log of ``a`` and ``b``, the later first."""
    return HEADER + "".join(f'u,{item},"{time}"\n' for item, time in zip("bacd", written, strict=False))


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def write(path: Path, content: Content) -> None:
    if isinstance(content, dict):
        for name, text in content.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(text, encoding="utf-8")
    elif isinstance(content, pl.DataFrame):
        content.write_parquet(path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def frame(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame({"user_id": ["u", "u"], "item_id": ["b", "a"]} | columns)


TIMES = [
    read("compact.csv", times("20240201 10:00:00", "20240131 11:00:00")),
    read("nanoseconds.csv", times("2024-01-02 10:00:00.123456789", "2024-01-02 10:00:00.123456001")),
    read("nanoseconds-us.csv", times("13 Jan 2024 10:00:00.000000002", "13 Jan 2024 10:00:00.000000001")),
    read("twitter.csv", times("Tue Apr 03 18:00:09 +0000 2012", "Mon Apr 02 19:00:09 +0000 2012")),
    read("zones.csv", times("2024-01-02T05:00:00+05:30", "2024-01-01T23:00:00+00:00")),
    read("fold.csv", times("2024-10-27 02:30:00+01:00", "2024-10-27 02:45:00+02:00")),
    read("noon.csv", times("13 Jan 2024 12:30 PM", "13 Jan 2024 12:45 AM")),
    read("german.csv", times("31.01.2024 13:05", "01.01.2024 14:05")),
    read("comma.csv", times("2024-01-02 10:00:00,5", "2024-01-02 10:00:00,25")),
    read("hour.csv", times("2014-12-06 02", "2014-12-05 20"), time_format="%Y-%m-%d %H"),
    read("f.csv", times("02/01/2024 1:00:00.5", "02/01/2024 1:00:00.25"), time_format="%d/%m/%Y %H:%M:%S.%f"),
    refuse(
        "f.csv", times("02/01/2024 1:00:00,5", "02/01/2024 1:00:00,25"), "%S,%f", time_format="%d/%m/%Y %H:%M:%S,%f"
    ),
    refuse("z.csv", times("2024-01-02 10:00 PST", "2024-01-02 11:59 EST"), "PST", time_format="%Y-%m-%d %H:%M %Z"),
    refuse("clock.csv", times("10:00", "09:00"), "without its date", time_format="%H:%M"),
    refuse("clock.csv", times("10:00", "09:00"), "without its date"),
    refuse("iso.csv", times("2024-01-02", "2024-01-01"), "time_format", time_format="YYYY-MM-DD"),
    refuse("digits.csv", times("٢٠٢٤-٠١-٠٢", "٢٠٢٤-٠١-٠١"), "line 2"),
    refuse("two-digits.csv", times("02/01/10", "01/02/10"), "time_format"),
    refuse("unit.csv", times("1704164400", "1704164500000"), "line 2.* in s.*line 3.* in ms"),
    refuse("zero-and-units.csv", times("1704164400", "0", "1704164500000"), "in s.*in ms"),
    refuse("days.csv", times("1704164400", "19725", "1704164500"), "line 3.*no unit"),
    refuse("dates.csv", times("20240201100000", "20240131"), "units"),
    refuse("dates-and-epochs.csv", times("1704164400", "20240105"), "units"),
    refuse("day-first.csv", times("01022024", "31012024"), "time_format"),
    refuse("month-first.csv", times("2012024", "12312023"), "time_format"),
    read("day-first.csv", times("01022024", "31012024"), time_format="%d%m%Y"),
    refuse("no-year.csv", times("02.01.", "01.01."), "no year", time_format="%d.%m."),
    refuse("ms.csv", times("1704164400500", "1704164400250"), "years 1 to 9999", time_format="%s"),
    refuse("far.parquet", frame(timestamp=pl.Series([2**60, 1], dtype=pl.Datetime("ms"))), "line|row.*years 1 to 9999"),
    refuse("far.csv", times("9999-12-31 00:00:00.000000001", "2024-02-28 00:00:00.000000001"), "1678 to 2261"),
    refuse("far.csv", times("31 Dec 9999 00:00:00.000000001", "28 Feb 2024 00:00:00.000000001"), "1678 to 2261"),
    read("ns.csv", times("02/01/2024 1:00:00.000000002", "02/01/2024 1:00:00.000000001"),
         time_format="%d/%m/%Y %H:%M:%S.%f"),
    read("zero.csv", times("1704164400", "0"), warns="before 1973"),
    read("steps.csv", times("250000000", "99000000")),
    refuse("keep.csv", times("2", "NULL"), "missing=drop", missing="keep"),
    read("other.csv", "user_id,item_id,zeit\nu,b,2024-01-02\nu,a,2024-01-01\n", BA, "'zeit' may hold times"),
    read("unnamed.csv", "u,b,x,2024-01-02\nu,a,y,2024-01-01\n", BA, "column 4 of .*columns may hold times: call it",
         columns="user_id,item_id,_,_"),
    read("hours.csv", "user_id,item_id,date,hour\nu,b,20240102,9\nu,a,20240102,8\n", BA, "'hour' may hold"),
    read("joined.csv", "user_id,item_id,date,time\nu,b,2024-01-02,09:00\nu,a,2024-01-02,08:00\n"),
    read("joined.parquet", frame(date=[datetime.date(2024, 1, 2)] * 2, time=["09:00", "08:00"])),
    read("midnights.parquet", frame(date=[datetime.datetime(2024, 1, 2)] * 2, time=["9:00 AM", "8:00 AM"])),
    read("int32.parquet", frame(timestamp=pl.Series([1704164401, 1704164400], dtype=pl.Int32)), warns=r"^\[\]$"),
    read("ns.parquet", frame(timestamp=pl.Series([2, 1], dtype=pl.Duration("ns")))),
    read("wide.parquet", frame(timestamp=pl.Series([2**60 + 1, 2**60], dtype=pl.Int128).cast(pl.Decimal(38, 0)))),
]  # fmt: skip

ID_CASES = [
    *(
        refuse("word.csv", f"{IDS}u,a\n{word},b\n", "missing=drop.*missing=keep")
        for word in ("NONE", "Undefined", "NIL", "#NA", "-NaN", "[null]", "#REF!", " NULL ")
    ),
    read("words.csv", f"{IDS}u,a\nu,NULL\n", [("u", "a"), ("u", "NULL")], missing="keep"),
    refuse("category.parquet", frame(user_id=pl.Series(["u", "None"], dtype=pl.Categorical)), "missing"),
    read("width.csv", f"{IDS}\u200bu,a\nu\ufeff,b\n", warns="blanks around 2 ids"),
    refuse("no-width.csv", f"{IDS}\u200b,a\nu,b\n", "line 2"),
    refuse("rounded.csv", f"{IDS}u,abc\nu,9.78E+12\n", "line 3.*lost digits"),
    refuse("rounded.csv", f"{IDS}u,2E+12\nu,3\n", "line 2.*lost digits"),
    refuse("total.csv", f"{IDS}u,a\nu,b\nTotal:,2\n", "line 4.*total"),
    refuse("histories.csv", f'{IDS}u,"1,2,3"\nv,4\n', "item_id holds lists.*1,2,3"),
    refuse("histories.tsv", "u\tN1 N2\nv\tN1\n", "item_id holds lists", columns="user_id,item_id"),
    refuse("histories.csv", f"{IDS}u,[1 2 3]\nv,[4]\n", "item_id holds lists"),
    read("titles.csv", f"{IDS}u,7 11\nu,Fallout 4\n", [("u", "7 11"), ("u", "Fallout 4")]),
    read("thousands.csv", f'{IDS}u,"1,234"\nu,7\n', [("u", "1,234"), ("u", "7")]),
    refuse("formulas.csv", f'{IDS}="007",a\n="008",b\n', "formulas"),
    refuse("rows.csv", f"{IDS}u,a\nu,b\n(2 rows)\n", "line 4"),
    refuse("capitals.csv", "user_id,item_id,Item_ID\nu,a,z\n", "item_column"),
    read("versions.csv", f"{IDS}u,1.10\nu,1.1\n", [("u", "1.10"), ("u", "1.1")]),
    read("decimal.parquet", frame(item_id=pl.Series([7, 2**64 - 1], dtype=pl.Int128).cast(pl.Decimal(38, 0))),
         [("u", "7"), ("u", str(2**64 - 1))]),
]  # fmt: skip

DELIMITED = [
    read("sep.csv", "sep=;\r\nuser_id;item_id\r\nu;a\r\nu;b\r\n"),
    read("sep.csv", '"sep=,"\nuser_id,item_id\nu,a\nu,b\n'),
    *(
        refuse("again.csv", f"user_id,item_id\nu,a\n{again}\nu,b\n", "line 3.*header")
        for again in ("USER_ID,ITEM_ID", "item_id,user_id", "\ufeffuser_id,item_id", '"user_id", "item_id"')
    ),
    refuse("again.csv", "user_id,item_id,x\nu,a,1\nuser_id,item_id,x\n", "line 3.*header", columns="user_id,item_id,_"),
    refuse("returns.csv", "user_id,item_id\ru,a\nu,b\n", "carriage return"),
    refuse("returns.txt", "1 2 3 9\r1 4 5\n2 6 7\n", "line 1"),
    refuse("zeros.txt", "01 5 3 9\n1 6 7\n", "leading zeros"),
    refuse("one.txt", "1 1193 5 978300760\n", "--columns"),
    refuse("single.csv", "'user_id','item_id'\n'u','a'\n", "double quotes"),
    read("blank-quotes.csv", 'user_id, item_id\n"u", "a"\n"u", "b"\n'),
    read("odd.tsv", 'user_id\tsize 5"\titem_id\nu\tx\ta\nu\ty\tb\n'),
    read("open.tsv", 'u\ta\tx "(live\nu\tb\t"y\n', columns="user_id,item_id,_"),
    refuse("rule.csv", "| user_id | item_id |\n|---|---|\n| u | a |\n", "line 2.*dashes"),
    refuse("short.txt", "user_id item_id timestamp\nu b 2\nu a\n", "line 3: fewer fields"),
    refuse("empty.csv", "user_id,item_id\r\n\r\n", "no rows"),
    read("pipe.csv", "u,a|b\nu,c|d\n", [("u", "a|b"), ("u", "c|d")], columns="user_id,item_id"),
    refuse("pipe.txt", "u,a|b\nu,c|d\n", "--format csv", columns="user_id,item_id"),
    read("header.csv", "kunde,artikel\n1,5\n1,6\n", [("1", "5"), ("1", "6")], "header", columns="user_id,item_id"),
    refuse("header.csv", "item_id,user_id\na,u\n", "--columns names 'user_id'", columns="user_id,item_id"),
    refuse("header.csv", f"{IDS}u,a\n", "--set user_column=NAME", columns="user=user_id,item=item_id"),
    refuse("two.csv", "user_id,item_id\nu;a\nu;b\n", "header is separated by ',' and the lines below by ';'"),
    refuse("two.txt", "user_id;item_id\nu,a\nu,b\n", "header is separated by ';' and the lines below by ','"),
    refuse("encoding.csv", f"{IDS}u,a\n", "unknown encoding", encoding="klingon"),
    refuse("encoding.csv", f"{IDS}u,a\n", "unknown encoding", encoding="idna"),
    refuse("one-column.csv", f"{IDS}u,a\n", "two roles", user_column="user_id", item_column="user_id"),
    refuse("encoding.jsonl", '{"user_id":"u","item_id":"ä"}\n'.encode("latin-1"), "line 1.*encoding=NAME"),
    read("packed.csv.gz", gzip.compress(f"{IDS}u,a\n".encode()) + gzip.compress(b"u,b\n")),
    refuse("page.xls", "<table><tr><td>user_id</td></tr></table>", "web page"),
    read(
        "names.csv", "Customer ID,StockCode,InvoiceDate\n7.0,b,2024-01-02\n7.0,a,2024-01-01\n", [("7", "a"), ("7", "b")]
    ),
]

LIKE_LISTS = "user_id,item_id\nu,A1 B2\nu,C3 D4\n"
FIRST_LINES = [
    read("codes.csv", LIKE_LISTS, [("u", "A1 B2"), ("u", "C3 D4")], lists="keep"),
    read("pairs.csv", f'{IDS}u,"1,5"\nu,7\n', [("u", "1,5"), ("u", "7")], lists="keep"),
    refuse("codes.csv", LIKE_LISTS, "lists=keep"),
    # The example of a refusal names what looks like a time as one.
    *(
        refuse("no-header.dat", line, f"--columns {names}($|;)")
        for line, names in (
            ("1,2014-04-07T10:54:09.868Z,214536500,0\n1,2014-04-07T10:51:09.277Z,214536502,0\n",
             "user_id,timestamp,item_id,_"),
            ("0\t2010-10-19T23:55:27Z\t30.23\t-97.79\t22847\n", "user_id,timestamp,_,_,item_id"),
            ("470\tv1\tc\t-240\tTue Apr 03 18:00:09 +0000 2012\n", "user_id,item_id,_,_,timestamp"),
            ("1::1193::5::978300760\n", "user_id,item_id,_,timestamp"),
            ("a1,b2,5.0,1369699200\n", "user_id,item_id,_,timestamp"),
            ("a1,b2\na1,b3\n", "user_id,item_id"),
        )
    ),
    read("swapped.dat", "1,2014-04-07T10:54:09Z,5\n", [("1", "2014-04-07T10:54:09Z")], "item_id looks like a time",
         columns="user_id,item_id,_"),
    refuse("words.csv", "kunde name,artikel name\nu v,a w\nu v,b w\n", "if it is a header"),
    read("words.csv", "kunde name,artikel name\nu v,a w\nu v,b w\n", [("u v", "a w"), ("u v", "b w")],
         user_column="kunde name", item_column="artikel name"),
    refuse("words.csv", "customer name,product x\nu v,a w\n", "its 2 columns"),
    *(
        read("named.csv", f"{user},{item}\nu,a\nu,b\n")
        for user, item in (
            ("username", "movie"), ("User Name", "item_name"), ("visitor", "Product Name"), ("user", "artistName"),
            ("distinct_id", "joke_id"), ("fullVisitorId", "product_code"), ("user_id", "film"),
        )
    ),
    read("named.csv", "user_id,product_id,product_name\nu,a,x\nu,b,y\n", warns=r"^\['no time[^']*'\]$"),
    *(
        read("named.csv", f"user_id,item_id,{time}\nu,b,2024-01-02\nu,a,2024-01-01\n")
        for time in ("utcTimestamp", "played_at", "order_purchase_timestamp", "collector_tstamp", "event_ts")
    ),
    refuse("film.csv", "alice,film\nbob,book\n", r"^(?!.*alice).*--columns"),
    refuse("years.csv", times("12/1/10 8:26", "12/13/10 8:26"), "%m/%d/%y"),
    refuse("years.csv", times("12/1/10 8:26", "12/13/10 8:26"), "write %y", time_format="%m/%d/%Y %H:%M"),
    read("years.csv", times("12/13/10 8:26", "12/1/10 8:26"), time_format="%m/%d/%y %H:%M"),
    refuse("more.csv", "user_id,item_id,x\nu,a\nu,b,1,2\n", "line 3: more fields"),
    refuse("returns.csv", f"{IDS}u,a\ru,b\nu,c\n", "line 2: lines end in several ways"),
    read("cut.csv", "user_id,item_id,text\nu,a,so\nu,b\n", warns="1 line has fewer fields.*line 3"),
    read("empty-last.csv", "user_id,item_id,text\nu,a,so\nu,b,\n\n", warns=r"^\['no time[^']*'\]$"),
    read("days.csv", "user_id,item_id,day,trans_time\nu,a,1,1631\nu,b,1,1632\n", warns="'trans_time' may hold",
         timestamp_column="day"),
    refuse("steam.json", "{u'user_id': u'u', 'item_id': 'a'}\n{'user_id': 'u', 'item_id': 'b'}\n", "line 1: a Python"),
    refuse("one.json", "{'user_id': 'u', 'item_id': 'a'}\n", "Python dictionary"),
    read("bytes.parquet", pl.DataFrame({"user_id": [b"u", b"u"], "item_id": [b"a", b"b"]})),
    refuse("bytes.parquet", pl.DataFrame({"user_id": [b"u", b"\xff"], "item_id": [b"a", b"b"]}), "no UTF-8"),
]  # fmt: skip

NESTED = [
    refuse("segment.jsonl", lines({"userId": "u", "properties": {"product_id": "a"}}), "item_column=properties.prod"),
    read("segment.jsonl", lines(*({"userId": "u", "properties": {"product_id": item}} for item in "ab")),
         item_column="properties.product_id"),
    read("mongo.jsonl", lines(*({"user_id": {"$oid": "u"}, "item_id": item, "at": {"$date": f"2024-01-0{item_day}"}}
                                for item, item_day in (("b", 2), ("a", 1)))),
         user_column="user_id.$oid", timestamp_column="at.$date"),
    refuse("cut.txt", "user_id Bought At item_id\nu 2024-01-01 10:00:00 a\n", "line 2: 2024-01-01 10:00:00 is cut"),
    refuse("cut.dat", "rating user_id purchase_time Item No\n4 u 2024-01-01 10:00 a\n", "line 2.*is cut at its blank"),
    read("uncut.txt", "user_id item_id date time_of_day\nu a 2024-01-01 10:00\nu b 2024-01-02 09:00\n",
         warns="time_of_day"),
    read("names.jsonl", lines({"user_id": "u", "items": ["b", "a"], "timestamps": [2, 1]})),
    read("watched.jsonl", lines({"user_id": "u", "items": ["a", "b"], "watch_times": [2, 1]}), warns="watch_times"),
    read("structs.jsonl", lines({"session": "u", "events": [{"aid": "b", "ts": 2}, {"aid": "a", "ts": 1}]})),
    refuse("lengths.jsonl", lines({"user_id": "u", "items": ["b", "a"], "timestamps": [2]}), "line 1.*one time"),
    read("watched.jsonl", lines({"user_id": "u", "items": ["b", "a"], "watch_times": [2, 1]}),
         timestamp_column="watch_times"),
    read("mine.jsonl", lines({"user_id": "u", "item_id": "z", "mine": ["a", "b"]}), item_column="mine"),
    read("begun.jsonl", lines({"user_id": "u", "timestamp": 9, "items": ["b", "a"], "timestamps": [2, 1]})),
    read("begun.jsonl", lines({"user_id": "u", "begun": 9, "items": ["a", "b"], "timestamps": [2, 1]}),
         timestamp_column="begun"),
    read("both.jsonl", lines({"user_id": "u", "timestamps": [1, 2], "items": [
        {"item_id": "b", "timestamp": 2}, {"item_id": "a", "timestamp": 1}]})),
    refuse("types.json", '[{"user_id":null,"item_id":"a"},{"user_id":"u","item_id":"b"},{"user_id":7,"item_id":"c"}]',
           "event 3: user_id is of type int, and of type str"),
    read("array.parquet", frame().group_by("user_id").agg(pl.col("item_id").sort()).with_columns(
        pl.col("item_id").list.to_array(2))),
    refuse("twice.jsonl", '\n{"user_id":"u","item_id":"a","item_id":"z"}\n', "line 2.*twice"),
    refuse("twice-and-never.jsonl", '{"user_id":"u","item_id":"a","item_id":"z"}\n{"user_id":"u"}\n', "line 1.*twice"),
    refuse("gaps.jsonl", '\n{"user_id":"u","item_id":"a"}\n\n{"user_id":"u","item_id":null}\n', "line 4 of"),
    refuse("spaced.jsonl", '{"user_id": "u", "item_id": "a"}\n{"user_id": "u", "item_id": 5}\n', "line 2.*no text"),
    read("spaced.jsonl", '{"user_id" : "u", "item_id":"a"}\n{"item_id": "b", "user_id":"u"}\n'),
    refuse("twice.json", '[{"user_id":"u","item_id":"a","item_id":"z"}]', "twice"),
    read("inner.jsonl", lines(*({"user_id": "u", "item_id": item, "x": {"item_id": 5}} for item in "ab"))),
]  # fmt: skip

NO_DATE = "date=__HIVE_DEFAULT_PARTITION__"
FOLDERS = [
    read("readme", {"log.csv": f"{IDS}u,a\nu,b\n", "README.txt": "Who had what.\n", "LICENSE": "Free.\n"}),
    read("empty", {"1.csv": f"{IDS}u,a\n", "2.csv": "", "3.csv": IDS, "4.csv": f"{IDS}u,b\n"}),
    read("hive", {"date=2024-01-02/1.csv": f"{IDS}u,b\n", "date=2024-01-01/1.csv": f"{IDS}u,a\n"}),
    read("clock", {"date=2024-01-02 10%3A00/1.csv": f"{IDS}u,b\n", "date=2024-01-02 09%3A00/1.csv": f"{IDS}u,a\n"}),
    refuse("none", {"date=2024-01-02/1.csv": f"{IDS}u,b\n", f"{NO_DATE}/1.csv": f"{IDS}u,a\n"}, "missing"),
    read("copies", {"1.csv": f"{IDS}u,a\nu,b\n", "1.csv~": f"{IDS}u,a\n", "1.csv.bak": f"{IDS}u,a\n"}),
    refuse("packed", {"1.csv": f"{IDS}u,a\n", "1.csv.gz": f"{IDS}u,a\n"}, "1.csv.gz and 1.csv are one file"),
    refuse("types", {"1.jsonl": '{"user_id":1,"item_id":"a"}', "2.jsonl": '{"user_id":"1","item_id":"b"}'}, "one type"),
    refuse("times", {"1.csv": f"{IDS}u,a\n", "2.csv": f"{HEADER}u,b,2\n"}, "2.csv has times"),
    refuse("units", {"1.csv": times("1704164400"), "2.csv": times("1704164500000")}, "1.csv line 2.*2.csv line 2"),
    read("order", {"1.csv": f"{HEADER}u,b,2\n", "2.csv": "timestamp,item_id,user_id\n1,a,u\n"}),
]  # fmt: skip

# Nobody's ids are shown as names of columns.
PEOPLE = [
    refuse(name, content, r"^(?!.*(alice|apple)).*--columns")
    for name, content in (
        ("words.csv", "alice,apple\nbob,pear\n"),
        ("numbers.csv", "alice,apple,\nbob,pear,5\n"),
        ("missing.csv", "alice,apple,NA\nbob,pear,5\n"),
        ("insert.sql", "INSERT ('alice','apple');\nINSERT ('bob','pear');\n"),
    )
]


@pytest.mark.parametrize(
    "case", [*TIMES, *ID_CASES, *DELIMITED, *FIRST_LINES, *NESTED, *FOLDERS, *PEOPLE], ids=lambda case: case.name
)
def test_a_layout_is_read_right_or_refused(case: Case, tmp_path: Path) -> None:
    path = tmp_path / case.name
    write(path, case.content)
    if case.events is None:
        with on_command_line(), pytest.raises(DataError) as caught:
            check_log(path, case.layout)
        message = str(caught.value)
        assert re.search(case.pattern, message), message
        assert len(message) < 500
        return
    with on_command_line():
        document = check_log(path, case.layout)
    assert [(str(one["user_id"]), str(one["item_id"])) for one in document["sample"]] == case.events
    assert re.search(case.pattern, str(document["warnings"]))


def test_times_of_32_bits_are_shown_right(tmp_path: Path) -> None:
    frame(timestamp=pl.Series([1704164401, 1704164400], dtype=pl.Int32)).write_parquet(tmp_path / "log.parquet")
    time = check_log(tmp_path / "log.parquet", Layout())["time"]
    assert time == {"unit": "s", "first": "2024-01-02T03:00:00", "last": "2024-01-02T03:00:01"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "cp1252", "shift_jis"])
def test_a_named_or_marked_encoding_is_read(encoding: str, tmp_path: Path) -> None:
    word = "日本" if encoding == "shift_jis" else "ä"
    (tmp_path / "log.csv").write_bytes(f"{IDS}u,{word}\nu,b\n".encode(encoding))
    named = encoding if encoding in ("cp1252", "shift_jis") else None
    sample = check_log(tmp_path / "log.csv", Layout(encoding=named))["sample"]
    assert [one["item_id"] for one in sample] == [word, "b"]


def test_the_docs_name_every_usual_name() -> None:
    text = (Path(__file__).parents[3] / "docs" / "data.md").read_text()
    rows = dict(re.findall(r"^\| (user|item|time|kind of event) \| (.*) \|$", text, re.M))
    for word, role in {"user": "user_id", "item": "item_id", "time": "timestamp", "kind of event": "event"}.items():
        assert rows[word] == ", ".join(f"`{name}`" for name in ALIASES[role])
