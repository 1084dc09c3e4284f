"""The whole path on a GPU, where there is one; a run made there is used on a CPU."""

from pathlib import Path

import polars as pl
import pytest
import torch

from elcrec import ELCRec
from elcrec.data.synthetic import make_shop
from elcrec.inference.policy import RankingPolicy

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU"),
]


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_a_run_made_on_a_gpu_is_the_same_on_a_cpu(recipe: str, tmp_path: Path) -> None:
    small = {"epochs": 3, "warmup_epochs": 1, "n_intents": 8, "n_layers": 1, "embedding_dim": 16, "batch_size": 64}
    shop = make_shop(300, 0.2, seed=1)
    on_gpu = ELCRec(recipe, device="cuda", **small).fit(shop.log, out=tmp_path / "run", progress=False)
    on_cpu = ELCRec.load(tmp_path / "run", device="cpu")
    assert on_cpu.evaluate()["ndcg@20"] == pytest.approx(on_gpu.evaluate()["ndcg@20"], abs=2e-3)
    assert on_cpu.recommend(k=3).height == on_gpu.recommend(k=3).height
    agreeing = on_cpu.user_intents()["intent"] == on_gpu.user_intents()["intent"]
    assert agreeing.mean() > 0.95


def test_user_features_on_a_gpu_are_those_on_a_cpu(tmp_path: Path) -> None:
    small = {"epochs": 2, "warmup_epochs": 1, "n_intents": 8, "n_layers": 1, "embedding_dim": 16, "batch_size": 64}
    shop = make_shop(300, 0.2, seed=1)
    users = shop.intent_of_user.select("user_id", country=pl.col("planted").str.slice(0, 4), age=pl.int_range(pl.len()))
    on_gpu = ELCRec(device="cuda", **small).fit(shop.log, out=tmp_path / "run", users=users, progress=False)
    on_cpu = ELCRec.load(tmp_path / "run", device="cpu")
    assert on_cpu.evaluate()["ndcg@20"] == pytest.approx(on_gpu.evaluate()["ndcg@20"], abs=2e-3)
    user = users["user_id"][7]
    found = []
    for model in (on_gpu, on_cpu):
        history = model.lookup.history_of(user)
        assert history is not None
        told = model.fitted.dataset.user_features_in([{"country": "c", "age": 3}], 1)
        known = [None, model.lookup.features_of(user), told]
        lists = model.lookup.recommend([history] * 3, model.topn.resolve(RankingPolicy(k=5)), features=known)
        found.append([score for one in lists for score in one.scores])
    assert found[0] == pytest.approx(found[1], abs=1e-3)
