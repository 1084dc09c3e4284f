"""What positions predict: the items, or the baskets, that follow; against loops."""

import pytest
import torch

from elcrec.config import Settings
from elcrec.data.splits import Split
from elcrec.training.targets import Targets, TargetSource, target_weights, weigh

BASKETS = [[1, 2], [3], [4, 5, 6], [7, 8]]


def split_of(baskets: list[list[int]], trained: int) -> Split:
    """One user, whose first ``trained`` events are learnt from."""
    item_N = torch.tensor([item for basket in baskets for item in basket])
    newest = [
        place for n, basket in enumerate(baskets) for place in [sum(map(len, baskets[: n + 1])) - 1] * len(basket)
    ]
    at = [torch.tensor([value]) for value in (0, len(item_N), trained, -1, -1)]
    return Split(item_N, *at, newest_N=torch.tensor(newest))


def targets(split: Split, horizon: int) -> Targets:
    n_events = len(split.item_N)
    source = TargetSource(split, Settings(horizon=horizon))
    everywhere = torch.ones(n_events, dtype=torch.bool)
    return source.of(split.item_N, torch.arange(n_events), torch.zeros(n_events, dtype=torch.int64), everywhere)


def test_the_last_of_a_basket_predicts_the_next_baskets_and_the_others_nothing() -> None:
    for horizon in (1, 2):
        found = targets(split_of(BASKETS, 8), horizon)
        place = 0
        for number, basket in enumerate(BASKETS):
            for column in range(len(basket)):
                kept = found.item_TH[place] > 0
                items = list(zip(found.item_TH[place][kept].tolist(), found.step_TH[place][kept].tolist(), strict=True))
                last = column == len(basket) - 1
                ahead = [
                    (item, step)
                    for step in range(horizon)
                    for item in (BASKETS[number + 1 + step : number + 2 + step] or [[]])[0]
                ]
                assert items == (ahead[: found.item_TH.shape[1]] if last else [])
                place += 1


def test_nothing_held_out_is_a_target() -> None:
    found = targets(split_of(BASKETS, 6), 2)
    assert not set(found.item_TH.flatten().tolist()) & {7, 8}


def test_without_baskets_each_position_predicts_the_next_items() -> None:
    split = split_of([[item] for item in range(1, 9)], 7)
    plain = Split(split.item_N, split.start_U, split.end_U, split.train_end_U, split.valid_U, split.test_U)
    assert torch.equal(targets(plain, 3).item_TH, targets(split, 3).item_TH)
    assert targets(plain, 3).item_TH[:3].tolist() == [[2, 3, 4], [3, 4, 5], [4, 5, 6]]


