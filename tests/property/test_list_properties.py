"""Every list is what its formula says: all items scored, what is barred removed, sorted, cut to k."""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from elcrec import ELCRec, SettingsError
from elcrec.inference.policy import STRENGTH, RankingPolicy
from elcrec.intents.attribution import WEIGHT_TEMPERATURE
from elcrec.intents.calibration import KEPT_SHARE
from elcrec.model.encoding import user_vectors

N_ITEMS, N_INTENTS = 130, 5
QUICK = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
Numbers = npt.NDArray[np.float64]
COLOURS, SHAPES = ("red", "green", "blue"), ("round", "square")


@pytest.fixture(scope="module")
def model() -> ELCRec:
    """Sixty users, the first of whom has everything, the second all but three items, the third one item many times."""
    generator = np.random.default_rng(1)
    histories = [generator.permutation(N_ITEMS), generator.permutation(N_ITEMS)[3:], np.full(6, 17)]
    # Others come back to a few of their items.
    histories += [generator.choice(generator.permutation(N_ITEMS)[:9], generator.integers(4, 16)) for _ in range(57)]
    rows = [(f"u{user}", f"i{item}") for user, items in enumerate(histories) for item in items]
    log = pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row").with_row_index("timestamp")
    kinds = [(f"i{item}", COLOURS[item % 3], SHAPES[item % 2]) for item in range(N_ITEMS)]
    items = pl.DataFrame(kinds, schema=["item_id", "colour", "shape"], orient="row")
    small = {
        "epochs": 2,
        "n_layers": 1,
        "embedding_dim": 8,
        "n_intents": N_INTENTS,
        "batch_size": 32,
        "warmup_epochs": 1,
        "repeats": "none",
        "exclude_seen": True,
        "ties": "file",
        "split": "leave_one_out",
    }
    return ELCRec(seed=1, **small).fit(log, progress=False, items=items)


def item_number(item: str) -> int:
    return int(item[1:])


class Reference:
    """One user, scored by the documented formulas in double precision; items by the number in their id."""

    def __init__(self, model: ELCRec, user: str) -> None:
        at = model.fitted.dataset.of_users([user])
        vector = user_vectors(model.network, at)
        self.user = vector[0].double().numpy()
        centers = model.network.centers.weight.detach().double().numpy()
        self.centers = centers / np.linalg.norm(centers, axis=1, keepdims=True)
        self.cosines = model.assigner.cosines(at)[0].double().numpy()
        numbers = [item_number(item) for item in model.items.ids]
        self.table, self.lifts, self.given = (np.zeros((N_ITEMS, width)) for width in (8, N_INTENTS, N_INTENTS))
        self.table[numbers] = model.network.items_VD.detach().double().numpy()[: len(numbers)]
        self.known = set(numbers)
        index = torch.arange(1, len(numbers) + 1)
        self.given[numbers] = model.assigner.item_intents.given_item(index).double().numpy()
        self.lift = lambda intents: dict(
            zip(numbers, model.assigner.item_intents.lift(sorted(set(intents)))[1:].tolist(), strict=True)
        )
        history = model.log.frame.filter(pl.col("user_id") == user)["item_id"]
        self.seen = {item_number(item) for item in history}

    def scores(self, intents: list[int], excluded: list[int], strength: float) -> Numbers:
        user = self.user
        if excluded:
            own = np.argsort(-self.cosines)[:3]
            amounts, _ = nnls(self.centers[own].T, user)
            residual = user - amounts @ self.centers[own]
            for intent in excluded:
                if intent not in own:
                    residual = residual - max(0.0, residual @ self.centers[intent]) * self.centers[intent]
            user = residual + sum(a * self.centers[k] for a, k in zip(amounts, own, strict=True) if k not in excluded)
        score = self.table @ user
        if intents:
            lift = self.lift(intents)
            bonus = np.array([np.log(lift.get(item, 1.0)) for item in range(N_ITEMS)])
            score = (1 - strength) * score + strength * bonus
        return score

    def mix(self, excluded: list[int]) -> Numbers:
        weights = np.exp(self.cosines / WEIGHT_TEMPERATURE)
        weights[excluded] = 0
        return weights / weights.sum() if weights.sum() > 0 else weights

    def check_mixed(self, listed: list[int], score: Numbers, allowed: set[int], mix: Numbers, dial: float) -> None:
        """Each item is one of the best additions to those before it, of the 100 or 2 k best items."""
        candidates = sorted(allowed, key=lambda item: -score[item])[: max(100, 2 * len(listed))]
        low, high = score[candidates[-1]], score[candidates[0]]
        relevance = {item: (score[item] - low) / max(high - low, 1e-12) for item in candidates}
        sum_of_mixes, left = np.zeros(N_INTENTS), set(candidates)
        for length, item in enumerate(listed, start=1):

            def gain(other: int, before: Numbers = sum_of_mixes, length: int = length) -> float:
                q = (1 - KEPT_SHARE) * (before + self.given[other]) / length + KEPT_SHARE * mix
                return (1 - dial) * relevance[other] / length + dial * float(mix @ np.log(np.maximum(q, 1e-12)))

            assert gain(item) >= max(map(gain, left)) - 1e-4
            sum_of_mixes = sum_of_mixes + self.given[item]
            left.remove(item)


