"""Learning on from new events: what stays, what comes in, what is refused."""

import copy
import json
from collections import Counter
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from cli_runner import SMALL, SMALL_SETS, run_cli, shop_log
from elcrec import DataError, ELCRec, Interactions, RunError, SettingsError
from elcrec.data.splits import Split, make_split
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataWarning
from elcrec.model.network import ELCRecNetwork
from elcrec.serving.store import Event, open_store
from elcrec.training.loop import validate
from elcrec.training.report import SilentReporter
from elcrec.training.warm_start import extend_vocabulary

NEW_ITEMS = ["a new thing", "another new thing"]


def timed() -> pl.DataFrame:
    return shop_log().select("user_id", "item_id").with_row_index("timestamp")


def parts() -> tuple[pl.DataFrame, pl.DataFrame]:
    """The log without everybody's last two events and one user's all; and those, with items nobody has seen."""
    log = timed()
    last = pl.int_range(pl.len()).over("user_id") >= pl.len().over("user_id") - 2
    new_user = pl.col("user_id") == log["user_id"][0]
    newer = log.filter(last | new_user)
    # Some take a new item before these.
    bought = newer.filter(~new_user).group_by("user_id", maintain_order=True).first().head(60)
    bought = bought.with_columns(item_id=pl.Series([NEW_ITEMS[at % 2] for at in range(60)])).select(log.columns)
    newer = newer.with_columns(timestamp=2 * pl.col("timestamp"))
    bought = bought.with_columns(timestamp=2 * pl.col("timestamp") - 1)
    return log.filter(~(last | new_user)), pl.concat([newer, bought])


@pytest.fixture(scope="module")
def before() -> ELCRec:
    return ELCRec(seed=1, **SMALL).fit(parts()[0], progress=False)


@pytest.fixture(scope="module")
def after() -> ELCRec:
    model = ELCRec(seed=1, **SMALL).fit(parts()[0], progress=False)
    model.rename_intents({2: "Rain"})
    return model.partial_fit(parts()[1], epochs=2, progress=False)


def test_new_users_items_and_events_are_in_and_names_stay(before: ELCRec, after: ELCRec, tmp_path: Path) -> None:
    old, new = parts()
    assert len(after.log) == len(old) + len(new)
    assert set(after.items.ids) == set(before.items.ids) | set(NEW_ITEMS)
    stranger = timed()["user_id"][0]
    assert stranger not in set(before.users.ids)
    assert after.recommend([stranger], k=5).height == 5
    assert after.recommend_from_history([NEW_ITEMS[:1]], k=3).height == 3
    assert len(after.history) == len(before.history) + 2
    assert after.metrics["epochs"] == len(after.history)
    assert after.metrics["n_items"] == len(before.items) + 2
    assert after.given_names == {2: "Rain"}
    assert after.settings == before.settings
    after.save(tmp_path / "run")
    loaded = ELCRec.load(tmp_path / "run")
    assert loaded.recommend(k=3).equals(after.recommend(k=3))
    assert loaded.metrics == after.metrics


def test_the_same_events_and_seed_give_the_same_model(after: ELCRec) -> None:
    again = ELCRec(seed=1, **SMALL).fit(parts()[0], progress=False).partial_fit(parts()[1], epochs=2, progress=False)
    assert again.recommend(k=3).equals(after.recommend(k=3))


def larger(model: ELCRec, log: Interactions) -> tuple[ELCRecNetwork, Split]:
    """The network that learning on starts with."""
    items = Vocabulary.of(log.frame["item_id"], first=1, kind="item")
    split = make_split(log, items, "leave_one_out", 0.1)
    before_V = torch.from_numpy(model.items.indices(items.ids, unknown="skip"))
    return extend_vocabulary(model.network, model.settings, before_V, split), split


def test_validation_is_never_worse_than_at_the_start(before: ELCRec, after: ELCRec) -> None:
    log = before.log.joined(Interactions.read(parts()[1]))
    network, split = larger(before, log)
    start = validate(network, split, before.settings)["ndcg@20"]
    new = [record["valid"]["ndcg@20"] for record in after.history[len(before.history) :]]
    assert after.metrics["valid"]["ndcg@20"] == pytest.approx(max([start, *new]))


