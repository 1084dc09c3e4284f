"""Approximate search beside exact lists."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
import torch.nn.functional as F

from cli_runner import SMALL, run_cli, shop_log
from elcrec import ELCRec, RunError, SettingsError
from elcrec.inference.index import ItemSearch
from elcrec.inference.policy import RankingPolicy, ResolvedPolicy
from elcrec.serving.snapshot import Snapshot, stamp_of

faiss = pytest.importorskip("faiss", reason="needs the extra 'search'")


@pytest.fixture(scope="module")
def model() -> ELCRec:
    return ELCRec(seed=1, **SMALL).fit(shop_log(), progress=False)


def test_the_best_of_many_items_are_found_with_their_scores() -> None:
    generator = torch.Generator().manual_seed(1)
    centers = F.normalize(torch.randn(60, 16, generator=generator), dim=1)
    near = torch.randint(60, (6000,), generator=generator)
    items = centers[near] + 0.2 * torch.randn(6000, 16, generator=generator)
    users = centers + 0.1 * torch.randn(60, 16, generator=generator)
    found, scores = ItemSearch.build(items, users).best(users, 10)
    wanted = (users @ items.T).topk(10, dim=1)
    assert found.shape == (60, 10)
    hits = (found[:, :, None] == wanted.indices[:, None, :] + 1).any(dim=2)
    assert 0.95 < hits.float().mean() <= 1
    torch.testing.assert_close(scores, (users[:, None] * items[found - 1]).sum(dim=2))
    assert bool((scores.diff(dim=1) <= 0).all())


def test_an_index_of_few_items_is_made_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    ItemSearch.build(torch.randn(100, 8), torch.randn(5, 8))
    assert capfd.readouterr() == ("", "")


def test_of_few_items_all_are_looked_at(model: ELCRec) -> None:
    exact, near = model.recommend(k=10), model.recommend(k=10, approximate=True)
    assert near["user_id"].equals(exact["user_id"])
    assert near["score"].to_list() == pytest.approx(exact["score"].to_list(), rel=1e-4, abs=1e-5)
    assert (near["item_id"] == exact["item_id"]).mean() > 0.99  # equal scores may change places
    assert model.search_quality()["recall"] > 0.99


def test_where_everybody_has_seen_everything_nothing_is_missed(tmp_path: Path) -> None:
    log = pl.DataFrame(
        [(user, item) for user in range(6) for item in (0, 1, 2, 0)], ["user_id", "item_id"], orient="row"
    )
    ELCRec(seed=1, **{**SMALL, "epochs": 1, "n_intents": 2}).fit(log, tmp_path / "run", progress=False)
    assert run_cli("index", tmp_path / "run", "--json").document()["recall"] == 1


def test_what_was_seen_is_left_out_and_lists_may_be_short(model: ELCRec) -> None:
    everything = model.items.ids.to_list()
    seen = everything[:-4]
    listed = model.recommend_from_history([seen, everything[:3]], k=10, approximate=True)
    assert sorted(listed.filter(pl.col("history") == 0)["item_id"]) == sorted(everything[-4:])
    assert not set(listed.filter(pl.col("history") == 1)["item_id"]) & set(everything[:3])
    again = model.recommend_from_history([everything], k=10, exclude_seen=False, approximate=True)
    assert len(again) == 10


def test_only_plain_lists(model: ELCRec) -> None:
    for wish in ({"explain": True}, {"intents": [1]}, {"exclude_intents": [1]}, {"diversify": 0.5}):
        with pytest.raises(SettingsError, match="approximate search cannot"):
            model.recommend(k=3, approximate=True, **wish)


def test_the_run_keeps_the_index_and_refuses_one_of_other_weights(model: ELCRec, tmp_path: Path) -> None:
    run = tmp_path / "run"
    model.save(run)
    made = run_cli("index", run, "--json").document()
    assert made["recall"] > 0.99
    assert made["items"] == len(model.items)
    listed = run_cli("recommend", run, "--user", model.users.ids[0], "--approximate", "--json").document()
    expected = model.recommend([model.users.ids[0]])
    assert [row["item_id"] for row in listed] == expected["item_id"].to_list()

    index = (run / "items.faiss").read_bytes()
    other = ELCRec(seed=2, **SMALL).fit(shop_log(), progress=False)
    other.save(run, overwrite=True)
    assert not (run / "items.faiss").exists()
    for content in (index, index[:40], b""):
        (run / "items.faiss").write_bytes(content)
        with pytest.raises(RunError, match="elcrec index"):
            ELCRec.load(run).recommend(k=3, approximate=True)
    assert len(ELCRec.load(run).recommend(k=3)) > 0


def test_an_index_with_any_byte_changed_or_missing_is_refused_before_faiss_sees_it(
    model: ELCRec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "items.faiss"
    model.make_item_search().write(path)
    whole, seen = path.read_bytes(), []
    monkeypatch.setattr(faiss, "deserialize_index", seen.append)
    places = np.random.default_rng(1).integers(0, len(whole), 150).tolist()
    for place in [*range(0, 150), *places]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        for content in (bytes(damaged), whole[:place], whole + b"0"):
            path.write_bytes(content)
            with pytest.raises(RunError, match="make it again with elcrec index"):
                ItemSearch.read(path, model.network.items_VD)
    assert not seen
    path.write_bytes(whole)
    ItemSearch.read(path, model.network.items_VD)
    assert len(seen) == 1


def test_a_server_takes_the_index_for_plain_lists_only(model: ELCRec, tmp_path: Path) -> None:
    near, exact = (Snapshot(model, tmp_path, stamp_of(tmp_path), approximate) for approximate in (True, False))

    def resolved(snapshot: Snapshot, **wish: Any) -> ResolvedPolicy:
        return asyncio.run(snapshot.resolve(RankingPolicy(k=5, **wish)))

    assert resolved(near).approximate
    for wish in ({"explain": True}, {"intents": [1]}, {"deny": ["webcam"]}, {"diversify": 0.5}):
        assert not resolved(near, **wish).approximate
    history = model.lookup.history_of(model.users.ids[0])
    assert history is not None
    by_index, all_scored = (model.lookup.recommend([history], resolved(snapshot))[0] for snapshot in (near, exact))
    assert by_index.items == all_scored.items
