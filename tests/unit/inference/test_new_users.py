"""Items for users without a history."""

import pytest
import torch

from cli_runner import SMALL, shop_log
from elcrec import ELCRec, SettingsError


@pytest.fixture(scope="module")
def model() -> ELCRec:
    return ELCRec(seed=1, **SMALL).fit(shop_log(), progress=False)


def test_scores_are_the_formula(model: ELCRec) -> None:
    intents = [0, 2]
    sample = model.fitted.dataset.sample(len(model.users), model.settings.seed)
    vectors, found = model.topn.encoded(sample).vector_QD, model.assigner.assign(sample).intent_Q
    means = [vectors[found == intent].mean(dim=0) if bool((found == intent).any()) else 0 for intent in intents]
    user_D = torch.stack([torch.zeros(vectors.shape[1]) + mean for mean in means]).mean(dim=0)
    counts = model.log.frame["item_id"].value_counts()
    n_V = dict(counts.iter_rows())
    lift_V = model.assigner.item_intents.lift(intents)
    table = model.recommend_to_new_user([0, 2, 0], k=len(model.items))
    for item, score in table.select("item_id", "score").head(20).iter_rows():
        index = int(model.items.indices([item])[0])
        expected = user_D @ model.network.items_VD.detach()[index - 1] + lift_V[index].log()
        assert score == pytest.approx(float(expected + torch.tensor(n_V[item] + 1.0).log()), rel=1e-4)
    assert table["score"].is_sorted(descending=True)
    assert table["rank"].to_list() == list(range(1, len(model.items) + 1))


def test_a_server_answers_alike(model: ELCRec) -> None:
    likely = model.pick_likely([2, 1], model.plan(5))
    table = model.recommend_to_new_user([2, 1], 5)
    assert likely.items == table["item_id"].to_list()
    assert likely.scores == table["score"].to_list()
    denied = likely.items[:2]
    assert not set(denied) & set(model.pick_likely([2, 1], model.plan(5, deny=denied)).items)


def test_an_intent_has_to_be_named(model: ELCRec) -> None:
    with pytest.raises(SettingsError, match="one or more"):
        model.recommend_to_new_user([])
    with pytest.raises(SettingsError, match="intent 99999"):
        model.recommend_to_new_user([99999])