def beside(model: ELCRec, log: Interactions, new: str) -> torch.Tensor:
    """The sum of the vectors of the items that stand beside a new one in what is learnt from, by a loop."""
    vectors = dict(zip(model.items.ids, model.network.items_VD.detach(), strict=True))
    pairs: Counter[tuple[str, str]] = Counter()
    for history in log.frame.group_by("user_id").agg("item_id")["item_id"]:
        learnt = history.to_list()[:-2]
        for one, other in pairwise(learnt):
            pairs[one, other] += 1
            pairs[other, one] += 1
    of = Counter()
    for (one, _), number in pairs.items():
        of[one] += number
    near = {other: number for (one, other), number in pairs.items() if one == new and other in vectors}
    return sum(number / (of[new] * of[other]) ** 0.5 * vectors[other] for other, number in near.items())


def test_known_items_keep_their_vectors_and_new_ones_are_their_neighbours(before: ELCRec) -> None:
    log = before.log.joined(Interactions.read(parts()[1]))
    network, _ = larger(before, log)
    items = Vocabulary.of(log.frame["item_id"], first=1, kind="item")
    for index, item in enumerate(items.ids):
        row = network.items_VD[index]
        if item in NEW_ITEMS:
            assert torch.allclose(row, beside(before, log, item), atol=1e-6)
        else:
            [old] = before.items.indices([item])
            assert torch.equal(row, before.network.items_VD[old - 1])
    assert torch.equal(network.centers.weight, before.network.centers.weight)


def test_events_that_are_in_the_log_already_count_once(before: ELCRec) -> None:
    assert len(before.log.joined(before.log)) == len(before.log)
    untimed = Interactions.read(shop_log().select("user_id", "item_id"))
    assert len(untimed.joined(untimed)) == 2 * len(untimed)


def test_where_no_epoch_is_better_everything_stays(before: ELCRec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elcrec.training.increment.validate", lambda *_: {"ndcg@20": 2.0})
    event = before.log.frame.tail(1).with_columns(pl.col("timestamp") + 1)
    after = copy.deepcopy(before).partial_fit(event, epochs=1, progress=False)
    assert after.metrics["best_epoch"] == before.metrics["best_epoch"]
    for name, value in before.network.state_dict().items():
        assert torch.equal(after.network.state_dict()[name], value), name


def test_new_ids_that_lost_their_zeros_are_warned_of() -> None:
    log = timed().with_columns(item_id="00" + pl.col("item_id").rank("dense").cast(pl.String))
    model = ELCRec(seed=1, **{**SMALL, "epochs": 1, "baselines": False}).fit(log, progress=False)
    newer = log.tail(3).with_columns(pl.col("timestamp") + 10**6, pl.col("item_id").str.strip_chars_start("0"))
    with pytest.warns(DataWarning, match=r"new items? may be known, but for zeros in front or capitals"):
        model.partial_fit(newer.with_columns(pl.col("item_id").cast(pl.Int64)), epochs=1, progress=False)


def test_types_that_differ_in_their_width_alone_are_one() -> None:
    log = pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "timestamp": [1, 2]})
    narrow = Interactions.read(log.cast({"user_id": pl.Int32, "timestamp": pl.UInt16}))
    assert narrow.joined(Interactions.read(log.with_columns(pl.col("timestamp") + 1))).frame.rows() == [
        (1, 1, 1),
        (1, 2, 2),
        (1, 1, 2),
        (1, 2, 3),
    ]
    days = [datetime(2024, 1, 1), datetime(2024, 1, 2)]
    stamped = log.with_columns(timestamp=pl.Series(days, dtype=pl.Datetime("ms")))
    finer = stamped.with_columns(pl.col("timestamp").cast(pl.Datetime("us")))
    assert len(Interactions.read(stamped).joined(Interactions.read(finer))) == 2
    zoned = stamped.with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))
    with pytest.raises(DataError, match="do not fit"):
        Interactions.read(stamped).joined(Interactions.read(zoned))


def test_numbers_are_taken_for_text_where_the_log_has_text() -> None:
    log = Interactions.read(pl.DataFrame({"user_id": ["a"], "item_id": ["85123A"]}))
    newer = Interactions.read(pl.DataFrame({"user_id": ["a"], "item_id": [22423]}))
    assert log.joined(newer).frame.rows() == [("a", "85123A"), ("a", "22423")]


