"""What is known of events as an input: learned where it decides, and the same in every way to a recommendation."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from cli_runner import QUICK, SMALL_SETS, Interrupted, run_cli, untrained
from elcrec import ELCRec, Interactions
from elcrec.data.batches import lay_out
from elcrec.data.dataset import Dataset
from elcrec.data.event_codes import N_GAPS, kinds_in
from elcrec.errors import DataError, DataWarning, RunError, SettingsError
from elcrec.inference.policy import RankingPolicy
from elcrec.intents.attribution import leave_one_out
from elcrec.serving.api.users import intent_mix
from elcrec.serving.histories import ranked_history, user_history
from elcrec.serving.snapshot import Snapshot, stamp_of
from elcrec.serving.store import Event, UserRecord
from elcrec.training.steps import StepSource

N_ITEMS = 12
HOW: dict[str, Any] = {**QUICK, "baselines": False, "exclude_seen": False, "repeats": "none"}


def deciding_kinds(n_users: int = 200, length: int = 14, seed: int = 1) -> pl.DataFrame:
    """After a view of an item comes the next one, after a purchase the one five places on."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        item, when = int(random.integers(N_ITEMS)), 1_700_000_000
        for _ in range(length):
            kind = "view" if random.random() < 0.5 else "purchase"
            rows.append((f"u{user:03}", f"i{item:02}", when, kind))
            item = (item + (1 if kind == "view" else 5)) % N_ITEMS
            when += int(random.choice([0, 30, 600, 40_000, 200_000, 1_000_000, 5_000_000]))
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp", "event"], orient="row")


@pytest.fixture(scope="module")
def log() -> pl.DataFrame:
    return deciding_kinds()


@pytest.fixture(scope="module")
def model(log: pl.DataFrame) -> ELCRec:
    read = Interactions.read(log, kinds=True)
    return ELCRec(seed=1, event_inputs="both", target_event="purchase", **HOW).fit(read, progress=False)


def test_kinds_that_decide_what_comes_next_are_learned_only_as_an_input(log: pl.DataFrame) -> None:
    read = Interactions.read(log, kinds=True)
    how = {**HOW, "epochs": 2, "epoch_steps": 40, "batch_size": 64, "embedding_dim": 32, "dropout": 0.1, "ties": "file"}
    how = {**how, "horizon": 1, "learning_rate": 5e-3}
    without, with_kinds = (
        ELCRec(seed=1, **how, event_inputs=inputs).fit(read, progress=False).metrics["valid"]["hit_rate@1"]
        for inputs in ("none", "kind")
    )
    assert without < 0.6
    assert with_kinds > 0.9


def test_nothing_is_added_where_nothing_is_read(log: pl.DataFrame) -> None:
    plain = untrained(Interactions.read(log, kinds=True))
    assert plain.fitted.split.event_N is None
    assert not [name for name in plain.network.state_dict() if "events" in name]


@pytest.mark.filterwarnings("ignore::elcrec.errors.AccuracyWarning")
def test_a_log_without_what_is_read_is_refused(log: pl.DataFrame, tmp_path: Path) -> None:
    log.drop("event").write_csv(tmp_path / "plain.csv")
    log.with_columns(event=pl.lit("view")).write_csv(tmp_path / "one.csv")
    log.with_columns(timestamp=pl.int_range(pl.len())).write_csv(tmp_path / "steps.csv")
    for name, inputs, complaint in (
        ("plain", "kind", "tells no kinds of events"),
        ("one", "both", "the log has one"),
        ("steps", "gap", "no times that are moments"),
    ):
        done = run_cli("train", tmp_path / f"{name}.csv", "--out", tmp_path / name, "--set", f"event_inputs={inputs}")
        assert complaint in done.complaint()
    with pytest.raises(DataError, match="kinds=True"):
        ELCRec(event_inputs="kind", **QUICK).fit(Interactions.read(log.drop("event")), progress=False)
    with pytest.raises(SettingsError, match="input_kinds needs event_inputs"):
        ELCRec(input_kinds="view")


# ---------------------------------------------------------------------- every way to a recommendation


def served(model: ELCRec, user: str, *events: Event) -> list[str]:
    """What a server recommends to a user."""
    history = ranked_history(model.lookup, user, UserRecord(False, events))
    [found] = model.lookup.recommend(
        [history.items], model.topn.resolve(RankingPolicy(k=N_ITEMS)), [history.baskets], [history.codes]
    )
    return found.items


def test_python_command_line_and_server_give_the_same_lists(model: ELCRec, tmp_path: Path) -> None:
    model.save(tmp_path / "run")
    users = model.users.ids.to_list()[:6]
    listed = model.recommend(users, k=N_ITEMS)
    assert ELCRec.load(tmp_path / "run").recommend(users, k=N_ITEMS).equals(listed)
    for user in users:
        own = listed.filter(user_id=user)["item_id"].to_list()
        rows = run_cli("recommend", tmp_path / "run", "--user", user, "-k", N_ITEMS, "--json").document()
        assert [row["item_id"] for row in rows] == own
        assert served(model, user) == own
    assert model.evaluate()["ndcg@20"] == model.metrics["test"]["ndcg@20"]