def barred(limits: dict[str, Any]) -> set[int]:
    """Items that may not be listed."""
    kinds = {item: {COLOURS[item % 3], SHAPES[item % 2]} for item in range(N_ITEMS)}
    gone = {item_number(item) for item in limits.get("deny", [])}
    if "allow" in limits:
        gone |= set(range(N_ITEMS)) - {item_number(item) for item in limits["allow"]}
    if "attributes" in limits:
        gone |= {item for item in range(N_ITEMS) if not kinds[item] & set(limits["attributes"])}
    if "all_attributes" in limits:
        gone |= {item for item in range(N_ITEMS) if not set(limits["all_attributes"]) <= kinds[item]}
    return gone


ids = st.lists(st.integers(0, N_ITEMS - 1).map("i{}".format), max_size=40)
intents = st.lists(st.integers(0, N_INTENTS - 1), max_size=3)
LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "allow": ids,
        "deny": ids,
        "attributes": st.lists(st.sampled_from(COLOURS), min_size=1, max_size=2, unique=True),
        "all_attributes": st.lists(st.sampled_from((*COLOURS, *SHAPES)), min_size=1, max_size=2, unique=True),
    },
)


@QUICK
@given(
    st.integers(0, 8),
    st.sampled_from([1, 3, 10, N_ITEMS, 10**30]),
    st.booleans(),
    LIMITS,
    intents,
    intents | st.just(list(range(N_INTENTS))),
    st.sampled_from([0.0, 0.3, STRENGTH]),
    st.sampled_from([0.0, 0.0, 0.4, 1.0]),
    st.booleans(),
)
def test_a_list_is_what_its_formula_says(
    model: ELCRec,
    number: int,
    k: int,
    exclude_seen: bool,
    limits: dict[str, Any],
    toward: list[int],
    excluded: list[int],
    strength: float,
    dial: float,
    explain: bool,
) -> None:
    user = f"u{number}"
    excluded = [intent for intent in excluded if intent not in toward]
    wishes = {"intents": toward, "exclude_intents": excluded, "strength": strength, "diversify": dial}
    plan = model.topn.resolve(RankingPolicy(k=k, exclude_seen=exclude_seen, explain=explain, **wishes, **limits))
    [one] = model.lookup.recommend([model.lookup.history_of(user)], plan)
    reference = Reference(model, user)
    allowed = reference.known - barred(limits) - (reference.seen if exclude_seen else set())
    score = reference.scores(toward, excluded, strength)

    listed = [item_number(item) for item in one.items]
    assert len(listed) == len(set(listed)) == min(k, len(allowed))
    assert set(listed) <= allowed
    assert one.scores == pytest.approx(score[listed].tolist(), abs=1e-4)
    if dial == 0:
        assert one.scores == pytest.approx(sorted(score[list(allowed)].tolist(), reverse=True)[:k], abs=1e-4)
        assert all(first >= second for first, second in pairwise(one.scores))
    elif listed:
        reference.check_mixed(listed, score, allowed, reference.mix(excluded), dial)
    if not limits:
        table = model.recommend([user, user], k, exclude_seen, explain=explain, **wishes)
        assert table["item_id"].to_list() == 2 * one.items
        assert table["rank"].to_list() == 2 * list(range(1, len(listed) + 1))


