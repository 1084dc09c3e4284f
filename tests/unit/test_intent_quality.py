"""What intents are worth, against scikit-learn, loops and planted groups."""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import adjusted_mutual_info_score, silhouette_score
from torch import Tensor

from elcrec.intents import intent_quality as module
from elcrec.intents.intent_quality import PRIORS, attribute_lift, intent_quality, stability
from elcrec.intents.kmeans import spherical_kmeans

GROUPINGS = ("learned", "kmeans", "chance")
N_GROUPS = 4
ITEMS_EACH = 5


@dataclass(frozen=True)
class World:
    """Users about four centres who take the items of their group; an item's attribute is its group."""

    behaviour_QD: Tensor
    unit_KD: Tensor
    next_Q: Tensor
    label_V: Tensor
    group_Q: Tensor


def a_world(loyalty: float = 1.0, n_users: int = 400, seed: int = 0) -> World:
    """Users take an item of their own group with this probability, else any."""
    generator = torch.Generator().manual_seed(seed)
    group_Q = torch.randint(N_GROUPS, (n_users,), generator=generator)
    behaviour_QD = torch.eye(6)[group_Q] + 0.1 * torch.randn(n_users, 6, generator=generator)
    loyal_Q = torch.rand(n_users, generator=generator) < loyalty
    taken_Q = torch.where(loyal_Q, group_Q, torch.randint(N_GROUPS, (n_users,), generator=generator))
    next_Q = 1 + taken_Q * ITEMS_EACH + torch.randint(ITEMS_EACH, (n_users,), generator=generator)
    label_V = torch.cat([torch.tensor([-1]), torch.arange(N_GROUPS).repeat_interleave(ITEMS_EACH)])
    return World(3 * behaviour_QD, torch.eye(6)[:N_GROUPS], next_Q, label_V, group_Q)


def quality(world: World, label_V: Tensor | None, seed: int = 0) -> dict:
    return intent_quality(world.behaviour_QD, world.unit_KD, world.next_Q, label_V, seed)


def with_gaps(world: World) -> Tensor:
    """The labels with two of five items of each group left out."""
    return world.label_V.masked_fill(torch.arange(len(world.label_V)) % ITEMS_EACH < 2, -1)


# Measures


@pytest.mark.parametrize("loyalty", [0.0, 0.5, 1.0])
def test_attribute_ami_is_scikit_learns_over_users_whose_next_item_has_an_attribute(loyalty: float) -> None:
    world = a_world(loyalty)
    label_V = with_gaps(world)
    measured = quality(world, label_V, seed=5)
    nearest = [max(range(N_GROUPS), key=lambda k: (row @ world.unit_KD[k]).item()) for row in world.behaviour_QD]
    groupings = {"learned": nearest, "kmeans": spherical_kmeans(world.behaviour_QD, N_GROUPS, 5).tolist()}
    labelled = [q for q, item in enumerate(world.next_Q.tolist()) if label_V[item] >= 0]
    labels = [int(label_V[world.next_Q[q]]) for q in labelled]
    assert measured["n_users"] == 400
    assert 0 < measured["n_labelled"] == len(labelled) < 400
    for name, intents in groupings.items():
        own = [intents[q] for q in labelled]
        assert measured[name]["attribute_ami"] == pytest.approx(adjusted_mutual_info_score(own, labels))
        assert measured[name]["attribute_lift"] == pytest.approx(
            attribute_lift(np.array(own), np.array(labels), seed=5)
        )