@pytest.mark.parametrize("kind", [None, "view", "purchase"])
def test_an_event_that_a_server_stored_is_read_as_in_a_joined_log(model: ELCRec, kind: str | None) -> None:
    """Where it stands between two events of the log, the gap after it changes, too."""
    own = model.log.frame.filter(user_id="u003")
    for when in (int(own["timestamp"][4]) + 10, int(own["timestamp"][-1]) + 5000):
        new = pl.DataFrame({"user_id": ["u003"], "item_id": ["i07"], "timestamp": [when]})
        if kind is not None:
            new = new.with_columns(event=pl.lit(kind))
        grown = model.log.joined(Interactions.read(new, kinds=kind is not None), model.settings.kind_of_new)
        dataset = Dataset.of(grown, model.settings, model.fitted.device, items=model.items)
        joined = ELCRec.from_fitted(replace(model.fitted, dataset=dataset))
        event = Event("e", "u003", "i07", when * 10**9, kind)
        history = ranked_history(model.lookup, "u003", UserRecord(False, (event,)))
        place = dataset.users.find("u003")
        at = slice(int(dataset.split.start_U[place]), int(dataset.split.end_U[place]))
        assert dataset.split.event_N is not None
        assert history.codes is not None
        assert history.codes.tolist() == dataset.split.event_N[at].tolist()
        assert served(model, "u003", event) == joined.recommend(["u003"], k=N_ITEMS)["item_id"].to_list()


def test_a_user_who_was_deleted_or_is_new_has_what_is_stored(model: ELCRec) -> None:
    events = (Event("a", "u001", "i01", 10**18), Event("b", "u001", "i02", 10**18 + 30 * 10**9))
    purchase = (1 + model.settings.input_kinds.index("purchase")) * N_GAPS
    for user, forgotten in (("u001", True), ("nobody", False)):
        history = ranked_history(model.lookup, user, UserRecord(forgotten, events))
        assert history.codes is not None
        assert history.codes.tolist() == [purchase, purchase + 2]
    assert len(ranked_history(model.lookup, "u001", UserRecord(True, ())).items) == 0


def test_histories_without_kinds_and_times_are_unknown_in_every_way(model: ELCRec, tmp_path: Path) -> None:
    history = ["i03", "i04", "i09"]
    listed = model.recommend_from_history([history], k=N_ITEMS)["item_id"].to_list()
    [found] = model.lookup.recommend([model.topn.items_known(history)], model.topn.resolve(RankingPolicy(k=N_ITEMS)))
    assert found.items == listed
    model.save(tmp_path / "run")
    rows = run_cli("recommend", tmp_path / "run", "--history", ",".join(history), "-k", N_ITEMS, "--json").document()
    assert [row["item_id"] for row in rows] == listed
    nothing = np.zeros(3, dtype=np.int64)
    [found] = model.lookup.recommend(
        [model.topn.items_known(history)], model.topn.resolve(RankingPolicy(k=N_ITEMS)), None, [nothing]
    )
    assert found.items == listed


def test_a_server_knows_the_intents_of_a_user(model: ELCRec, tmp_path: Path) -> None:
    model.save(tmp_path / "run")
    snapshot = Snapshot(model, tmp_path / "run", stamp_of(tmp_path / "run"), False)
    for user in ("u001", "u002"):
        mix = intent_mix(snapshot, user, user_history(model.lookup, user, UserRecord(False, ())), 50)
        own = model.user_intents([user], top=len(mix.intents))
        assert [intent.intent for intent in mix.intents] == own["intent"].to_list()
        assert [intent.weight for intent in mix.intents] == pytest.approx(own["weight"].to_list())
        timeline = model.intent_timeline(user)
        assert [event.intent for event in mix.timeline] == timeline["intent"].to_list()
        assert [event.pull for event in mix.timeline] == pytest.approx(timeline["pull"].to_list(), abs=1e-6)


def test_an_item_that_is_left_out_leaves_what_is_known_of_the_others(model: ELCRec) -> None:
    network, histories = model.network, model.fitted.dataset.of_users(["u004"])
    item_QW, length_Q = histories.items(network.max_seq_len)
    event_QW = histories.events_of_items(network.max_seq_len)
    assert event_QW is not None
    center_D = torch.nn.functional.normalize(network.centers.weight.detach()[2], dim=0)

    def cosine(keep_W: torch.Tensor) -> float:
        parts = item_QW[:, keep_W], torch.tensor([int(keep_W.sum())])
        tokens = lay_out(*parts, network.max_seq_len, network.padding, event_BW=event_QW[:, keep_W])
        return float(torch.nn.functional.normalize(network.encode_behaviour(tokens), dim=1)[0] @ center_D)

    _, pull_QWM = leave_one_out(network, histories, torch.tensor([[2]]))
    whole = cosine(torch.ones(int(length_Q[0]), dtype=torch.bool))
    expected = [whole - cosine(item_QW[0] != item) for item in item_QW[0]]
    assert pull_QWM[0, :, 0].tolist() == pytest.approx(expected, abs=1e-5)