def test_what_is_known_about_items_grows() -> None:
    old, new = parts()
    described = old.select("item_id", title=pl.col("item_id") + " of old").unique()
    model = ELCRec(seed=1, **SMALL).fit(old, progress=False, items=described)
    fresh = pl.DataFrame({"item_id": NEW_ITEMS, "title": ["New", "Another"]})
    model.partial_fit(new, epochs=1, progress=False, items=fresh)
    titles = model.catalogue.titles()
    assert titles[NEW_ITEMS[0]] == "New"
    assert titles["webcam"] == "webcam of old"


def test_learning_on_again_and_again_does_not_slow_down() -> None:
    model = ELCRec(seed=1, **SMALL).fit(parts()[0], progress=False)
    rates: list[tuple[int, int]] = []

    class Watching(SilentReporter):
        def begin(self, settings: Any, n_steps: int, progress: Any) -> None:
            rates.append((len(progress.history), settings.epochs))

    for number in range(3):
        model.partial_fit(parts()[1].gather_every(3, number), epochs=1, progress=Watching())
    assert set(rates) == {(0, 1)}
    assert [record["epoch"] for record in model.history] == list(range(1, SMALL["epochs"] + 4))
    assert model.metrics["epochs"] == SMALL["epochs"] + 3


def test_names_follow_their_intents_where_k_means_finds_them_anew() -> None:
    model = ELCRec("iclrec", seed=1, **SMALL).fit(parts()[0], progress=False)
    model.rename_intents({2: "Rain"})
    before = copy.copy(model)
    model.partial_fit(parts()[1], epochs=1, progress=False)
    matched = dict(model.match_intents(before).select("other_intent", "intent").iter_rows())
    assert set(model.given_names.items()) <= {(matched[2], "Rain")}


def test_newer_events_follow_where_nobody_knows_times() -> None:
    log = Interactions.read(pl.DataFrame({"user_id": ["b", "a"], "item_id": ["x", "y"]}))
    newer = Interactions.read(pl.DataFrame({"user_id": ["a", "c"], "item_id": ["z", "x"]}))
    assert log.joined(newer).frame.rows() == [("a", "y"), ("a", "z"), ("b", "x"), ("c", "x")]


def test_a_model_that_is_broken_off_is_what_it_was(before: ELCRec) -> None:
    class Broken(SilentReporter):
        def step(self, *_: Any) -> None:
            raise KeyboardInterrupt

    expected, history = before.recommend(k=3), list(before.history)
    with pytest.raises(KeyboardInterrupt):
        before.partial_fit(parts()[1], progress=Broken())
    assert before.recommend(k=3).equals(expected)
    assert before.history == history


def test_what_does_not_fit_is_refused(before: ELCRec) -> None:
    new = parts()[1]
    with pytest.raises(RunError, match="call fit"):
        ELCRec().partial_fit(new)
    with pytest.raises(SettingsError, match="epochs=0"):
        before.partial_fit(new, epochs=0)
    with pytest.raises(DataError, match="both or neither"):
        before.partial_fit(new.drop("timestamp"))
    with pytest.raises(DataError, match=r"it tells time in .*: write their times in "):
        before.partial_fit(new.with_columns(timestamp=pl.lit(datetime(2024, 1, 1))))
    with pytest.raises(DataError):
        before.partial_fit(new, items=pl.DataFrame({"item_id": ["nothing of ours"], "title": ["?"]}))


def test_the_released_semantics_grow_too() -> None:
    model = ELCRec("paper", seed=1, **SMALL).fit(parts()[0], progress=False)
    centers = model.network.centers.weight.detach().clone()
    model.partial_fit(parts()[1], epochs=1, progress=False)
    assert model.network.encoder.item_embedding.num_embeddings == len(model.items) + 2
    moved = torch.cosine_similarity(centers, model.network.centers.weight.detach(), dim=1)
    assert moved.min() > 0.9, "the centres were not found anew"


def test_the_command_line_learns_on(before: ELCRec, after: ELCRec, tmp_path: Path) -> None:
    before.save(tmp_path / "old")
    parts()[1].write_csv(tmp_path / "new.csv")
    command = ["train", tmp_path / "new.csv", "--from", tmp_path / "old", "--out", tmp_path / "new"]
    trained = run_cli(*command, "--set", "epochs=2", "--json").document()
    assert trained["n_items"] == len(after.items)
    assert ELCRec.load(tmp_path / "new").recommend(k=3).equals(after.recommend(k=3))
    assert ELCRec.load(tmp_path / "old").recommend(k=3).equals(before.recommend(k=3))
    assert "holds a run" in run_cli(*command).complaint()
    said = run_cli(*command, "--overwrite", "--recipe", "paper", "--set", "dropout=0.1", "--seed", 3).complaint()
    assert "leave out --recipe, dropout=0.1, seed=3" in said


