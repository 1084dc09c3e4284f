"""Lists of two-stage scoring, bfloat16 first, are the lists."""

import pytest
import torch
from test_ranking import LastItemNetwork, a_log, whole_numbers
from torch import Tensor

from elcrec.data.histories import HistoryBatch
from elcrec.errors import RunError
from elcrec.inference import first_pass
from elcrec.inference.first_pass import BFloat16Table
from elcrec.inference.scoring import Scorer
from elcrec.model.encoding import EncodedHistories

N_USERS, K = 40, 20


@pytest.fixture(autouse=True)
def _small_catalogues_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_pass, "LEAST_ITEMS", 10)
    monkeypatch.setattr(first_pass, "SPAN", 8)
    monkeypatch.setattr(first_pass, "fast_products", lambda device: torch.bfloat16)


def lists(table_VD: Tensor, k: int = K, seen: bool = True) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """In full, and by half precision first."""
    network, histories = LastItemNetwork(table_VD), HistoryBatch(*a_log(N_USERS, len(table_VD) - 1, seed=1))
    two_stages = Scorer.of(network, two_stage=True)
    assert two_stages.first_pass is not None
    users = EncodedHistories.of(network, histories)
    return Scorer.of(network).best_items(users, k, seen), two_stages.best_items(users, k, seen)


def certain(table_VD: Tensor) -> Tensor:
    half = BFloat16Table.of(table_VD.T)
    assert half is not None
    user_BD = table_VD[1:6]
    near_BV = half.scores(user_BD, torch.empty(5, len(table_VD), dtype=torch.bfloat16))
    return half.best(near_BV, user_BD, table_VD.T, K)[2]


@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize("n_items", [30, 100, 129, 5000])
def test_the_lists_are_those_of_full_precision(n_items: int, seen: bool) -> None:
    table_VD = torch.randn(n_items + 1, 12, generator=torch.Generator().manual_seed(n_items))
    full, found = lists(table_VD, seen=seen)
    assert torch.equal(found[0], full[0])
    torch.testing.assert_close(found[1], full[1])
    if n_items == 5000:
        assert certain(table_VD).all()


def test_what_half_precision_cannot_tell_apart_is_scored_in_full() -> None:
    generator = torch.Generator().manual_seed(1)
    table_VD = torch.randn(1, 12, generator=generator) + 1e-4 * torch.randn(3001, 12, generator=generator)
    assert not certain(table_VD).any()
    full, found = lists(table_VD)
    torch.testing.assert_close(found[1], full[1], rtol=1e-6, atol=0)
    assert (found[0] == full[0]).float().mean() > 0.9  # the last digits of neighbours may change places


def test_equal_scores_are_equally_good() -> None:
    full, found = lists(whole_numbers(2000, 4, seed=2))
    assert torch.equal(found[1], full[1])


def test_a_short_catalogue_gives_short_lists() -> None:
    table_VD = torch.randn(13, 4, generator=torch.Generator().manual_seed(3))
    full, found = lists(table_VD, k=12)
    assert torch.equal(found[0], full[0])
    assert (found[0] == 0).any()


def test_a_long_list_is_scored_in_full() -> None:
    full, found = lists(torch.randn(500, 4, generator=torch.Generator().manual_seed(4)), k=100)
    assert torch.equal(found[1], full[1])


def test_small_catalogues_and_slow_processors_have_no_half_table(monkeypatch: pytest.MonkeyPatch) -> None:
    assert BFloat16Table.of(torch.randn(4, 9)) is None
    monkeypatch.setattr(first_pass, "fast_products", lambda device: torch.float32)
    assert BFloat16Table.of(torch.randn(4, 500)) is None


def test_what_is_not_a_number_is_an_error() -> None:
    table_VD = torch.randn(50, 4, generator=torch.Generator().manual_seed(5))
    network = LastItemNetwork(table_VD)
    scorer = Scorer.of(network, two_stage=True)
    table_VD[3:] = torch.nan
    with pytest.raises(RunError, match="NaN"):
        scorer.best_items(EncodedHistories.of(network, HistoryBatch(*a_log(5, 49, seed=1))), 5)


@pytest.mark.parametrize("last", [True, False])
def test_what_rounding_hides_as_much_as_it_can_is_not_called_certain(last: bool) -> None:
    """Both factors of the best items lose 2^-8 of themselves, and so does the score: they seem as good as the others.

    1 + 2^-8 lies halfway between two numbers of bfloat16 and goes down to 1.
    """
    best, others = torch.full((30, 1), 1 + 2**-8), torch.full((300, 1), 1 + 2**-8 - 2**-10)
    table_VD = torch.cat([torch.zeros(1, 1), others, best] if last else [torch.zeros(1, 1), best, others])
    half = BFloat16Table.of(table_VD.T)
    assert half is not None
    user_BD = torch.full((4, 1), 1 + 2**-8)
    near_BV = half.scores(user_BD, torch.empty(4, len(table_VD), dtype=torch.bfloat16))
    near_BV[:, 0] = -torch.inf
    _, score_BK, certain_B = half.best(near_BV, user_BD, table_VD.T, K)
    whole_BK = (user_BD @ table_VD.T).topk(K, dim=1).values
    assert torch.equal(score_BK, whole_BK) or not certain_B.any()


def hard_to_round(n_items: int, width: int, generator: torch.Generator) -> Tensor:
    """Vectors whose numbers lie close to halfway between two of bfloat16, a few of them large."""
    place = torch.randint(0, 128, (n_items, width), generator=generator)
    above = 2.0**-12 * (torch.rand(n_items, width, generator=generator) - 0.5)
    number = (1 + (place + 0.5) / 128 + above) * 2.0 ** torch.randint(-3, 1, (n_items, width), generator=generator)
    return number * torch.where(torch.rand(n_items, width, generator=generator) < 0.9, 1.0, -1.0)


@pytest.mark.parametrize("width", [1, 2, 3, 16])
def test_what_is_called_certain_is_so(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_pass, "CANDIDATES", 24)
    for seed in range(60):
        generator = torch.Generator().manual_seed(1000 * width + seed)
        kind = [hard_to_round, lambda *shape, generator: torch.randn(*shape, generator=generator)][seed % 2]
        table_VD, user_BD = (kind(n, width, generator=generator) for n in (400, 8))
        half = BFloat16Table.of(table_VD.T)
        assert half is not None
        near_BV = half.scores(user_BD, torch.empty(8, 400, dtype=torch.bfloat16))
        _, score_BK, certain_B = half.best(near_BV, user_BD, table_VD.T, 4)
        whole_BK = (user_BD.double() @ table_VD.T.double()).topk(4, dim=1).values
        torch.testing.assert_close(score_BK[certain_B].double(), whole_BK[certain_B], rtol=1e-6, atol=1e-6)