# ---------------------------------------------------------------------- training


def test_codes_go_with_their_items_into_rows_and_views_and_some_rows_have_none(model: ELCRec) -> None:
    settings = model.settings.model_copy(update={"instance_weight": 0.1, "ties": "shuffle"})
    split = replace(model.fitted.split, newest_N=None)
    # A code that follows from the item shows whether both moved alike.
    split = replace(split, event_N=(split.item_N * 3) % (3 * N_GAPS))
    source = StepSource(split, settings, N_ITEMS)
    n_unknown = n_rows = 0
    for step in source.epoch(torch.Generator().manual_seed(1)):
        tokens = step.tokens
        assert tokens.event_T is not None
        known_R = torch.zeros(len(tokens.length_B), dtype=torch.bool)
        known_R[tokens.sequence_T[tokens.event_T > 0]] = True
        own_T = torch.where(tokens.real_T & known_R[tokens.sequence_T], (tokens.item_T * 3) % (3 * N_GAPS), 0)
        assert tokens.event_T.equal(own_T)
        n_unknown += int((~known_R[: step.n_sequences]).sum())
        n_rows += step.n_sequences
    assert 0.05 < n_unknown / n_rows < 0.15


def test_resumed_training_gives_the_same_bits(log: pl.DataFrame, model: ELCRec, tmp_path: Path) -> None:
    log.write_parquet(tmp_path / "log.parquet")
    how = {**HOW, "event_inputs": "both", "target_event": "purchase"}
    with pytest.raises(KeyboardInterrupt):
        ELCRec(seed=1, **how).fit(tmp_path / "log.parquet", tmp_path / "run", progress=Interrupted())
    with pytest.raises(RunError, match="event_inputs"):
        ELCRec(seed=1, **{**how, "event_inputs": "gap"}).fit(
            tmp_path / "log.parquet", tmp_path / "run", resume=True, progress=False
        )
    resumed = run_cli("train", tmp_path / "log.parquet", "--out", tmp_path / "run", "--resume")
    assert resumed.code == 0, resumed.err
    assert ELCRec.load(tmp_path / "run").recommend(k=5).equals(model.recommend(k=5))


def test_incremental_training_keeps_the_codes_of_kinds(model: ELCRec, tmp_path: Path) -> None:
    model.save(tmp_path / "run")
    grown = ELCRec.load(tmp_path / "run")
    late = int(grown.log.frame["timestamp"].max()) + 60  # type: ignore[arg-type]
    rows = {"user_id": ["u001"] * 40, "item_id": ["i01", "i99"] * 20, "timestamp": [late + n for n in range(40)]}
    new = pl.DataFrame({**rows, "event": ["a kind that comes most"] * 39 + ["purchase"]})
    with pytest.warns(DataWarning, match=r"log does not have, a kind that comes most 97.5% \(39\):"):
        grown.partial_fit(Interactions.read(new, kinds=True), epochs=1, progress=False)
    assert grown.settings.input_kinds == model.settings.input_kinds
    codes = grown.fitted.split.event_N
    assert codes is not None
    assert (kinds_in(codes) == 0).sum() == 39
    grown.save(tmp_path / "next")
    assert ELCRec.load(tmp_path / "next").recommend(["u001"], k=5).equals(grown.recommend(["u001"], k=5))


def test_new_kinds_have_no_embedding_where_all_kinds_are_predicted(log: pl.DataFrame) -> None:
    read = Interactions.read(log.head(700), kinds=True)
    model = ELCRec(seed=1, event_inputs="kind", **{**HOW, "epochs": 1}).fit(read, progress=False)
    new = log.head(1).with_columns(event=pl.lit("rent"), timestamp=pl.lit(1_800_000_000))
    with pytest.warns(DataWarning, match="they are read as unknown kinds"):
        model.partial_fit(Interactions.read(new, kinds=True), epochs=1, progress=False)


def test_a_recipe_that_contrasts_views_reads_events(log: pl.DataFrame, tmp_path: Path) -> None:
    log.head(700).write_csv(tmp_path / "log.csv")
    done = run_cli(
        *("train", tmp_path / "log.csv", "--out", tmp_path / "run", "--recipe", "paper", *SMALL_SETS),
        *("--set", "event_inputs=both", "--set", "max_seq_len=10", "--json"),
    ).document()
    assert done["test"]["n_users"] == 50
