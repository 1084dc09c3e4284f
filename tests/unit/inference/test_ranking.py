"""Ranks, lists and coverage against sorting in numpy."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from elcrec.config import resolve
from elcrec.data.batches import TokenBatch, lay_out
from elcrec.data.histories import HistoryBatch
from elcrec.errors import RunError
from elcrec.evaluation import ranks
from elcrec.evaluation.ranks import TargetPlaces, rank_of, ranks_by_scores, scores_of, target_ranks
from elcrec.inference import scoring
from elcrec.inference.scoring import UNRANKED, top_items
from elcrec.model import encoding
from elcrec.model.encoding import user_vectors
from elcrec.model.network import ELCRecNetwork

INF = float("inf")
MAX_LEN = 6


class LastItemNetwork(nn.Module):
    """Scores by the dot product with the newest item's vector; as much of a network as ranking needs."""

    max_seq_len = MAX_LEN
    repeats = None
    of_users = None

    def __init__(self, table_VD: Tensor) -> None:
        super().__init__()
        self.item_table = nn.Embedding.from_pretrained(table_VD)
        self.n_items = len(table_VD) - 1

    def encode_users(self, batch: TokenBatch) -> Tensor:
        return self.item_table.weight[batch.item_T[batch.last_B]]


def whole_numbers(n_items: int, width: int, seed: int) -> Tensor:
    """A table whose scores are whole numbers, exact in float32 and often equal."""
    return torch.randint(-2, 3, (n_items + 1, width), generator=torch.Generator().manual_seed(seed)).float()


def one_history(items: list[int], target: int) -> HistoryBatch:
    """The items before a position, as a batch."""
    return HistoryBatch(torch.tensor(items), torch.tensor([0]), torch.tensor([target]))