@pytest.mark.parametrize("kind", ["datetime", "zoned", "number", "none"])
def test_what_a_server_keeps_is_learnt_from(tmp_path: Path, kind: str) -> None:
    seconds = pl.col("timestamp").cast(pl.Int64)
    moments = pl.from_epoch(seconds).cast(pl.Datetime("ms"))
    times = {"datetime": moments, "zoned": moments.dt.replace_time_zone("UTC"), "number": seconds, "none": seconds}
    log = timed().with_columns(timestamp=times[kind])
    ELCRec(seed=1, **SMALL).fit(log.drop("timestamp") if kind == "none" else log, tmp_path / "run", progress=False)
    place = tmp_path / "run.events.sqlite"
    assert (
        "there is no event store at"
        in run_cli("events", tmp_path / "run", "--out", tmp_path / "new.parquet").complaint()
    )
    store = open_store(str(place))
    store.write([Event("1", "a new user", "webcam", 1e6), Event("2", "a new user", NEW_ITEMS[0], 1e6 + 0.5)])
    store.close()
    for name in ("new.parquet", "new.csv"):
        written = run_cli("events", tmp_path / "run", "--out", tmp_path / name, "--json").document()
        assert written == {"out": str(tmp_path / name), "rows": 2}
    command = ["train", tmp_path / "new.parquet", "--from", tmp_path / "run", "--out", tmp_path / "next"]
    assert run_cli(*command, "--set", "epochs=1", "--json").document()["n_items"] == log["item_id"].n_unique() + 1
    assert len(ELCRec.load(tmp_path / "next").log) == len(log) + 2


# ---------------------------------------------------------------------- filters, ids and times of what is kept


# Of so few users the comparison with baselines tries each of the 4,096 possible signs of their differences.
FEW_USERS = {**SMALL, "baselines": False}


