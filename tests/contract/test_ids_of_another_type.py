"""A text id in the world of an integer log: refused at the door, and named where it has come in already."""

from pathlib import Path

import polars as pl
import pytest

from cli_runner import SMALL, run_cli, shop_log
from elcrec import DataError, ELCRec
from elcrec.serving.store import Event, open_store
from served import Served


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose users are integers."""
    path = tmp_path_factory.mktemp("integers") / "run"
    log = shop_log().with_columns(user_id=pl.col("user_id").str.extract(r"(\d+)").cast(pl.Int64))
    ELCRec(seed=1, **{**SMALL, "epochs": 1}).fit(log, path, progress=False)
    return path


def test_the_server_refuses_it_in_a_sentence_and_stores_nothing_of_the_request(run: Path, tmp_path: Path) -> None:
    with Served(run, "--store", tmp_path / "events.sqlite") as server:
        sent = [{"user_id": 900, "item_id": "webcam"}, {"user_id": "u7", "item_id": "webcam"}]
        said = server.post("/v1/events", {"events": sent}, 422)
        assert said == (
            "user_id 'u7': the log's ids are integers of 64 bits, and this event is to be added to it: no event of the "
            "request is stored"
        )
        assert "nothing is known" in server.get("/v1/users/900/history", 404)
        assert server.post("/v1/events", {"events": sent[:1]})["stored"] == 1


def stored(place: Path, *events: Event) -> Path:
    store = open_store(str(place))
    store.write(events)
    store.close()
    return place


def test_one_that_is_stored_already_is_left_out_and_named(run: Path, tmp_path: Path) -> None:
    good, odd = Event("1", "900", "webcam", 10**18), Event("order-2", "u7", "webcam", 10**18)
    place, new = stored(tmp_path / "events.sqlite", good, odd), tmp_path / "new.parquet"
    outcome = run_cli("events", run, "--store", place, "--out", new, "--json")
    assert outcome.document() == {"out": str(new), "rows": 1, "left_out": 1}
    assert "the first is event order-2 (user_id 'u7': the log's ids are integers of 64 bits)" in outcome.err
    run_cli("train", new, "--from", run, "--out", tmp_path / "next", "--set", "epochs=1", "--json").document()
    nothing = run_cli("events", run, "--store", stored(tmp_path / "odd.sqlite", odd), "--out", new)
    assert "nothing in the store fits the log (1 event): the first is event order-2" in nothing.complaint()


def test_new_events_of_a_file_name_what_does_not_fit(run: Path) -> None:
    new = pl.DataFrame({"user_id": ["900", "u7", "007"], "item_id": "webcam"})
    new = new.with_columns(timestamp=shop_log()["timestamp"].max())
    with pytest.raises(DataError, match=r"leave out the 2 of 3 that are no integers, such as '(007|u7)'"):
        ELCRec.load(run).partial_fit(new, epochs=1, progress=False)