def test_cosine_silhouette_and_used_are_those_of_the_nearest_centres() -> None:
    world = a_world()
    unit_KD = torch.cat([world.unit_KD, -world.unit_KD])  # the second half is nobody's
    measured = intent_quality(world.behaviour_QD, unit_KD, world.next_Q, None, 0)["learned"]
    unit_QD = F.normalize(world.behaviour_QD, dim=-1)
    total = 0.0
    for group in range(N_GROUPS):
        rows_MD = unit_QD[world.group_Q == group]
        mean_D = rows_MD.mean(dim=0) / rows_MD.mean(dim=0).norm()
        total += sum((row @ mean_D).item() for row in rows_MD)
    assert measured["cosine"] == pytest.approx(total / 400, abs=1e-5)
    assert measured["silhouette"] == pytest.approx(
        silhouette_score(unit_QD.numpy(), world.group_Q.numpy(), metric="cosine"), abs=1e-5
    )
    assert measured["used"] == N_GROUPS


def test_the_silhouette_of_a_sample_is_near_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world()
    whole = quality(world, None)["learned"]["silhouette"]
    monkeypatch.setattr(module, "SILHOUETTE_USERS", 100)
    sampled = quality(world, None)["learned"]["silhouette"]
    assert sampled != whole
    assert sampled == pytest.approx(whole, abs=0.05)


def test_one_intent_for_everybody_has_no_silhouette_and_tells_nothing() -> None:
    world = a_world()
    for measures in (
        intent_quality(world.behaviour_QD, world.unit_KD[:1], world.next_Q, world.label_V, 0)[name]
        for name in GROUPINGS
    ):
        assert measures["silhouette"] is None
        assert measures["used"] == 1
        assert measures["attribute_ami"] == pytest.approx(0, abs=1e-9)
        assert measures["attribute_lift"] == pytest.approx(1, abs=0.02)


def test_without_labels_there_are_no_attribute_measures() -> None:
    measured = quality(a_world(), None)
    assert measured["n_labelled"] is None
    for name in GROUPINGS:
        assert set(measured[name]) == {"cosine", "silhouette", "used"}


def test_labels_change_nothing_but_the_attribute_measures() -> None:
    world = a_world()
    labelled, plain = quality(world, world.label_V), quality(world, None)
    for name in GROUPINGS:
        rest = {key: value for key, value in labelled[name].items() if not key.startswith("attribute")}
        assert rest == plain[name]


# Learned, k-means and chance


def test_intents_that_tell_the_next_attribute_agree_and_lift_while_chance_does_not() -> None:
    world = a_world(loyalty=1.0)
    measured = quality(world, world.label_V)
    for name in ("learned", "kmeans"):
        assert measured[name]["attribute_ami"] == pytest.approx(1)
        assert 3.4 < measured[name]["attribute_lift"] < N_GROUPS
    assert measured["chance"]["attribute_ami"] == pytest.approx(0, abs=0.03)
    assert measured["chance"]["attribute_lift"] == pytest.approx(1, abs=0.05)


def test_intents_that_tell_nothing_of_the_next_item_are_at_chance() -> None:
    world = a_world(loyalty=0.0, n_users=2000)
    for name in GROUPINGS:
        measures = quality(world, world.label_V)[name]
        assert measures["attribute_ami"] == pytest.approx(0, abs=0.01)
        assert measures["attribute_lift"] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("seed", range(3))
def test_chance_lies_below_planted_intents_in_every_measure(seed: int) -> None:
    world = a_world(loyalty=0.4, seed=seed)
    measured = quality(world, world.label_V, seed)
    for key in ("attribute_ami", "attribute_lift", "cosine", "silhouette"):
        assert measured["chance"][key] < measured["learned"][key]
    assert measured["chance"]["used"] == measured["learned"]["used"]


def test_the_seed_decides() -> None:
    world = a_world(loyalty=0.4)
    assert quality(world, world.label_V, 1) == quality(world, world.label_V, 1)
    assert quality(world, world.label_V, 1)["chance"] != quality(world, world.label_V, 2)["chance"]


# Lift


