"""Kinds of events from outside: trained on, evaluated, resumed, kept, learnt on, and found in a planted world."""

import json
import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli_runner import SMALL, SMALL_SETS, Interrupted, run_cli
from elcrec import ELCRec, Interactions
from elcrec.config import validate
from elcrec.data.by_settings import read_new
from elcrec.data.company import Company
from elcrec.errors import DataError, DataWarning, RunError
from elcrec.evaluation.baselines.popularity import popularity_recent, popularity_scores
from elcrec.evaluation.baselines.training_part import TrainingPart
from elcrec.inference.policy import RankingPolicy
from elcrec.serving.api.incoming import stored_events
from elcrec.serving.api.schemas.users import NewEvent
from elcrec.serving.events_file import events_as_log
from elcrec.serving.histories import user_history
from elcrec.serving.store import Event, UserRecord

WEIGHTS = "purchase:1,view:0.1"


def planted(n_users: int = 120, n_events: int = 5000, n_items: int = 60) -> pl.DataFrame:
    return pl.concat(Company(n_users, n_items, n_events, 4, 0.2, 1, kinds=True).events())


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kinds") / "log.parquet"
    planted().write_parquet(path)
    return path


@pytest.fixture(scope="module")
def run(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("kinds") / "run"
    found = run_cli("train", path, "--out", out, *SMALL_SETS, "--set", f"event_weights={WEIGHTS}")
    assert found.code == 0, found.err
    assert "events: view 80.9%" in found.err
    assert "predicted in validation and test: the last events of kind purchase" in found.err
    return out


def last_purchases(log: pl.DataFrame) -> dict[int, int]:
    bought = log.filter(event="purchase").group_by("user_id", maintain_order=True)
    return dict(bought.agg(pl.col("item_id").last()).iter_rows())


def test_the_last_purchase_is_what_is_evaluated(run: Path, path: Path, tmp_path: Path) -> None:
    found = run_cli("evaluate", run, "--data", path, "--ranks", tmp_path / "ranks.parquet", "--json").document()
    ranks, last = pl.read_parquet(tmp_path / "ranks.parquet"), last_purchases(pl.read_parquet(path))
    assert found["n_users"] == len(ranks) > 50
    assert all(last[user] == item for user, item in ranks.select("user_id", "item_id").iter_rows())
    assert found["ndcg@20"] == json.loads((run / "metrics.json").read_text())["test"]["ndcg@20"]


def test_a_run_keeps_kinds_and_says_so(run: Path, path: Path) -> None:
    kept = pl.read_parquet(run / "interactions.parquet")
    assert kept["event"].value_counts().sort("event").rows() == (
        pl.read_parquet(path)["event"].value_counts().sort("event").rows()
    )
    assert "- Predicted in validation and test: the last events of kind purchase." in (run / "README.md").read_text()
    model = ELCRec.load(run)
    assert model.evaluate()["ndcg@20"] == model.metrics["test"]["ndcg@20"]


def test_verbs_keep_the_kinds_that_are_named(path: Path, tmp_path: Path) -> None:
    described = run_cli("data", "describe", path, "--json").document()
    assert set(described["kinds"]) == {"view", "purchase"}
    bought = described["kinds"]["purchase"]
    assert run_cli("data", "check", path, "--events", "purchase", "--json").document()["n_events"] == bought
    assert run_cli("data", "describe", path, "--events", "purchase", "--json").document()["rows"] == bought
    out = tmp_path / "bought.parquet"
    assert run_cli("data", "prepare", path, "--out", out, "--events", "purchase", "--json").document()["rows"] == bought
    trained = run_cli("train", path, "--out", tmp_path / "run", *SMALL_SETS, "--events", "purchase")
    assert trained.code == 0, trained.err
    assert pl.read_parquet(tmp_path / "run" / "interactions.parquet").height == bought
    assert "view 80.9%" in run_cli("train", path, "--out", tmp_path / "no", "--events", "buy").complaint()


def test_new_events_are_learnt_from_with_kinds_and_without(run: Path, tmp_path: Path) -> None:
    before = ELCRec.load(run)
    user, item, late = before.users.ids[0], before.items.ids[0], before.log.frame["timestamp"].max()
    rows = pl.DataFrame({"user_id": [user, user], "item_id": [item, item], "timestamp": [late, late]})
    rows.with_columns(event=pl.Series(["view", "purchase"])).write_parquet(tmp_path / "new.parquet")
    done = run_cli("train", tmp_path / "new.parquet", "--from", run, "--out", tmp_path / "next", "--json").document()
    assert done["learnt_on"]["new_events"] == 2  # of one user, item and time, but of two kinds
    # A server's events have no kind: they are of the kind that is predicted, and this one is known already.
    sent = rows.head(1).with_columns(
        timestamp=pl.col("timestamp").dt.to_string("%Y-%m-%dT%H:%M:%S%.f"), event_id=pl.lit("e")
    )
    sent.write_csv(tmp_path / "sent.csv")
    model = ELCRec.load(tmp_path / "next")
    with pytest.warns(match="nothing new"):
        model.partial_fit(tmp_path / "sent.csv", progress=False)
    model.partial_fit(sent.with_columns(timestamp=pl.lit("2030-01-01T00:00:00")), progress=False)
    assert model.log.frame.filter(user_id=user)["event"].to_list()[-1] == "purchase"


def test_resumed_training_gives_the_same_bits_and_other_kinds_are_other_data(path: Path, tmp_path: Path) -> None:
    how = {**SMALL, "event_weights": WEIGHTS}
    whole = ELCRec(seed=3, **how).fit(path, progress=False)
    with pytest.raises(KeyboardInterrupt):
        ELCRec(seed=3, **how).fit(path, tmp_path / "run", progress=Interrupted())
    swapped = pl.read_parquet(path).with_columns(pl.col("event").replace({"view": "purchase", "purchase": "view"}))
    with pytest.raises(RunError, match="started with other data"):
        ELCRec(seed=3, **how).fit(swapped, tmp_path / "run", resume=True, progress=False)
    other = {**how, "event_weights": "purchase:1"}
    with pytest.raises(RunError, match="event_weights"):
        ELCRec(seed=3, **other).fit(path, tmp_path / "run", resume=True, progress=False)
    resumed = ELCRec(seed=3, **how).fit(path, tmp_path / "run", resume=True, progress=False)
    assert resumed.recommend(k=5).equals(whole.recommend(k=5))


def test_a_recipe_file_may_weigh(path: Path, tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text('extends = "default"\nevent_weights = {purchase = 1, view = 0.1}\n')
    assert ELCRec(tmp_path / "shop.toml").settings.target_kind == "purchase"


def test_generated_kinds_are_as_planted(tmp_path: Path) -> None:
    sizes = ("--users", 50, "--items", 40, "--interactions", 5000, "--intents", 4)
    run_cli("data", "generate", "--out", tmp_path / "log.parquet", *sizes, "--kinds", "--json").document()
    log = pl.read_parquet(tmp_path / "log.parquet")
    assert log["event"].unique().sort().to_list() == ["purchase", "view"]
    assert (log["event"] == "view").mean() == pytest.approx(0.8, abs=0.03)
    run_cli("data", "generate", "--out", tmp_path / "plain.parquet", *sizes, "--json").document()
    assert pl.read_parquet(tmp_path / "plain.parquet").columns == ["user_id", "item_id", "timestamp"]


def test_weighing_purchases_finds_what_is_planted() -> None:
    company = Company(200, 80, 8_000, 4, 0.2, 1, kinds=True)
    log = Interactions.read(pl.concat(company.events()), kinds=True)
    how = {**SMALL, "epoch_steps": 40, "epochs": 3, "exclude_seen": False}
    alike, weighed = (
        ELCRec(seed=1, **how, **kinds).fit(log, progress=False).metrics["test"]["ndcg@20"]
        for kinds in ({"target_event": "purchase"}, {"event_weights": WEIGHTS})
    )
    assert weighed > 1.2 * alike


KINDS_OF_NEW = [{"events": "purchase"}, {"target_event": "purchase"}, {"events": "purchase,view"}]


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("settings", KINDS_OF_NEW)
def test_a_server_and_training_count_an_event_alike(settings: dict[str, str], told: bool) -> None:
    """Without a kind, bought at a time at which it was viewed is a second event; bought and sent, too, is one."""
    log = planted(40, 1200)
    model = ELCRec(seed=1, **{**SMALL, "epochs": 1, "baselines": False, **settings}).fit(log, progress=False)
    rows = model.log.frame.join(model.log.frame.select("user_id").unique(maintain_order=True).head(5), on="user_id")
    sent = rows.group_by("user_id", maintain_order=True).tail(6)
    sent = sent.with_columns(event=pl.col("event") if told else pl.lit(None, pl.String))
    read = Interactions.read(sent if told else sent.drop("event"), kinds=told)
    joined = model.log.joined(read, model.settings.kind_of_new).frame
    for (user,), part in sent.group_by("user_id", maintain_order=True):
        nanoseconds = part["timestamp"].cast(pl.Datetime("ns")).to_physical().to_list()
        events = tuple(
            Event(str(place), str(user), str(item), time, kind)
            for place, (item, time, kind) in enumerate(zip(part["item_id"], nanoseconds, part["event"], strict=True))
        )
        served = user_history(model.lookup, str(user), UserRecord(False, events)).items
        own = joined.filter(user_id=user)["item_id"]
        assert sorted(model.lookup.item_ids(served)) == sorted(own.to_list())
    n_views = rows.group_by("user_id", maintain_order=True).tail(6).filter(event="view").height
    assert len(joined) - len(model.log) == (n_views if settings.get("target_event") and not told else 0)


def test_kinds_that_are_sent_are_checked_and_exported(run: Path, tmp_path: Path) -> None:
    model = ELCRec.load(run)
    user, item = model.users.ids[0], model.items.ids[0]
    sent = [NewEvent(user, item, timestamp=1_900_000_000, event=kind) for kind in ("view", " purchase ", None)]
    events = stored_events(model, sent, {})
    assert [event.event for event in events] == ["view", "purchase", None]
    assert len({event.event_id for event in events}) == 3
    with pytest.raises(DataError, match="event: no event is of the kind 'purchse'; the log has view 80"):
        stored_events(model, [NewEvent(user, item, event="purchse")], {})
    with pytest.raises(ValueError, match="event"):
        NewEvent(user, item, event=" ")
    rows = events_as_log(model, events).rows
    assert rows.columns == ["user_id", "item_id", "timestamp", "event", "event_id"]
    assert rows["event"].to_list() == ["view", "purchase", "purchase"]
    rows.write_csv(tmp_path / "new.csv")
    rows.write_parquet(tmp_path / "new.parquet")
    for name in ("new.csv", "new.parquet"):
        joined = model.log.joined(read_new(tmp_path / name, None, model.settings), model.settings.kind_of_new)
        assert len(joined) == len(model.log) + 3
        kinds = joined.frame.filter(user_id=user)["event"].to_list()[-3:]
        assert kinds == ["view", "purchase", "purchase"]
    assert "event" not in events_as_log(model, events[2:]).rows.columns


def test_kinds_that_a_model_does_not_read_are_left_out() -> None:
    model = ELCRec(seed=1, **{**SMALL, "epochs": 1, "baselines": False, "events": "purchase"})
    model.fit(planted(40, 1200), progress=False)
    user, item = str(model.users.ids[0]), str(model.items.ids[0])
    events = [Event(kind, user, item, 1_900_000_000 * 10**9, kind) for kind in ("view", "purchase")]
    n_before = len(user_history(model.lookup, user, UserRecord(False, ())).items)
    assert len(user_history(model.lookup, user, UserRecord(False, tuple(events))).items) == n_before + 1
    exported = events_as_log(model, events)
    assert (exported.rows["event"].to_list(), exported.left_out) == (["purchase"], 1)


def test_popular_is_what_is_often_of_the_kind_that_is_predicted() -> None:
    """Views lead to the front page; popular purchases are others."""
    log = planted(60, 3000)
    model = ELCRec(seed=1, **{**SMALL, "epochs": 1, "target_event": "purchase"}).fit(log, progress=False)
    bought = log.filter(event="purchase")["item_id"].value_counts()
    popular = model.lookup.most_popular(model.topn.resolve(RankingPolicy(k=60)))
    assert dict(zip(popular.items, popular.scores, strict=True)).items() >= dict(bought.iter_rows()).items()
    split, n_items = model.fitted.split, len(model.items)
    training = TrainingPart.of(model.log, split, n_items)
    own = model.log.frame.filter(pl.Series(training.learned_N)).filter(event="purchase")["item_id"].value_counts()
    by_item = dict(zip(model.items.ids, popularity_scores(split, n_items)[1:].tolist(), strict=True))
    assert {item: count for item, count in by_item.items() if count} == dict(own.iter_rows())
    recent_V = popularity_recent(training)(split.held_out("test")[1])[0]
    assert {item for item, score in zip(model.items.ids, recent_V[1:].tolist(), strict=True) if score} <= set(
        own["item_id"]
    )


READ_KINDS = [
    {"events": "purchase"},
    {"target_event": "purchase"},
    {"event_weights": WEIGHTS},
    {"event_inputs": "kind"},
]
GONE = {
    "renamed": lambda new: new.rename({"event": "kind"}),
    "dropped": lambda new: new.drop("event"),
    "empty": lambda new: new.with_columns(event=pl.lit(None, pl.String)),
}


@pytest.mark.parametrize("gone", GONE)
@pytest.mark.parametrize("settings", READ_KINDS)
def test_new_events_that_have_lost_their_kinds_are_refused(settings: dict[str, str], gone: str, tmp_path: Path) -> None:
    """In a log whose kinds are read, every view of a file without kinds would count as a purchase."""
    log = planted(40, 1200)
    model = ELCRec(seed=1, **{**SMALL, "epochs": 1, "baselines": False, **settings}).fit(log, progress=False)
    new = log.tail(50).with_columns(pl.col("timestamp") + pl.duration(days=900))
    lost = GONE[gone](new)
    lost.write_csv(tmp_path / "new.csv")
    lost.write_parquet(tmp_path / "new.parquet")
    for data in (lost, tmp_path / "new.csv", tmp_path / "new.parquet"):
        with pytest.raises(DataError, match=r"tells no kinds of events, and the log has some .*purchase") as refusal:
            model.partial_fit(data, epochs=1, progress=False)
        assert ("its column 'kind' may hold them" in str(refusal.value)) == (gone == "renamed")
    with pytest.raises(DataError, match="the table of new events tells no kinds"):
        model.partial_fit(Interactions.read(new.drop("event")), epochs=1, progress=False)


@pytest.mark.parametrize(
    ("settings", "column"),
    [
        ({"events": ["purchase"]}, "event"),
        ({"events": ["purchase"], "event_column": "event"}, "event"),
        ({"events": ["purchase", "view"]}, None),
        ({"event_weights": {"purchase": 1, "view": 0.1}}, None),
    ],
)
def test_a_file_of_one_kind_alone_is_told_to_say_so(
    settings: dict[str, Any], column: str | None, tmp_path: Path
) -> None:
    """Where one kind is read, a file of that kind has no column that could be named; with the column it is taken."""
    log = planted(40, 1200)
    model = ELCRec(seed=1, **{**SMALL, "epochs": 1, "baselines": False, **settings}).fit(log, progress=False)
    new = log.filter(event="purchase").tail(20).with_columns(pl.col("timestamp") + pl.duration(days=900))
    lost = new.drop("event")
    lost.write_csv(tmp_path / "new.csv")
    given = (lost, tmp_path / "new.csv") + (() if "event_column" in settings else (Interactions.read(lost),))
    for data in given:
        with pytest.raises(DataError, match="tells no kinds of events") as refusal:
            model.partial_fit(data, epochs=1, progress=False)
        advice = f"; where all events are of kind 'purchase', add a column {column!r} that says so in each row"
        assert str(refusal.value).endswith(advice) == (column is not None)
        assert ("where all events" in str(refusal.value)) == (column is not None)
    if column is not None:
        told = lost.with_columns(pl.lit("purchase").alias(column))
        assert model.partial_fit(told, epochs=1, progress=False).metrics["learnt_on"]["new_events"] == 20


def test_new_events_may_name_their_column_of_kinds(run: Path, path: Path, tmp_path: Path) -> None:
    """The same events give the same run, under whatever name their kinds stand."""
    log = pl.read_parquet(path)
    new = log.tail(50).with_columns(pl.col("timestamp") + pl.duration(days=900))
    new.write_csv(tmp_path / "new.csv")
    new.rename({"event": "kind"}).write_csv(tmp_path / "renamed.csv")
    into = ("--from", run, "--epochs", 1, "--json", "--out")
    said = run_cli("train", tmp_path / "renamed.csv", *into, tmp_path / "no").complaint()
    assert said.endswith("name it with --set event_column=kind")
    assert not (tmp_path / "no").exists()
    run_cli("train", tmp_path / "new.csv", *into, tmp_path / "a").document()
    run_cli("train", tmp_path / "renamed.csv", *into, tmp_path / "b", "--set", "event_column=kind").document()
    kept = [pl.read_parquet(tmp_path / name / "interactions.parquet") for name in "ab"]
    assert kept[0].equals(kept[1])
    assert ELCRec.load(tmp_path / "b").settings.event_column is None
    for other in ("seed=3", "events=purchase", "n_intents=4"):
        said = run_cli("train", tmp_path / "new.csv", *into, tmp_path / "c", "--set", other).complaint()
        assert "--from keeps all settings of the run but epochs, and how the new events are read" in said


def test_held_out_events_that_follow_their_own_view_are_warned_of() -> None:
    rows = []
    for user in range(40):
        for at in range(5):
            item = (7 * user + 3 * at * at) % 23
            rows += [(user, item, 2 * at, "view"), (user, item, 2 * at + 1, "purchase")]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp", "event"], orient="row")
    quick = {**SMALL, "epochs": 1, "epoch_steps": 2, "baselines": False}
    weighed = ELCRec(**quick, event_weights={"purchase": 1, "view": 0.1})
    with pytest.warns(DataWarning, match=r"100% of the held-out events follow an event of another kind .* events="):
        weighed.fit(frame, progress=False)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        ELCRec(**quick, events=["purchase"]).fit(frame, progress=False)
        ELCRec(**quick, event_weights={"purchase": 1, "view": 0.1}, exclude_seen=True).fit(frame, progress=False)
    assert not any("follow an event of another kind" in str(one.message) for one in said)


@pytest.mark.parametrize("way", ["file", "frame", "Interactions"])
def test_new_events_that_lost_their_weights_are_warned_of(way: str, tmp_path: Path) -> None:
    rows = [(f"u{user}", f"i{(user * at) % 11}", 10 * at, 1 + at % 5) for user in range(30) for at in range(6)]
    log = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp", "stars"], orient="row")
    settings = validate({"weight_column": "stars"})
    new = log.drop("stars").tail(3)
    new.write_csv(tmp_path / "new.csv")
    given = {"file": tmp_path / "new.csv", "frame": new, "Interactions": Interactions.read(new)}[way]
    with pytest.warns(DataWarning, match=r"no column 'stars' \(weight_column\): each counts as 1"):
        read_new(given, None, settings)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "weight" in read_new(log, None, settings).frame.columns


@pytest.mark.parametrize("given", [(), ("--set", "timestamp_column=t")])
def test_missing_weights_are_told_once(given: tuple[str, ...], tmp_path: Path) -> None:
    """However often the events pass through a reader on their way, and they weigh the same."""
    rows = [(f"u{user}", f"i{(user * at) % 11}", 10 * at, 1 + at % 5) for user in range(30) for at in range(6)]
    log = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp", "stars"], orient="row")
    settings = {**SMALL, "epochs": 1, "baselines": False, "weight_column": "stars"}
    ELCRec(**settings).fit(log, progress=False).save(tmp_path / "run")
    new = log.drop("stars").tail(3).with_columns(pl.col("timestamp") + 1000)
    (new.rename({"timestamp": "t"}) if given else new).write_csv(tmp_path / "new.csv")
    into = ("--from", tmp_path / "run", "--epochs", 1, "--out", tmp_path / "next", *given)
    outcome = run_cli("train", tmp_path / "new.csv", *into)
    assert outcome.code == 0
    assert outcome.err.count("no column 'stars'") == 1
    kept = pl.read_parquet(tmp_path / "next" / "interactions.parquet").filter(pl.col("timestamp") >= 1000)
    assert kept["weight"].to_list() == [None] * 3
