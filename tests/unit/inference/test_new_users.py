"""Items for users without a history."""

import math

import pytest
import torch

from cli_runner import SMALL, shop_log
from elcrec import ELCRec, SettingsError
from elcrec.inference import new_users
from elcrec.inference.policy import RankingPolicy


@pytest.fixture(scope="module")
def model() -> ELCRec:
    return ELCRec(seed=1, **SMALL).fit(shop_log(), progress=False)


def test_scores_are_the_formula(model: ELCRec) -> None:
    sample = model.fitted.dataset.sample(len(model.users), model.settings.seed)
    vectors = model.topn.encoded(sample).vector_QD
    strongest = model.user_intents(sample.named, top=3).partition_by("user_id", maintain_order=True)
    shared = [sum(0.5**rank for rank, intent in enumerate(own["intent"]) if intent in (0, 2)) for own in strongest]
    weight_U = torch.tensor(shared) ** 4
    user_D = (weight_U[:, None] * vectors).sum(dim=0) / weight_U.sum()
    weight_of = dict(zip(sample.named.to_list(), weight_U.tolist(), strict=True))
    mean = float(weight_U.mean())
    events = dict(model.log.frame["item_id"].value_counts().iter_rows())
    owners = dict(model.log.frame.unique(["user_id", "item_id"]).group_by("item_id").agg("user_id").iter_rows())
    table = model.recommend_to_new_user([0, 2, 0], k=len(model.items))
    for item, score in table.select("item_id", "score").head(20).iter_rows():
        index = int(model.items.indices([item])[0])
        lift = (sum(map(weight_of.__getitem__, owners[item])) + 10 * mean) / (len(owners[item]) + 10) / mean
        expected = float(user_D @ model.network.items_VD.detach()[index - 1]) + math.log(lift * (events[item] + 1))
        assert score == pytest.approx(expected, rel=1e-4)
    assert table["score"].is_sorted(descending=True)
    assert table["rank"].to_list() == list(range(1, len(model.items) + 1))


def test_an_intent_that_the_sample_lacks_has_the_lift_of_the_log(
    model: ELCRec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_users, "LEAST_SAMPLE", 1)
    monkeypatch.setattr(new_users, "SAMPLE_PER_INTENT", 0)
    ranking = new_users.NewUserRanking(model.assigner, model.topn.popularity_V)
    sampled = model.fitted.dataset.sample(1, model.settings.seed)
    own = model.user_intents(sampled.named, top=3)["intent"].to_list()
    other = next(intent for intent in range(model.settings.n_intents) if intent not in own)
    expected = (model.topn.popularity_V + 1).log() + model.assigner.item_intents.lift([other]).log()
    assert torch.equal(ranking.scores([other]), expected)
    assert not torch.equal(ranking.scores(own[:1])[1:], expected[1:])


def test_a_server_answers_alike(model: ELCRec) -> None:
    likely = model.lookup.most_likely([2, 1], model.topn.resolve(RankingPolicy(k=5)))
    table = model.recommend_to_new_user([2, 1], 5)
    assert likely.items == table["item_id"].to_list()
    assert likely.scores == table["score"].to_list()
    denied = likely.items[:2]
    assert not set(denied) & set(
        model.lookup.most_likely([2, 1], model.topn.resolve(RankingPolicy(k=5, deny=denied))).items
    )


def test_an_intent_has_to_be_named(model: ELCRec) -> None:
    with pytest.raises(SettingsError, match="one or more"):
        model.recommend_to_new_user([])
    with pytest.raises(SettingsError, match="intent 99999"):
        model.recommend_to_new_user([99999])
