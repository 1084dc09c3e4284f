"""Spherical k-means finds planted clusters, the same ones for the same seed."""

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from elcrec.intents import kmeans
from elcrec.intents.kmeans import spherical_kmeans

SIZES = (40, 25, 12, 60, 8)


def planted(noise: float = 0.1, seed: int = 0, width: int = 8) -> tuple[Tensor, Tensor]:
    """Rows about five orthogonal directions, of any length, shuffled; and which direction each is about."""
    generator = torch.Generator().manual_seed(seed)
    truth_N = torch.arange(len(SIZES)).repeat_interleave(torch.tensor(SIZES))
    truth_N = truth_N[torch.randperm(len(truth_N), generator=generator)]
    rows_ND = torch.eye(width)[truth_N] + noise * torch.randn(len(truth_N), width, generator=generator)
    return rows_ND * (0.1 + 10 * torch.rand(len(truth_N), 1, generator=generator)), truth_N


def shapeless(seed: int = 0) -> Tensor:
    return torch.randn(90, 3, generator=torch.Generator().manual_seed(seed))


def mean_cosine(x_ND: Tensor, cluster_N: Tensor) -> float:
    """Of rows to the direction of the sum of their cluster."""
    total = 0.0
    for cluster in cluster_N.unique():
        unit_MD = F.normalize(x_ND[cluster_N == cluster].double(), dim=-1)
        total += (unit_MD @ F.normalize(unit_MD.sum(dim=0), dim=0)).sum().item()
    return total / len(x_ND)


@pytest.mark.parametrize("seed", range(5))
def test_planted_clusters_are_found(seed: int) -> None:
    x_ND, truth_N = planted(seed=seed)
    cluster_N = spherical_kmeans(x_ND, len(SIZES), seed)
    assert cluster_N.dtype == torch.int64
    assert cluster_N.shape == truth_N.shape
    assert adjusted_rand_score(truth_N, cluster_N) == 1
    assert sorted(cluster_N.unique().tolist()) == list(range(len(SIZES)))


@pytest.mark.parametrize("seed", range(3))
def test_every_row_ends_in_the_cluster_with_the_closest_mean_direction(seed: int) -> None:
    x_ND = shapeless(seed)
    cluster_N = spherical_kmeans(x_ND, 6, seed, iterations=200)
    unit_ND = F.normalize(x_ND, dim=-1)
    centers = [F.normalize(unit_ND[cluster_N == k].sum(dim=0), dim=0) for k in range(6)]
    for row, cluster in zip(unit_ND, cluster_N.tolist(), strict=True):
        cosines = [(row @ center).item() for center in centers]
        assert cosines[cluster] == pytest.approx(max(cosines), abs=1e-6)


def test_the_seed_decides_and_the_global_generator_does_not() -> None:
    x_ND, before = shapeless(), torch.get_rng_state()
    first = spherical_kmeans(x_ND, 7, seed=3, restarts=1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    assert torch.equal(spherical_kmeans(x_ND, 7, seed=3, restarts=1), first)
    assert not torch.equal(spherical_kmeans(x_ND, 7, seed=4, restarts=1), first)


def test_the_length_of_rows_does_not_matter() -> None:
    x_ND = shapeless()
    scale_N1 = 2.0 ** torch.randint(-6, 7, (len(x_ND), 1), generator=torch.Generator().manual_seed(1))
    assert torch.equal(spherical_kmeans(x_ND * scale_N1, 6, seed=0), spherical_kmeans(x_ND, 6, seed=0))


def test_the_input_is_left_as_it_was() -> None:
    x_ND = shapeless()
    spherical_kmeans(x_ND, 6, seed=0)
    assert torch.equal(x_ND, shapeless())


def test_of_several_restarts_the_best_is_kept() -> None:
    x_ND = shapeless()
    once = [mean_cosine(x_ND, spherical_kmeans(x_ND, 6, seed, restarts=1, iterations=100)) for seed in range(12)]
    often = [mean_cosine(x_ND, spherical_kmeans(x_ND, 6, seed, restarts=8, iterations=100)) for seed in range(12)]
    assert all(more >= one - 1e-6 for more, one in zip(often, once, strict=True))
    assert sum(often) > sum(once) + 1e-3


def test_an_empty_cluster_begins_again_at_another_row() -> None:
    truth_N = torch.tensor([0] * 50 + [1] * 25 + [2] * 25)
    x_ND = torch.eye(4)[truth_N]
    for seed in range(40):  # one start in eight begins with three equal rows
        assert adjusted_rand_score(truth_N, spherical_kmeans(x_ND, 3, seed, restarts=1)) == 1


def test_more_clusters_than_distinct_rows_keep_equal_rows_together_and_others_apart() -> None:
    truth_N = torch.arange(3).repeat(10)
    cluster_N = spherical_kmeans(torch.eye(5)[truth_N], 8, seed=0)
    assert adjusted_rand_score(truth_N, cluster_N) == 1
    assert int(cluster_N.min()) >= 0
    assert int(cluster_N.max()) < 8


def test_more_clusters_than_rows_give_each_row_its_own() -> None:
    assert sorted(spherical_kmeans(torch.eye(3), 7, seed=0).tolist()) == [0, 1, 2]


@pytest.mark.parametrize("x_ND", [shapeless(), torch.cat([shapeless(), -shapeless()]), torch.zeros(4, 3)], ids=str)
def test_one_cluster_has_every_row(x_ND: Tensor) -> None:
    assert spherical_kmeans(x_ND, 1, seed=0).tolist() == [0] * len(x_ND)


def test_rows_taken_in_parts_are_clustered_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    x_ND, _ = planted(noise=0.5)
    whole = spherical_kmeans(x_ND, 5, seed=0)
    monkeypatch.setattr(kmeans, "ROWS", 7)
    assert torch.equal(spherical_kmeans(x_ND, 5, seed=0), whole)