def naive_lift(intents: list[int], labels: list[int], half: list[bool], prior_events: float) -> float:
    """Users one by one, each judged by the counts of those on the other side."""
    total = 0.0
    n_labels = max(labels) + 1
    for intent, label, side in zip(intents, labels, half, strict=True):
        others = [(k, a) for k, a, there in zip(intents, labels, half, strict=True) if there != side]
        prior = (sum(a == label for _, a in others) + 1) / (len(others) + n_labels)
        own = Counter(a for k, a in others if k == intent)
        given = (own[label] + prior_events * prior) / (own.total() + prior_events)
        total += math.log(given / prior)
    return math.exp(total / len(intents))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("n_intents", "n_labels"), [(1, 3), (3, 1), (4, 6), (20, 5)])
def test_attribute_lift_is_the_loop_over_users(n_intents: int, n_labels: int, seed: int) -> None:
    generator = np.random.default_rng([7, seed])
    intents = generator.integers(n_intents, size=80)
    labels = (intents + generator.integers(3, size=80)) % n_labels
    half = (np.random.default_rng(seed).random(80) < 0.5).tolist()
    naive = max(naive_lift(intents.tolist(), labels.tolist(), half, prior) for prior in PRIORS)
    assert attribute_lift(intents, labels, seed) == pytest.approx(naive, rel=1e-12)


def test_intents_of_one_user_each_have_no_evidence_and_lift_nothing() -> None:
    assert attribute_lift(np.arange(50), np.arange(50) % 7, 0) == pytest.approx(1, abs=1e-12)


def test_lift_of_perfect_agreement_approaches_the_number_of_attributes() -> None:
    intents = np.arange(20_000) % 8
    assert attribute_lift(intents, intents[::-1].copy(), 0) == pytest.approx(8, rel=0.01)


def test_lift_counts_on_other_users_than_it_judges() -> None:
    """Hundreds of intents that mean nothing would look useful on the users they were counted on."""
    generator = np.random.default_rng(3)
    intents, labels = generator.integers(200, size=2000), generator.integers(10, size=2000)
    assert attribute_lift(intents, labels, 0) == pytest.approx(1, abs=0.02)


# Stability


def rotation(width: int, seed: int = 0) -> Tensor:
    return torch.linalg.qr(torch.randn(width, width, generator=torch.Generator().manual_seed(seed))).Q


def test_the_same_space_turned_round_with_centres_in_another_order_is_stable() -> None:
    world, turn_DD = a_world(), rotation(6)
    theirs = world.behaviour_QD @ turn_DD, (world.unit_KD @ turn_DD)[[2, 0, 3, 1]]
    assert stability(world.behaviour_QD, theirs[0], world.unit_KD, theirs[1], 0) == {"learned": 1.0, "kmeans": 1.0}


def test_unrelated_trainings_are_not_stable() -> None:
    ours, theirs = a_world(seed=1), a_world(seed=2)
    found = stability(ours.behaviour_QD, theirs.behaviour_QD, ours.unit_KD, theirs.unit_KD, 0)
    assert found["learned"] == pytest.approx(0, abs=0.02)
    assert found["kmeans"] == pytest.approx(0, abs=0.02)


def test_trainings_of_another_width_and_number_of_intents_can_be_compared() -> None:
    world = a_world()
    wider_UD = F.pad(world.behaviour_QD, (0, 3)) @ rotation(9)
    merged_KD = F.normalize(torch.stack([world.unit_KD[:2].sum(dim=0), world.unit_KD[2:].sum(dim=0)]), dim=-1)
    theirs_KD = F.pad(merged_KD, (0, 3)) @ rotation(9)
    found = stability(world.behaviour_QD, wider_UD, world.unit_KD, theirs_KD, 0)
    assert 0.3 < found["learned"] < 0.7
    assert 0.3 < found["kmeans"] < 0.7


def test_next_items_without_any_attribute_do_not_crash() -> None:
    intent_quality(torch.randn(20, 4), torch.eye(4), torch.ones(20, dtype=torch.int64), torch.tensor([-1, -1, 3]), 0)