def test_a_basket_shares_one_weight() -> None:
    item_NH, step_NH = torch.tensor([[5, 6, 7, 5], [5, 0, 0, 0]]), torch.tensor([[0, 0, 1, 1], [0, 1, 1, 1]])
    at_first = target_weights(Targets(item_NH, step_NH), 0.5)
    torch.testing.assert_close(at_first, torch.tensor([[0.4, 0.4, 0.2, 0.0], [1.0, 0.0, 0.0, 0.0]]))
    at_last = target_weights(Targets(item_NH, step_NH), 0.5, passed=1.0)
    torch.testing.assert_close(at_last, torch.tensor([[0.5, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]))


def weighed_split(weights: list[float], trained: int, baskets: bool = False) -> Split:
    """The items 1, 2, ... of one user, with weights; in baskets of two or each alone."""
    n_events = len(weights)
    at = [torch.tensor([value]) for value in (0, n_events, trained, -1, -1)]
    newest_N = torch.arange(n_events) | 1 if baskets else None
    return Split(torch.arange(1, n_events + 1), *at, newest_N=newest_N, weight_N=torch.tensor(weights))


def test_events_of_weight_0_are_passed_over() -> None:
    found = targets(weighed_split([0, 1, 0, 0.5, 0, 0, 1, 1], 7), 2)
    assert found.item_TH.tolist() == [[2, 4], [4, 7], [4, 7], [7, 0], [7, 0], [7, 0], [0, 0], [0, 0]]
    assert found.weight_TH is not None
    assert found.weight_TH.tolist()[:4] == [[1, 0.5], [0.5, 1], [0.5, 1], [1, 0]]


def test_baskets_count_where_they_hold_a_target() -> None:
    found = targets(weighed_split([1, 1, 0, 0, 0.5, 0, 1, 1], 8, baskets=True), 2)
    assert found.item_TH[0].tolist() == [0] * found.item_TH.shape[1]
    of_first = list(zip(found.item_TH[1].tolist(), found.step_TH[1].tolist(), strict=True))
    assert [pair for pair in of_first if pair[0]] == [(5, 0), (7, 1), (8, 1)][: found.item_TH.shape[1]]
    assert found.item_TH[3].tolist()[:3] == [5, 7, 8][: found.item_TH.shape[1]]


def test_shuffled_baskets_keep_the_weights_of_their_items() -> None:
    split = weighed_split([1, 1, 0, 1, 0.5, 0, 1, 1], 8, baskets=True)
    source, n_events = TargetSource(split, Settings(horizon=1)), 8
    shuffled_N = split.item_N.view(-1, 2).flip(1).flatten()
    everywhere = torch.ones(n_events, dtype=torch.bool)
    found = source.of(shuffled_N, torch.arange(n_events), torch.zeros(n_events, dtype=torch.int64), everywhere)
    assert found.weight_TH is not None
    assert [found.item_TH[place, 0].item() for place in (1, 3, 5)] == [4, 5, 7]
    assert [found.weight_TH[place, 0].item() for place in (1, 3, 5)] == [1, 0.5, 1]


@pytest.mark.parametrize("n_baskets", [3, 400])
def test_steps_are_not_negative_where_the_log_ends_with_input_only(n_baskets: int) -> None:
    """Steps are exponents of a decay: what no target holds must not make it infinite."""
    found = targets(weighed_split([1.0, 0.0] * n_baskets + [0.0, 0.0], 2 * n_baskets, baskets=True), 2)
    assert int(found.step_TH.min()) >= 0
    predicting = found.at(torch.nonzero(found.item_TH[:, 0]).flatten())
    weight_NH, row_N = weigh(predicting, 0.5)
    assert row_N is not None
    assert bool(weight_NH.isfinite().all() & row_N.isfinite().all())
    torch.testing.assert_close(weight_NH.sum(dim=1), torch.ones(len(predicting.item_TH)))


def test_a_row_counts_by_its_weights_and_the_root_of_its_basket() -> None:
    item_NH, step_NH = torch.tensor([[5, 6, 7, 8], [5, 0, 0, 0]]), torch.zeros(2, 4, dtype=torch.int64)
    weight_NH = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.1, 0, 0, 0]])
    _, row_N = weigh(Targets(item_NH, step_NH, baskets=True, weight_TH=weight_NH), 0.5)
    torch.testing.assert_close(row_N, torch.tensor([2 * 0.5, 0.1]))
    _, row_N = weigh(Targets(item_NH, step_NH, baskets=True), 0.5)
    torch.testing.assert_close(row_N, torch.tensor([2.0, 1.0]))
    assert weigh(Targets(item_NH, step_NH), 0.5)[1] is None


def test_weights_of_one_are_as_none() -> None:
    split = weighed_split([1.0] * 8, 7)
    plain = Split(split.item_N, split.start_U, split.end_U, split.train_end_U, split.valid_U, split.test_U)
    assert torch.equal(targets(split, 3).item_TH, targets(plain, 3).item_TH)
    assert torch.equal(split.target_end_U, plain.target_end_U)


def test_rows_sum_to_1_and_count_by_their_mean_weight() -> None:
    item_NH, step_NH = torch.tensor([[5, 6], [5, 5], [5, 0]]), torch.tensor([[0, 1]] * 3)
    weight_NH = torch.tensor([[0.1, 1.0], [0.1, 1.0], [0.1, 0.0]])
    found_NH, mean_N = weigh(Targets(item_NH, step_NH, weight_TH=weight_NH), 0.5)
    assert mean_N is not None
    torch.testing.assert_close(mean_N, torch.tensor([0.4, 1.0, 0.1]))  # of an item that comes twice its largest weight
    torch.testing.assert_close(found_NH, torch.tensor([[1 / 6, 5 / 6], [1, 0], [1, 0]]))
    at_last_NH, mean_N = weigh(Targets(item_NH, step_NH, weight_TH=weight_NH), 0.5, passed=1.0)
    torch.testing.assert_close(at_last_NH, torch.tensor([[1.0, 0], [1, 0], [1, 0]]))
    torch.testing.assert_close(mean_N, torch.tensor([0.1, 1.0, 0.1]))


def test_users_without_a_target_to_learn_from_are_no_learners() -> None:
    both = Split(
        torch.arange(1, 9),
        torch.tensor([0, 4]),
        torch.tensor([4, 8]),
        torch.tensor([4, 8]),
        torch.tensor([-1, -1]),
        torch.tensor([-1, -1]),
        weight_N=torch.tensor([1.0, 0, 0, 0, 0, 1, 0, 0]),
    )
    assert both.target_end_U.tolist() == [1, 6]
    assert both.learners().tolist() == [1]