def nights() -> list[pl.DataFrame]:
    """Twelve users with a few events a night; one of them with a single one."""
    rows = [
        (f"u{user}", f"i{(user + 3 * night + step) % 7}", 100 * night + step)
        for night in range(4)
        for user in range(12)
        for step in range(5)
        if user > 0 or step == 0
    ]
    log = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    return [log.filter(pl.col("timestamp") // 100 == night) for night in range(4)]


@pytest.mark.parametrize("rare", [{"min_user_count": 3}, {"min_item_count": 8}, {"k_core": 3}])
def test_who_is_slow_is_learnt_from_in_the_end(rare: dict[str, int], tmp_path: Path) -> None:
    first, *later = nights()
    model = ELCRec(seed=1, **FEW_USERS, **rare).fit(first, tmp_path / "0", progress=False)
    whole = first
    for number, new in enumerate(later):
        model = ELCRec.load(tmp_path / f"{number}").partial_fit(new, epochs=1, progress=False)
        model.save(tmp_path / f"{number + 1}")
        whole = pl.concat([whole, new])
        at_once = Interactions.read(whole).filtered(**rare)
        assert model.log.frame.equals(at_once.frame), "the same events as if they had come at once"
        assert model.metrics["n_users"] <= at_once.frame["user_id"].n_unique()
        loaded = ELCRec.load(tmp_path / f"{number + 1}")
        assert loaded.log.frame.equals(at_once.frame)
        assert loaded.recommend(k=3).equals(model.recommend(k=3))
    assert pl.read_parquet(tmp_path / "3" / "interactions.parquet").height == len(whole)
    assert "u0" in set(model.users.ids)
    assert "u0" not in set(ELCRec.load(tmp_path / "0").users.ids) or "min_item_count" in rare
    resumed = ELCRec(seed=1, **FEW_USERS, **rare).fit(first, tmp_path / "0", progress=False, resume=True)
    assert resumed.log.frame.equals(Interactions.read(first).filtered(**rare).frame)


def test_a_run_that_kept_only_what_it_learnt_from_is_not_filtered_again(tmp_path: Path) -> None:
    # Items first, once: without the slow user "odd" is rare, too, and a second time would take it.
    odd = pl.DataFrame({"user_id": ["u0"] * 3 + ["u1"] * 2, "item_id": "odd", "timestamp": range(1000, 1005)})
    log, rare = pl.concat([*nights(), odd]), {"min_item_count": 5, "min_user_count": 8}
    model = ELCRec(seed=1, **FEW_USERS, **rare).fit(log, tmp_path / "run", progress=False)
    assert len(model.log.filtered(**rare)) < len(model.log)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config.pop("log") == "whole"
    assert config.pop("manifest")  # as elcrec 0.1 wrote it
    (tmp_path / "run" / "manifest.json").unlink()
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    model.log.frame.write_parquet(tmp_path / "run" / "interactions.parquet")
    assert ELCRec.load(tmp_path / "run").log.frame.equals(model.log.frame)


def kept_in(path: Path, *events: Event) -> str:
    store = open_store(str(path))
    store.write(events)
    store.close()
    return str(path)


def test_what_the_log_cannot_hold_is_left_out_and_told(tmp_path: Path) -> None:
    log = timed().with_columns(user_id=pl.col("user_id").str.extract(r"(\d+)").cast(pl.Int64))
    ELCRec(seed=1, **SMALL).fit(log, tmp_path / "run", progress=False)
    odd = [Event("2", "anon", "webcam", 5), Event("3", "007", "webcam", 5), Event("4", "1", "webcam", 1.7e9 + 0.5)]
    kept_in(tmp_path / "run.events.sqlite", Event("1", "900", "webcam", 5000), *odd)
    outcome = run_cli("events", tmp_path / "run", "--out", tmp_path / "new.parquet", "--json")
    assert outcome.document() == {"out": str(tmp_path / "new.parquet"), "rows": 1, "left_out": 3}
    assert "3 events were left out" in outcome.err
    new = pl.read_parquet(tmp_path / "new.parquet")
    assert new.rows() == [(900, "webcam", 5000, "1")]
    assert new.schema["user_id"] == pl.Int64


def test_nanoseconds_are_not_cut(tmp_path: Path) -> None:
    moments = pl.from_epoch(1_700_000_000 + pl.col("timestamp").cast(pl.Int64)).cast(pl.Datetime("ns"))
    ELCRec(seed=1, **SMALL).fit(timed().with_columns(timestamp=moments), tmp_path / "run", progress=False)
    when = 1_700_000_000_123_456_789
    kept_in(tmp_path / "run.events.sqlite", Event("1", "new", "webcam", when))
    assert (
        "text cannot hold the nanoseconds"
        in run_cli("events", tmp_path / "run", "--out", tmp_path / "new.csv").complaint()
    )
    run_cli("events", tmp_path / "run", "--out", tmp_path / "new.parquet", "--json").document()
    assert pl.read_parquet(tmp_path / "new.parquet")["timestamp"].to_physical().to_list() == [when]


def test_what_is_said_about_the_file_of_a_log_is_not_said_about_its_events(tmp_path: Path) -> None:
    days = pl.date(2024, 1, 1) + pl.duration(days=pl.col("timestamp").cast(pl.Int64) // 20)
    log = timed().select("item_id", "user_id", days.dt.strftime("%d/%m/%Y").alias("when"))
    log.write_csv(tmp_path / "log.csv", include_header=False)
    layout = ("--columns", "item_id,user_id,timestamp", "--set", "time_format=%d/%m/%Y")
    run_cli("train", tmp_path / "log.csv", "--out", tmp_path / "run", *SMALL_SETS, *layout, "--json").document()
    kept_in(tmp_path / "run.events.sqlite", Event("1", "new", "webcam", 1_800_000_000 * 10**9))
    whole = []
    for name in ("new.parquet", "new.csv"):
        run_cli("events", tmp_path / "run", "--out", tmp_path / name, "--json").document()
        whole.append(ELCRec.load(tmp_path / "run").partial_fit(tmp_path / name, epochs=1, progress=False).log.frame)
    both = [tmp_path / "new.parquet", tmp_path / "new.csv"]
    whole.append(ELCRec.load(tmp_path / "run").partial_fit(both, epochs=1, progress=False).log.frame)
    assert whole[0].equals(whole[1])
    assert whole[0].equals(whole[2]), "told twice"
    assert whole[0].height == len(log) + 1
    assert whole[0].filter(user_id="new").select(
        "item_id", pl.col("timestamp").cast(pl.String).str.head(10)
    ).rows() == [("webcam", "2027-01-15")]
