"""Every loss against a loop written from its formula, values and gradients."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.losses import sampled_softmax as sampled_module
from elcrec.losses import softmax as softmax_module
from elcrec.losses.bce import bce
from elcrec.losses.clustering import (
    BALANCE,
    alignment,
    nearest_cluster_loss,
    printed_cluster_loss,
    separation,
)
from elcrec.losses.contrastive import nt_xent
from elcrec.losses.gbce import gbce
from elcrec.losses.prediction import ExtraScores
from elcrec.losses.softmax import CHUNK_ROWS
from elcrec.training.targets import Targets
from elcrec.training.targets import target_weights as weights_of_targets


def target_weights(item_NH: Tensor, decay: float) -> Tensor:
    """Of items one after the other."""
    return weights_of_targets(Targets(item_NH, torch.arange(item_NH.shape[1]).expand_as(item_NH)), decay)


def draw(*shape: int, seed: int = 0, scale: float = 1.0, dtype: torch.dtype = torch.float64) -> Tensor:
    """A leaf tensor of normal numbers that wants a gradient."""
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(*shape, generator=generator, dtype=torch.float64) * scale
    return numbers.to(dtype).requires_grad_()


def softmax(hidden: Tensor, items: Tensor, target: Tensor) -> Tensor:
    """With one target a row."""
    return softmax_module.softmax(hidden, items, target[:, None], torch.ones(len(target), 1, dtype=hidden.dtype))


def sampled_softmax(hidden: Tensor, items: Tensor, target: Tensor, drawn: Tensor, expected: Tensor) -> Tensor:
    """With one target a row."""
    ones = torch.ones(len(target), 1, dtype=hidden.dtype)
    return sampled_module.sampled_softmax(hidden, items, target[:, None], ones, drawn, expected)


def same_value_and_gradients(
    ours: Callable[..., Tensor], naive: Callable[..., Tensor], *inputs: Tensor, tolerance: float = 1e-10
) -> None:
    """Both functions agree, and so do their gradients with respect to every input."""
    value, expected = ours(*inputs), naive(*inputs)
    torch.testing.assert_close(value, expected, rtol=tolerance, atol=tolerance)
    gradients = torch.autograd.grad(value, inputs)
    for gradient, wanted in zip(gradients, torch.autograd.grad(expected, inputs), strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=tolerance, atol=tolerance)


# The cluster loss of the paper


def naive_separation(centers: Tensor) -> Tensor:
    """Over K squared pairs as released; the diagonal adds nothing to the sum, only to the divisor."""
    n = len(centers)
    total = sum(((centers[i] - centers[j]) ** 2).sum() for i in range(n) for j in range(n))
    return -total / n**2


def naive_alignment(behaviour: Tensor, centers: Tensor) -> Tensor:
    total = sum(((h - c) ** 2).sum() for h in behaviour for c in centers)
    return total / (len(behaviour) * len(centers))


def naive_cluster_loss(behaviour: Tensor, centers: Tensor) -> Tensor:
    return naive_separation(centers) + naive_alignment(behaviour, centers)


@pytest.mark.parametrize("unit_rows", [True, False], ids=["unit", "any"])
@pytest.mark.parametrize(("n_rows", "n_centers", "width"), [(1, 2, 1), (5, 3, 4), (4, 9, 6)])
def test_closed_cluster_loss_is_the_double_loop(n_rows: int, n_centers: int, width: int, unit_rows: bool) -> None:
    behaviour, centers = draw(n_rows, width, seed=1), draw(n_centers, width, seed=2, scale=3)
    if unit_rows:
        behaviour = F.normalize(behaviour.detach(), dim=-1).requires_grad_()
        centers = F.normalize(centers.detach(), dim=-1).requires_grad_()
    same_value_and_gradients(separation, naive_separation, centers)
    same_value_and_gradients(alignment, naive_alignment, behaviour, centers)
    same_value_and_gradients(printed_cluster_loss, naive_cluster_loss, behaviour, centers)


def test_separation_is_the_printed_formula_up_to_its_divisor() -> None:
    centers = draw(7, 3)
    printed = -sum(((centers[i] - centers[j]) ** 2).sum() for i in range(7) for j in range(7) if i != j) / (7 * 6)
    torch.testing.assert_close(separation(centers) * 7 / 6, printed)


def test_printed_cluster_loss_of_unit_rows_sees_only_the_mean_centre() -> None:
    angles = torch.tensor([0.3, -0.3, 2.0], dtype=torch.float64)
    spread = torch.stack([angles.cos(), angles.sin()], dim=1)
    mean = spread.mean(dim=0)
    # Three other unit rows with the same mean: the triangle mirrored at the line through the mean.
    axis = mean / mean.norm()
    mirrored = 2 * (spread @ axis)[:, None] * axis - spread
    behaviour = F.normalize(draw(4, 2).detach(), dim=-1)
    assert not torch.allclose(spread.sort(dim=0).values, mirrored.sort(dim=0).values)
    torch.testing.assert_close(printed_cluster_loss(behaviour, spread), printed_cluster_loss(behaviour, mirrored))


def test_separation_of_equal_centres_is_zero_and_never_positive() -> None:
    assert separation(torch.ones(4, 3, dtype=torch.float64)).item() == pytest.approx(0, abs=1e-12)
    assert separation(draw(6, 5)).item() < 0


# Contrast


def naive_nt_xent(a: Tensor, b: Tensor, temperature: float = 1.0, same: Tensor | None = None) -> Tensor:
    z = [*a, *b]
    n = len(a)
    total = a.new_zeros(())
    for i in range(2 * n):
        partner = (i + n) % (2 * n)
        others = a.new_zeros(())
        for j in range(2 * n):
            false_negative = same is not None and j != partner and same[i % n] == same[j % n]
            if j != i and not false_negative:
                others = others + (z[i] @ z[j] / temperature).exp()
        total = total - ((z[i] @ z[partner] / temperature).exp() / others).log()
    return total / (2 * n)


@pytest.mark.parametrize("temperature", [1.0, 0.3])
@pytest.mark.parametrize("same", [None, [0, 1, 2, 3], [4, 4, 1, 4], [7, 7, 7, 7]], ids=str)
def test_nt_xent_is_the_double_loop(same: list[int] | None, temperature: float) -> None:
    same_B = None if same is None else torch.tensor(same)
    same_value_and_gradients(
        lambda a, b: nt_xent(a, b, temperature, same_B),
        lambda a, b: naive_nt_xent(a, b, temperature, same_B),
        draw(4, 3, seed=1),
        draw(4, 3, seed=2),
    )


def test_nt_xent_with_distinct_labels_is_nt_xent_without() -> None:
    a, b = draw(5, 3, seed=1), draw(5, 3, seed=2)
    torch.testing.assert_close(nt_xent(a, b, 0.5, torch.arange(5)), nt_xent(a, b, 0.5), rtol=0, atol=0)


def test_nt_xent_has_nothing_to_tell_apart_in_one_pair_or_one_intent() -> None:
    assert nt_xent(draw(1, 3, seed=1), draw(1, 3, seed=2)).item() == 0
    assert nt_xent(draw(6, 3, seed=1), draw(6, 3, seed=2), 1.0, torch.zeros(6)).item() == 0


def test_nt_xent_of_equal_vectors_is_the_logarithm_of_the_number_of_others() -> None:
    same_vectors = torch.ones(8, 3)
    assert nt_xent(same_vectors, same_vectors).item() == pytest.approx(math.log(15), rel=1e-6)


# Next item


def naive_bce(hidden: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    total = hidden.new_zeros(())
    for h, p, n in zip(hidden, positive, negative, strict=True):
        seen, drawn = 1 / (1 + (-(h @ p)).exp()), 1 / (1 + (-(h @ n)).exp())
        total = total - seen.log() - (1 - drawn).log()
    return total / len(hidden)


def test_bce_is_the_loop() -> None:
    same_value_and_gradients(bce, naive_bce, draw(6, 4, seed=1), draw(6, 4, seed=2), draw(6, 4, seed=3))


def test_bce_of_a_hopeless_prediction_is_finite() -> None:
    hidden, away = torch.full((2, 1), 100.0, requires_grad=True), torch.full((2, 1), 100.0)
    loss = bce(hidden, -away, away)
    loss.backward()
    assert loss.item() == pytest.approx(-2 * math.log(1e-24), rel=1e-5)
    assert hidden.grad is not None
    assert bool(hidden.grad.isfinite().all())


@pytest.mark.parametrize(
    "n_rows",
    [1, 2, CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, 2 * CHUNK_ROWS, 3 * CHUNK_ROWS + 17],
)
@pytest.mark.parametrize("n_items", [1, 23])
def test_fused_softmax_is_cross_entropy(n_rows: int, n_items: int) -> None:
    target = torch.randint(n_items, (n_rows,), generator=torch.Generator().manual_seed(3))
    same_value_and_gradients(
        lambda hidden, items: softmax(hidden, items, target),
        lambda hidden, items: F.cross_entropy(hidden @ items.T, target),
        draw(n_rows, 5, seed=1),
        draw(n_items, 5, seed=2),
    )


def test_fused_softmax_is_cross_entropy_in_float32() -> None:
    target = torch.arange(100) % 40
    same_value_and_gradients(
        lambda hidden, items: softmax(hidden, items, target),
        lambda hidden, items: F.cross_entropy(hidden @ items.T, target),
        draw(100, 16, seed=1, dtype=torch.float32),
        draw(40, 16, seed=2, dtype=torch.float32),
        tolerance=2e-6,
    )


def test_fused_softmax_is_the_loop() -> None:
    target = [2, 0, 2]

    def naive(hidden: Tensor, items: Tensor) -> Tensor:
        total = hidden.new_zeros(())
        for h, wanted in zip(hidden, target, strict=True):
            total = total - (h @ items[wanted]) + sum((h @ item).exp() for item in items).log()
        return total / len(target)

    same_value_and_gradients(
        lambda hidden, items: softmax(hidden, items, torch.tensor(target)),
        naive,
        draw(3, 2, seed=1),
        draw(4, 2, seed=2),
    )


def test_fused_softmax_passes_a_weight_on_to_both_gradients() -> None:
    target = torch.tensor([0, 3, 1])
    same_value_and_gradients(
        lambda hidden, items: -2.5 * softmax(hidden, items, target) ** 2,
        lambda hidden, items: -2.5 * F.cross_entropy(hidden @ items.T, target) ** 2,
        draw(3, 4, seed=1),
        draw(5, 4, seed=2),
    )


def test_fused_softmax_of_a_hopeless_row_has_the_exact_gradient() -> None:
    hidden = torch.tensor([[300.0, 0.0], [0.5, -1.0]], requires_grad=True)
    items = torch.tensor([[-1.0, 0.3], [1.0, 0.2], [0.9, -0.4]], requires_grad=True)
    target = torch.tensor([0, 2])
    loss = softmax(hidden, items, target)
    gradients = torch.autograd.grad(loss, (hidden, items))
    expected = torch.autograd.grad(F.cross_entropy(hidden @ items.T, target), (hidden, items))
    for gradient, wanted in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-5, atol=1e-6)
    assert bool(gradients[0][0].abs().max() > 0.5)  # the hopeless row still learns


def test_fused_softmax_of_a_hopeless_row_is_not_cut_off() -> None:
    loss = softmax(torch.tensor([[1000.0]]), torch.tensor([[-1.0], [1.0]]), torch.tensor([0]))
    assert loss.item() == 2000


def test_fused_softmax_in_bfloat16_is_near_and_not_to_one_side() -> None:
    hidden, items = draw(600, 32, seed=1), draw(500, 32, seed=2)
    grads = {}
    for products in (torch.float32, torch.bfloat16):
        leaves = [part.detach().float().requires_grad_() for part in (hidden, items)]
        loss = softmax_module.softmax(*leaves, torch.arange(600)[:, None] % 500, torch.ones(600, 1), products)
        loss.backward()
        grads[products] = [loss.detach(), *(leaf.grad for leaf in leaves)]
    assert all(grad.dtype == torch.float32 for grad in grads[torch.bfloat16])
    for exact, near in zip(grads[torch.float32], grads[torch.bfloat16], strict=True):
        assert (near - exact).norm() < 0.02 * exact.norm()
    exact, near = (grads[products][2] for products in (torch.float32, torch.bfloat16))
    assert abs(1 - (near * exact).sum() / exact.square().sum()) < 2e-3


def test_fused_softmax_leaves_its_inputs_alone() -> None:
    hidden, items = draw(70, 3, seed=1), draw(9, 3, seed=2)
    before = hidden.detach().clone(), items.detach().clone()
    softmax(hidden, items, torch.arange(70) % 9).backward()
    assert torch.equal(hidden, before[0])
    assert torch.equal(items, before[1])


# Gradients against finite differences

GRADIENT_CASES: dict[str, tuple[Callable[..., Tensor], tuple[tuple[int, ...], ...]]] = {
    "separation": (separation, ((4, 3),)),
    "alignment": (alignment, ((5, 3), (4, 3))),
    "printed_cluster_loss": (printed_cluster_loss, ((5, 3), (4, 3))),
    "nearest_cluster_loss": (lambda h, c: nearest_cluster_loss(h, c, torch.tensor([9, 0, 1, 2])), ((5, 3), (4, 3))),
    "nt_xent": (lambda a, b: nt_xent(a, b, 0.7), ((4, 3), (4, 3))),
    "nt_xent_same": (
        lambda a, b: nt_xent(a, b, 0.7, torch.tensor([1, 1, 0, 2])),
        ((4, 3), (4, 3)),
    ),
    "bce": (bce, ((5, 3), (5, 3), (5, 3))),
    "softmax": (lambda h, v: softmax(h, v, torch.arange(6) % 4), ((6, 3), (4, 3))),
}


@pytest.mark.parametrize("name", GRADIENT_CASES)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    loss, shapes = GRADIENT_CASES[name]
    inputs = tuple(draw(*shape, seed=number) for number, shape in enumerate(shapes))
    assert torch.autograd.gradcheck(loss, inputs)


def test_softmax_gradients_over_several_chunks_are_those_of_finite_differences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(softmax_module, "CHUNK_ROWS", 2)
    target = torch.tensor([0, 1, 2, 3, 0])
    assert torch.autograd.gradcheck(lambda h, v: softmax(h, v, target), (draw(5, 3, seed=1), draw(4, 3, seed=2)))


# Distance to the nearest centre


def unit_rows(n_rows: int, width: int, seed: int) -> Tensor:
    return F.normalize(draw(n_rows, width, seed=seed).detach(), dim=-1)


def naive_nearest_cluster_loss(behaviour: Tensor, centers: Tensor, users: list[int]) -> Tensor:
    mean = sum(users) / len(users)
    losses = []
    for h in behaviour:
        cosines = [h @ c / (h.norm() * c.norm()) for c in centers]
        biased = [
            cosine.item() - BALANCE * math.log((n + 1) / (mean + 1)) for cosine, n in zip(cosines, users, strict=True)
        ]
        losses.append(1 - cosines[biased.index(max(biased))])
    return torch.stack(losses).mean()


@pytest.mark.parametrize("users", [[0, 0, 0, 0], [5, 5, 5, 5], [100, 0, 3, 40]])
def test_nearest_cluster_loss_is_the_loop(users: list[int]) -> None:
    same_value_and_gradients(
        lambda h, c: nearest_cluster_loss(h, c, torch.tensor(users)),
        lambda h, c: naive_nearest_cluster_loss(h, c, users),
        draw(9, 3, seed=1),
        draw(4, 3, seed=2),
    )


def test_nearest_cluster_loss_does_not_depend_on_lengths() -> None:
    behaviour, centers, users = draw(6, 4, seed=1), draw(3, 4, seed=2), torch.zeros(3)
    torch.testing.assert_close(
        nearest_cluster_loss(behaviour, centers, users), nearest_cluster_loss(5 * behaviour, centers / 9, users)
    )


def test_behaviour_on_its_centre_costs_nothing() -> None:
    centers = unit_rows(5, 4, seed=3)
    assert nearest_cluster_loss(3 * centers, centers, torch.zeros(5)).item() == pytest.approx(0, abs=1e-12)


def test_a_large_intent_gives_way_to_a_small_one_that_is_almost_as_near() -> None:
    centers = torch.eye(2, dtype=torch.float64, requires_grad=True)
    between = F.normalize(torch.tensor([[1.0, 0.999]], dtype=torch.float64), dim=-1)
    for users, pulled in (([0, 0], 0), ([1000, 0], 1)):
        gradient = torch.autograd.grad(nearest_cluster_loss(between, centers, torch.tensor(users)), centers)[0]
        assert gradient[pulled].norm() > 0
        assert gradient[1 - pulled].norm() == 0


def test_the_load_balancing_bias_never_outweighs_a_clear_difference() -> None:
    centers = torch.eye(2, dtype=torch.float64, requires_grad=True)
    clear = torch.tensor([[1.0, 0.2]], dtype=torch.float64)
    users = torch.tensor([10**6, 0])
    gradient = torch.autograd.grad(nearest_cluster_loss(clear, centers, users), centers)[0]
    assert gradient[1].norm() == 0


# Negatives and draws


def naive_gbce(hidden: Tensor, positive: Tensor, negative: Tensor, n_items: int, calibration: float) -> Tensor:
    sampled = negative.shape[1] / (n_items - 1)
    power = sampled * (calibration * (1 - 1 / sampled) + 1 / sampled)
    total = hidden.new_zeros(())
    for h, p, others in zip(hidden, positive, negative, strict=True):
        total = total - (torch.sigmoid(h @ p) ** power).log() - sum((1 - torch.sigmoid(h @ n)).log() for n in others)
    return total / len(hidden)


@pytest.mark.parametrize("calibration", [0.0, 0.4, 1.0])
def test_gbce_is_the_loop(calibration: float) -> None:
    same_value_and_gradients(
        lambda h, p, n: gbce(h, p, n, 30, calibration),
        lambda h, p, n: naive_gbce(h, p, n, 30, calibration),
        draw(5, 4, seed=1),
        draw(5, 4, seed=2),
        draw(5, 3, 4, seed=3),
    )


def test_gbce_without_calibration_and_with_one_negative_is_bce() -> None:
    hidden, positive, negative = draw(5, 4, seed=1), draw(5, 4, seed=2), draw(5, 4, seed=3)
    torch.testing.assert_close(gbce(hidden, positive, negative[:, None], 99, 0.0), bce(hidden, positive, negative))


@pytest.mark.parametrize(("n_items", "n_negatives"), [(1, 1), (1, 5), (2, 1), (3, 7)])
def test_gbce_that_sees_all_other_items_and_more_has_nothing_to_undo(n_items: int, n_negatives: int) -> None:
    same_value_and_gradients(
        lambda h, p, n: gbce(h, p, n, n_items, 0.75),
        lambda h, p, n: naive_gbce(h, p, n, n_negatives + 1, 0.0),
        draw(5, 4, seed=1),
        draw(5, 4, seed=2),
        draw(5, n_negatives, 4, seed=3),
    )


def test_sampled_softmax_with_every_item_drawn_once_is_softmax() -> None:
    drawn, expected, target = torch.arange(9), torch.ones(9, dtype=torch.float64), torch.tensor([0, 3, 3, 8])
    same_value_and_gradients(
        lambda h, e: sampled_softmax(h, e, target, drawn, expected),
        lambda h, e: F.cross_entropy(h @ e.T, target),
        draw(4, 3, seed=1),
        draw(9, 3, seed=2),
    )


def test_sampled_softmax_tends_to_softmax_as_draws_grow() -> None:
    hidden, items, target = draw(6, 3, seed=1), draw(40, 3, seed=2), torch.tensor([0, 3, 3, 8, 39, 20])
    chance = torch.linspace(1, 3, 40, dtype=torch.float64)
    chance = chance / chance.sum()
    drawn = torch.multinomial(chance, 200_000, replacement=True, generator=torch.Generator().manual_seed(0))
    # The target itself is left out of the draws and stands for itself, so nothing is counted twice.
    estimate = sampled_softmax(hidden, items, target, drawn, len(drawn) * chance[drawn])
    torch.testing.assert_close(estimate, F.cross_entropy(hidden @ items.T, target), rtol=0.005, atol=0.0)


def test_sampled_softmax_of_draws_that_all_hit_the_target_is_zero() -> None:
    loss = sampled_softmax(draw(2, 3), draw(4, 3, seed=1), torch.tensor([2, 2]), torch.tensor([2, 2]), torch.ones(2))
    assert loss.item() == 0


# Several coming items


TARGETS = torch.tensor([[0, 3, 1], [3, 0, 0], [8, 2, 0], [5, 5, 4]])
WEIGHTS = torch.tensor([[0.5, 0.3, 0.2], [1, 0, 0], [0.6, 0.4, 0], [0.7, 0, 0.3]], dtype=torch.float64)


def soft_targets() -> Tensor:
    dense = torch.zeros(4, 9, dtype=torch.float64)
    return dense.scatter_add(1, TARGETS, WEIGHTS)


def test_softmax_of_several_targets_is_cross_entropy_with_soft_labels() -> None:
    same_value_and_gradients(
        lambda h, e: softmax_module.softmax(h, e, TARGETS, WEIGHTS),
        lambda h, e: F.cross_entropy(h @ e.T, soft_targets()),
        draw(4, 3, seed=1),
        draw(9, 3, seed=2),
    )


def test_sampled_softmax_of_several_targets_with_every_item_drawn_once_is_the_same() -> None:
    same_value_and_gradients(
        lambda h, e: sampled_module.sampled_softmax(
            h, e, TARGETS, WEIGHTS, torch.arange(9), torch.ones(9, dtype=torch.float64)
        ),
        lambda h, e: F.cross_entropy(h @ e.T, soft_targets()),
        draw(4, 3, seed=1),
        draw(9, 3, seed=2),
    )


def test_coming_items_count_less_and_less_once_each() -> None:
    coming = torch.tensor([[7, 8, 9], [7, 0, 0], [7, 8, 7], [7, 7, 7], [7, 8, 0]])
    expected = [[4 / 7, 2 / 7, 1 / 7], [1, 0, 0], [2 / 3, 1 / 3, 0], [1, 0, 0], [2 / 3, 1 / 3, 0]]
    torch.testing.assert_close(target_weights(coming, 0.5), torch.tensor(expected))
    assert target_weights(coming[:, :1], 0.5).unique().tolist() == [1]


# Scores on top of the dot products


def pairs(n_rows: int, n_items: int, share: float, seed: int = 3) -> tuple[Tensor, Tensor]:
    """Distinct pairs of a row and an item, sorted; some rows have none."""
    chosen = torch.rand(n_rows, n_items, generator=torch.Generator().manual_seed(seed)) < share
    chosen[::5] = False
    row_P, item_P = torch.nonzero(chosen, as_tuple=True)
    return row_P, item_P


@pytest.mark.parametrize(("n_rows", "n_items"), [(1, 1), (7, 20), (CHUNK_ROWS + 3, 11)])
@pytest.mark.parametrize("scale", [1.0, 60.0])
def test_softmax_with_extra_scores_is_cross_entropy_of_the_sums(n_rows: int, n_items: int, scale: float) -> None:
    row_P, item_P = pairs(n_rows, n_items, 0.4)
    score_P = draw(len(row_P), seed=5, scale=scale)
    target_NH = torch.randint(n_items, (n_rows, 3), generator=torch.Generator().manual_seed(1))
    weight_NH = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).expand(n_rows, 3)

    def ours(hidden_ND: Tensor, items_VD: Tensor, score_P: Tensor) -> Tensor:
        extra = ExtraScores(row_P, item_P, score_P)
        return softmax_module.softmax(hidden_ND, items_VD, target_NH, weight_NH, extra=extra)

    def naive(hidden_ND: Tensor, items_VD: Tensor, score_P: Tensor) -> Tensor:
        logits_NV = (hidden_ND @ items_VD.T).index_put((row_P, item_P), score_P, accumulate=True)
        return -(weight_NH * logits_NV.log_softmax(dim=1).gather(1, target_NH)).sum() / n_rows

    same_value_and_gradients(ours, naive, draw(n_rows, 6), draw(n_items, 6, seed=2), score_P)


def test_extra_scores_of_nothing_are_the_loss_without() -> None:
    hidden_ND, items_VD, none = draw(5, 4), draw(9, 4, seed=1), torch.zeros(0, dtype=torch.int64)
    target_NH, weight_NH = torch.tensor([[0], [3], [8], [1], [1]]), torch.ones(5, 1, dtype=torch.float64)
    with_none = softmax_module.softmax(
        hidden_ND, items_VD, target_NH, weight_NH, extra=ExtraScores(none, none, torch.zeros(0, dtype=torch.float64))
    )
    assert torch.equal(with_none, softmax_module.softmax(hidden_ND, items_VD, target_NH, weight_NH))
