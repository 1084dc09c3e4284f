"""Learning on from next to nothing: small changes, and stated."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runner import SMALL, run_cli, shop_log
from elcrec import ELCRec
from elcrec.errors import DataWarning
from elcrec.training.increment import step_share

K = 10
LONGER = {**SMALL, "epochs": 3, "epoch_steps": 10}


def timed() -> pl.DataFrame:
    return shop_log().with_columns(timestamp=pl.int_range(pl.len()).over("user_id"))


def events(*rows: tuple[str, str]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row")
    return frame.with_columns(timestamp=1000 + pl.int_range(pl.len()))


def news() -> dict[str, pl.DataFrame]:
    log = timed()
    user, [item, other, third] = log["user_id"][0], log["item_id"].unique(maintain_order=True)[:3].to_list()
    return {
        "one event": events((user, item)),
        "one new user": events(("nobody", item), ("nobody", other), ("nobody", third)),
        "only new items": events((user, "never seen"), (log["user_id"][-1], "nor this")),
    }


@pytest.fixture(scope="module", params=["default", "iclrec", "large"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / request.param
    ELCRec(request.param, seed=1, **LONGER).fit(timed(), path, progress=False)
    return path


def overlap(before: pl.DataFrame, after: pl.DataFrame, touched: list[Any]) -> float:
    """Share of their items that the lists of users without news keep."""
    kept = before.join(after, on=["user_id", "item_id"], how="semi")
    untouched = ~pl.col("user_id").is_in(touched)
    return kept.filter(untouched).height / before.filter(untouched).height


@pytest.mark.parametrize("name", news())
def test_little_news_changes_little_for_others_and_is_stated(run: Path, name: str) -> None:
    new, model = news()[name], ELCRec.load(run)
    lists, intents, users, items = model.recommend(k=K), model.user_intents(), len(model.users), len(model.items)
    model.partial_fit(new, progress=False)
    touched = new["user_id"].to_list()
    assert overlap(lists, model.recommend(k=K), touched) > 0.85
    if run.name != "iclrec":  # which finds its intents anew
        assert overlap(*(f.with_columns(item_id="intent") for f in (intents, model.user_intents())), touched) > 0.85
    stated = model.metrics["learnt_on"]
    assert stated == {
        "new_events": len(new),
        "known_events": 0,
        "new_users": len(model.users) - users,
        "new_items": len(model.items) - items,
        "step": pytest.approx(len(new) / (0.01 * len(model.log))),
    }
    assert stated["new_users"] == (name == "one new user")
    assert stated["new_items"] == 2 * (name == "only new items")


def test_no_news_changes_nothing_and_says_so(run: Path, tmp_path: Path) -> None:
    model = ELCRec.load(run)
    lists, weights, history = model.recommend(k=K), model.network.state_dict(), list(model.history)
    with pytest.warns(DataWarning, match="nothing new: all 5 events are in the log already"):
        model.partial_fit(timed().head(5), progress=False)
    assert model.recommend(k=K).equals(lists)
    assert all(bool((value == weights[name]).all()) for name, value in model.network.state_dict().items())
    assert model.history == history
    assert model.metrics["learnt_on"]["new_events"] == 0
    timed().head(5).write_csv(tmp_path / "old.csv")
    told = run_cli("train", tmp_path / "old.csv", "--from", run, "--out", tmp_path / "next")
    assert told.code == 0
    assert "nothing new" in told.err
    assert "0 new events" in told.err
    assert ELCRec.load(tmp_path / "next").recommend(k=K).equals(lists)


def test_the_command_line_says_what_was_new(run: Path, tmp_path: Path) -> None:
    pl.concat([timed().head(3), news()["one new user"]], how="vertical_relaxed").write_csv(tmp_path / "new.csv")
    told = run_cli("train", tmp_path / "new.csv", "--from", run, "--out", tmp_path / "next")
    assert "3 new events, 1 new user, 0 new items (3 events were in the log already)" in told.err


def test_the_step_is_as_large_as_the_news() -> None:
    assert step_share(0, 1000) == 0
    assert step_share(5, 1000) == 0.5
    assert step_share(10, 1000) == step_share(900, 1000) == 1