def a_log(n_users: int, n_items: int, seed: int, longest: int = 11) -> tuple[Tensor, Tensor, Tensor]:
    """Items of all users, where each user's history starts, and the position of each user's last item."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(2, longest + 1, n_users)
    items = torch.from_numpy(generator.integers(1, n_items + 1, lengths.sum()))
    end = torch.from_numpy(lengths.cumsum())
    return items, end - torch.from_numpy(lengths), end - 1


def naive_scores(table: Tensor, history: list[int], exclude_seen: bool) -> np.ndarray:
    """Scores of items 1 to V (position 0 is item 1)."""
    scores = (table[1:] @ table[history[-1]]).double().numpy().copy()
    if exclude_seen:
        for item in history:
            scores[item - 1] = -np.inf
    return scores


def naive_rank(scores: np.ndarray, target: int) -> int:
    """Place of the target in a descending sort, behind everything with its score."""
    order = np.argsort(-scores, kind="stable")
    last = max(place for place, at in enumerate(order) if scores[at] == scores[target - 1])
    return last + 1


# Rank of a target


def test_rank_counts_ties_against_the_target() -> None:
    score = torch.tensor([[-INF, 3.0, 5.0, 3.0, 1.0, 3.0]])
    ranks = [int(rank_of(score, torch.tensor([item]))) for item in range(1, 6)]
    assert ranks == [4, 1, 4, 5, 4]


def test_rank_of_a_constant_score_is_the_last() -> None:
    score = torch.cat([torch.full((2, 1), -INF), torch.zeros(2, 9)], dim=1)
    assert rank_of(score, torch.tensor([1, 9])).tolist() == [9, 9]


def test_rank_is_the_naive_rank_with_ties_and_exclusions() -> None:
    generator = torch.Generator().manual_seed(0)
    score = torch.randint(0, 6, (40, 16), generator=generator).float()
    score[:, 0] = -INF
    score[torch.rand(40, 16, generator=generator) < 0.2] = -INF
    target = torch.randint(1, 16, (40,), generator=generator)
    expected = [
        naive_rank(row[1:].numpy(), int(item)) if row[item] > -INF else UNRANKED
        for row, item in zip(score, target, strict=True)
    ]
    assert rank_of(score, target).tolist() == expected


def test_padding_never_takes_a_rank() -> None:
    score = torch.tensor([[-INF, 1.0, 2.0]])
    assert rank_of(score, torch.tensor([1])).tolist() == [2]
    assert rank_of(torch.full((1, 3), -INF), torch.tensor([1])).tolist() == [UNRANKED]


def test_rank_leaves_the_scores_alone() -> None:
    score = torch.tensor([[-INF, 1.0, 2.0]])
    rank_of(score, torch.tensor([1]))
    assert torch.equal(score, torch.tensor([[-INF, 1.0, 2.0]]))


def test_a_target_whose_score_is_not_a_number_is_said() -> None:
    score = torch.tensor([[-INF, float("nan"), 2.0, 3.0]])
    with pytest.raises(RunError, match="NaN"):
        rank_of(score, torch.tensor([1]))


# Lists


def test_top_items_are_the_best_of_a_sort() -> None:
    score = torch.randn(9, 21, generator=torch.Generator().manual_seed(0))
    score[:, 0] = -INF
    items, values = top_items(score, 5)
    assert items.tolist() == np.argsort(-score.numpy(), axis=1)[:, :5].tolist()
    assert torch.equal(values, score.gather(1, items))


def test_top_items_never_hold_padding_nor_more_than_the_catalogue() -> None:
    score = torch.tensor([[-INF, 1.0, 3.0, 2.0]])
    items, values = top_items(score, 10)
    assert items.tolist() == [[2, 3, 1]]
    assert values.tolist() == [[3.0, 2.0, 1.0]]


def test_top_items_are_zero_where_nothing_is_left() -> None:
    score = torch.tensor([[-INF, -INF, 3.0, -INF], [-INF, -INF, -INF, -INF]])
    items, values = top_items(score, 3)
    assert items.tolist() == [[2, 0, 0], [0, 0, 0]]
    assert values[0].tolist() == [3.0, -INF, -INF]


# From the log to ranks


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("n_items", [7, 40])
def test_target_ranks_are_the_naive_loop(n_items: int, exclude_seen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "SCORE_ROWS", 7)
    monkeypatch.setattr(encoding, "USER_ROWS", 5)
    table = whole_numbers(n_items, 3, seed=1)
    items, start, target = a_log(30, n_items, seed=2)
    ranks, _ = target_ranks(LastItemNetwork(table), HistoryBatch(items, start, target), exclude_seen)
    for user in range(30):
        history, wanted = items[start[user] : target[user]].tolist(), int(items[target[user]])
        scores = naive_scores(table, history, exclude_seen)
        if exclude_seen and wanted in history:
            assert int(ranks[user]) == UNRANKED
        else:
            assert int(ranks[user]) == naive_rank(scores, wanted)


def test_a_target_in_the_users_own_history_is_beyond_every_cutoff() -> None:
    table = torch.eye(9)  # every item is nearest to itself
    network = LastItemNetwork(table)
    assert target_ranks(network, one_history([4, 2, 4], 2))[0].tolist() == [UNRANKED]
    kept, _ = target_ranks(network, one_history([4, 2, 4], 1), exclude_seen=False)
    assert kept.tolist() == [8]  # item 2 ties with six others at 0, item 4 lies above
    repeated, _ = target_ranks(network, one_history([4, 4], 1), False)
    assert repeated.tolist() == [1]


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_scores_from_elsewhere_are_ranked_by_the_same_rules(exclude_seen: bool) -> None:
    table = whole_numbers(15, 3, seed=1)
    items, start, target = a_log(20, 15, seed=2)
    scores = table[items[target - 1]] @ table.T
    expected, _ = target_ranks(LastItemNetwork(table), HistoryBatch(items, start, target), exclude_seen)
    assert torch.equal(ranks_by_scores(scores, HistoryBatch(items, start, target), exclude_seen), expected)


@pytest.mark.parametrize("one_by_one_from", [0, 10**9])
def test_each_item_of_a_basket_is_ranked_by_the_same_rules(
    one_by_one_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "ONE_BY_ONE_FROM", one_by_one_from)
    monkeypatch.setattr(ranks, "MOST_AT_ONCE", 2)
    items, start, last = a_log(30, 15, seed=4)
    histories = HistoryBatch(items, start, start + 1 + (last - start) // 3, until_Q=last + 1)
    score_QV = torch.randint(-2, 3, (30, 16), generator=torch.Generator().manual_seed(5)).double()
    score_QV[:, 0] = -INF
    targets = TargetPlaces(histories)
    found = torch.zeros_like(targets.item_X)
    for place in torch.randperm(30, generator=torch.Generator().manual_seed(6)).split(7):
        targets.rank(score_QV[place], place, found)
    pairs = zip(targets.row_X.tolist(), targets.item_X.tolist(), strict=True)
    assert found.tolist() == [naive_rank(score_QV[row, 1:].numpy(), item) for row, item in pairs]
    assert {1, 2, 3, 4} <= set(torch.bincount(targets.row_X).tolist())


def test_seen_items_older_than_the_window_are_excluded_too() -> None:
    network = LastItemNetwork(torch.ones(5, 2))
    ((_, scores),) = scores_of(network, one_history([1, 2, 2, 2, 2, 2, 2, 2, 3], 8), exclude_seen=True)
    assert scores.tolist() == [[-INF, -INF, -INF, 2.0, 2.0]]


def test_padding_is_never_scored_even_with_the_largest_vector() -> None:
    table = torch.ones(5, 2)
    table[0] = 1000
    for exclude_seen in (True, False):
        ((_, scores),) = scores_of(LastItemNetwork(table), one_history([1, 2], 1), exclude_seen)
        assert scores[0, 0].item() == -INF
        assert bool(scores[0, 2:].isfinite().all())


def test_score_blocks_cover_every_history_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "SCORE_ROWS", 4)
    items, start, target = a_log(11, 9, seed=5)
    network = LastItemNetwork(whole_numbers(9, 2, 0))
    blocks = [at.tolist() for at, _ in scores_of(network, HistoryBatch(items, start, target), exclude_seen=True)]
    assert sorted(at for block in blocks for at in block) == list(range(11))
    lengths = [int(target[at] - start[at]) for block in blocks for at in block]
    assert lengths == sorted(lengths)


def test_a_catalogue_with_one_damaged_item_is_not_ranked() -> None:
    table = whole_numbers(8, 2, seed=0)
    table[7] = float("nan")
    with pytest.raises(RunError, match="NaN"):
        target_ranks(LastItemNetwork(table), one_history([1, 2, 3], 2))


def test_a_network_that_diverged_is_not_ranked() -> None:
    table = torch.full((9, 2), float("nan"))
    with pytest.raises(RunError, match="NaN"):
        target_ranks(LastItemNetwork(table), one_history([1, 2, 3], 2))


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_coverage_is_the_share_of_items_in_anybodys_list(exclude_seen: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "SCORE_ROWS", 4)
    n_items = 50
    table = torch.randn(n_items + 1, 4, generator=torch.Generator().manual_seed(0))
    items, start, target = a_log(10, n_items, seed=3)
    _, coverage = target_ranks(LastItemNetwork(table), HistoryBatch(items, start, target), exclude_seen, (1, 5, 80))
    for k in (1, 5, 80):
        shown = set()
        for user in range(10):
            scores = naive_scores(table, items[start[user] : target[user]].tolist(), exclude_seen)
            shown |= {int(at) for at in np.argsort(-scores)[:k] if scores[at] > -np.inf}
        assert coverage[f"coverage@{k}"] == pytest.approx(len(shown) / n_items)
    assert coverage["coverage@1"] < coverage["coverage@5"] < coverage["coverage@80"]


def test_no_coverage_without_a_cutoff() -> None:
    items, start, target = a_log(3, 9, seed=1)
    network = LastItemNetwork(whole_numbers(9, 2, 0))
    assert target_ranks(network, HistoryBatch(items, start, target))[1] == {}


# With the real network


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_user_vectors_are_those_of_each_history_alone(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "USER_ROWS", 4)
    torch.manual_seed(0)
    settings = resolve(recipe, {"embedding_dim": 8, "max_seq_len": MAX_LEN, "n_intents": 3})
    network = ELCRecNetwork(settings, 20).eval()
    items, start, target = a_log(15, 20, seed=4)
    vectors = user_vectors(network, HistoryBatch(items, start, target))
    for user in range(15):
        history = items[start[user] : target[user]][-MAX_LEN:]
        alone = lay_out(history[None], torch.tensor([len(history)]), MAX_LEN, settings.padding)
        torch.testing.assert_close(vectors[user], network.encode_users(alone)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_the_mask_row_of_the_released_table_is_never_ranked(recipe: str) -> None:
    torch.manual_seed(0)
    settings = resolve(recipe, {"embedding_dim": 8, "max_seq_len": MAX_LEN, "n_intents": 3})
    network = ELCRecNetwork(settings, 20).eval()
    items, start, target = a_log(4, 20, seed=4)
    for _, scores in scores_of(network, HistoryBatch(items, start, target), exclude_seen=True):
        assert scores.shape[1] == 21
        assert 1 <= int(top_items(scores, 20)[0].max()) <= 20