def test_because_names_the_items_without_which_the_history_is_farther_from_the_intent(model: ELCRec) -> None:
    def cosine(history: list[str], intent: int) -> float:
        """To the centre; an empty history is at a right angle to all of them."""
        return float(model.assigner.cosines(model.fitted.dataset.of_items([history]))[0, intent]) if history else 0.0

    named = repeated = 0
    for user in model.users.ids[2:30]:
        history = model.log.frame.filter(pl.col("user_id") == user)["item_id"].to_list()[-50:]
        for row in model.recommend([user], 3, explain=True).iter_rows(named=True):
            if row["intent"] is None:
                continue
            whole = cosine(history, row["intent"])
            pull = {
                one: whole - cosine([item for item in history if item != one], row["intent"]) for one in set(history)
            }
            best = sorted((value for value in pull.values() if value > 0), reverse=True)[:3]
            assert [pull[item] for item in row["because"]] == pytest.approx(best, abs=1e-4)
            named += len(row["because"])
            repeated += sum(history.count(item) > 1 for item in row["because"])
    assert named > 60
    assert repeated > 30


def test_a_mixed_list_does_not_bring_excluded_intents_back(model: ELCRec) -> None:
    def share(users: pl.Series, excluded: int, dial: float) -> float:
        """Of the excluded intent in what is listed."""
        listed = model.recommend(users, 10, exclude_intents=[excluded], diversify=dial)["item_id"]
        return float(
            model.assigner.item_intents.given_item(torch.from_numpy(model.items.indices(listed)))[:, excluded].mean()
        )

    for intent in range(N_INTENTS):
        users = model.user_intents().filter(pl.col("intent") == intent)["user_id"]
        if len(users):
            assert share(users, intent, 1.0) < share(users, intent, 0.5) < share(users, intent, 0.0)


