"""Night after night: a server's events are exported, learnt from, and served again, as docs/serving.md says."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runner import SMALL, run_cli, shop_log
from elcrec import ELCRec
from served import Served

KEY = "a-key-for-the-tests"


def log_of(kind: str) -> pl.DataFrame:
    """The shop's log with another kind of times; users' and items' columns have names of their own."""
    log = shop_log().rename({"user_id": "buyer", "item_id": "sku"})
    return log.drop("timestamp") if kind == "none" else log.with_columns(pl.col("timestamp").dt.epoch("ms"))


@pytest.mark.parametrize("kind", ["milliseconds", "none"])
def test_every_history_is_what_it_was(tmp_path: Path, place: str, kind: str) -> None:
    (tmp_path / "keys.txt").write_text(KEY)
    columns = {"user_column": "buyer", "item_column": "sku"}
    ELCRec(seed=1, **SMALL, **columns).fit(log_of(kind), tmp_path / "night0", progress=False)
    live = tmp_path / "live"
    live.symlink_to("night0")
    known, stranger = "shopper-00042", "a stranger"
    with Served(live, "--store", place, "--api-key-file", tmp_path / "keys.txt", key=KEY) as server:
        for night in (1, 2):
            sent = [
                {"user_id": known, "item_id": "tent pegs", "event_id": f"order-{night}"},
                {"user_id": known, "item_id": "tent pegs"},
                {"user_id": stranger, "item_id": "webcam", "timestamp": 1_800_000_000 + night},
                {"user_id": stranger, "item_id": "webcam", "timestamp": 1_800_000_000_000_000 + 10**6 * night},
                {"user_id": stranger, "item_id": "cool box", "timestamp": f"2027-01-15T07:59:5{night}.25Z"},
            ]
            stored = server.post("/v1/events", {"events": sent})
            assert stored["stored"] == 4, "of two that differ in the unit alone one is new"
            before = [server.get(f"/v1/users/{user}/history", limit=1000) for user in (known, stranger)]
            assert before[1]["total"] == 2 * night
            assert [one["item_id"] for one in before[1]["events"]] == expected_of_stranger(kind, night)
            new, following = tmp_path / f"new{night}.parquet", tmp_path / f"night{night}"
            assert run_cli("events", live, "--store", place, "--out", new, "--json").document()["rows"] == 4 * night
            run_cli("train", new, "--from", live, "--out", following, "--set", "epochs=1", "--json").document()
            assert len(ELCRec.load(following).log) == len(log_of(kind)) + 4 * night
            live.unlink()
            live.symlink_to(following.name)
            assert server.post("/v1/reload", None)["changed"] is True
            after = [server.get(f"/v1/users/{user}/history", limit=1000) for user in (known, stranger)]
            assert [items(one) for one in after] == [items(one) for one in before]
            assert after == before or kind == "none"
        assert after[0]["total"] == 4 + len(log_of(kind).filter(buyer=known))


def expected_of_stranger(kind: str, night: int) -> list[str]:
    """In order of time; a log without times has what it learnt first."""
    in_time = ["cool box"] * night + ["webcam"] * night
    return ["cool box", "webcam"] * night if kind == "none" else in_time


def items(history: dict[str, Any]) -> list[str]:
    return [one["item_id"] for one in history["events"]]


def test_two_kinds_of_times_do_not_share_a_store(tmp_path: Path) -> None:
    place = tmp_path / "events.sqlite"
    steps = shop_log().with_columns(timestamp=pl.int_range(pl.len()))
    ELCRec(seed=1, **SMALL).fit(shop_log(), tmp_path / "moments", progress=False)
    ELCRec(seed=1, **SMALL).fit(steps, tmp_path / "steps", progress=False)
    (tmp_path / "keys.txt").write_text(KEY)
    live = tmp_path / "live"
    live.symlink_to("moments")
    with Served(live, "--store", place, "--api-key-file", tmp_path / "keys.txt", key=KEY) as server:
        assert server.post("/v1/events", {"events": [{"user_id": "u", "item_id": "webcam"}]})["stored"] == 1
        live.unlink()
        live.symlink_to("steps")
        assert "keeps moments as times, and the log of the run has numbers" in server.post("/v1/reload", None, 409)
        assert server.get("/v1/users/u/history")["total"] == 1
    complaint = run_cli("serve", tmp_path / "steps", "--store", place, "--port", 0).complaint()
    assert "name another --store" in complaint
    complaint = run_cli("events", tmp_path / "steps", "--store", place, "--out", tmp_path / "new.csv").complaint()
    assert "name another --store" in complaint