def test_a_long_list_is_mixed_too(model: ELCRec) -> None:
    """Of 130 items: a list of 100 chosen from the 100 best would hold just these."""

    def held(dial: float) -> set[str]:
        return set(model.recommend(["u5"], 100, exclude_seen=False, diversify=dial)["item_id"])

    assert len(held(1.0)) == len(held(0.0)) == 100
    assert held(1.0) != held(0.0)


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize(("rows", "k"), [(1, 3), (5, 10), (9, 26), (5, 1000)])
def test_a_slate_is_filled_row_by_row(model: ELCRec, rows: int, k: int, exclude_seen: bool) -> None:
    slate = model.slate(rows=rows, k=k, exclude_seen=exclude_seen)
    for user in model.users.ids:
        reference, own = Reference(model, user), slate.filter(pl.col("user_id") == user)
        left = reference.known - (reference.seen if exclude_seen else set())
        strongest = np.argsort(-reference.cosines)[:rows].tolist()
        for row, intent in enumerate(strongest, start=1):
            part, score = own.filter(pl.col("row") == row), reference.scores([intent], [], STRENGTH)
            listed = [item_number(item) for item in part["item_id"]]
            assert len(listed) == len(set(listed)) == min(k, len(left))
            assert set(listed) <= left
            best = sorted(score[list(left)].tolist(), reverse=True)[:k]
            assert part["score"].to_list() == pytest.approx(best, abs=1e-4)
            assert score[listed].tolist() == pytest.approx(best, abs=1e-4)
            assert part["rank"].to_list() == list(range(1, len(listed) + 1))
            assert set(part["intent"]) <= {intent}
            left -= set(listed)


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("k", [1, 20, 60, 1000])
def test_an_approximate_list_is_never_short(
    model: ELCRec, k: int, exclude_seen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss")
    search = model.make_item_search()
    search.index.nprobe = 1  # of four cells: it holds fewer than k for most
    assert search.index.nlist == 4
    monkeypatch.setitem(model.__dict__, "item_search", search)
    listed = model.recommend(k=k, exclude_seen=exclude_seen, approximate=True)
    for user in model.users.ids:
        reference, own = Reference(model, user), listed.filter(pl.col("user_id") == user)
        allowed = reference.known - (reference.seen if exclude_seen else set())
        items = [item_number(item) for item in own["item_id"]]
        assert len(items) == len(set(items)) == min(k, len(allowed))
        assert set(items) <= allowed
        assert own["score"].to_list() == pytest.approx(reference.scores([], [], 0)[items].tolist(), abs=1e-4)
        assert own["rank"].to_list() == list(range(1, len(items) + 1))
        assert all(first >= second for first, second in pairwise(own["score"]))


@pytest.mark.parametrize("k", [1, 12, 1000])
def test_lists_of_intents_items_and_everybody_have_k_items_too(model: ELCRec, k: int) -> None:
    n_known = len(model.items)
    typical = model.recommend_for_intent(range(N_INTENTS), k)
    assert (
        typical.group_by("intent").agg(pl.col("item_id").n_unique(), n=pl.len())["n"].to_list()
        == [min(k, n_known)] * N_INTENTS
    )
    asked = model.items.ids.to_list()[:4]
    for one in model.similar_items([*asked, asked[0]], k).partition_by("target_item_id", maintain_order=True):
        target, times = one["target_item_id"][0], 2 if one["target_item_id"][0] == asked[0] else 1
        assert len(one) == times * min(k, n_known - 1)
        assert one["item_id"].n_unique() == min(k, n_known - 1)
        assert target not in one["item_id"]
        assert one["score"].is_finite().all()
    assert model.similar_items([], k).is_empty()
    assert model.similar_items(["nothing"], k, unknown="skip").is_empty()
    limits = {"deny": model.items.ids.to_list()[:2], "attributes": ["red"], "all_attributes": ["round"]}
    left = len({item_number(item) for item in model.items.ids} - barred(limits))
    for one in (
        model.lookup.most_popular(model.topn.resolve(RankingPolicy(k=k, **limits))),
        model.lookup.most_typical([1], model.topn.resolve(RankingPolicy(k=k, **limits))),
    ):
        assert len(one.items) == len(set(one.items)) == min(k, left)


@pytest.mark.parametrize(
    "wrong",
    [{"k": 0}, {"k": 2.5}, {"k": True}, {"k": "3"}, {"strength": float("nan")}, {"strength": "x"}, {"diversify": None}],
)
def test_a_dial_or_number_that_is_none_is_refused(model: ELCRec, wrong: dict[str, Any]) -> None:
    [name] = wrong
    with pytest.raises(SettingsError, match=rf"^{name}="):
        model.recommend(["u5"], **wrong)
    if name == "k":
        for ask in (model.slate, model.similar_items, model.recommend_for_intent):
            with pytest.raises(SettingsError, match=r"^k="):
                ask([] if ask != model.recommend_for_intent else [0], **wrong)


def test_people_without_a_name_are_skipped_and_a_repeated_name_is_answered_again(model: ELCRec) -> None:
    listed = model.recommend(["u5", "nobody", "u6", "u5"], 3, unknown="skip")
    assert listed["user_id"].to_list() == ["u5"] * 3 + ["u6"] * 3 + ["u5"] * 3
    assert listed[:3].equals(listed[6:])
    assert model.recommend(["nobody"], unknown="skip").is_empty()
    slate = model.slate(["u5", "nobody", "u5"], rows=2, k=3, unknown="skip")
    assert slate[:6].equals(slate[6:])
    by_history = model.recommend_from_history([["nothing"], ["i3", "nothing"]], 3, unknown="skip")
    assert by_history["history"].to_list() == [1, 1, 1]
