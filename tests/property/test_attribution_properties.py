"""What holds for every split of user vectors into intents."""

import math
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from torch import Tensor

from elcrec.intents.attribution import WEIGHT_TEMPERATURE, Attribution, attribute, intent_weights

QUICK = settings(max_examples=80, deadline=None, derandomize=True)


@dataclass(frozen=True)
class Case:
    """Users, where their behaviour lies and the centres; behaviour is near the user's vector but not it."""

    user_QD: Tensor
    cosine_QK: Tensor
    unit_KD: Tensor

    @property
    def found(self) -> Attribution:
        return attribute(self.user_QD, self.cosine_QK, self.unit_KD)


def case_of(n_users: int, n_centers: int, width: int, crowding: float, scale: float, seed: int) -> Case:
    generator = torch.Generator().manual_seed(seed)
    shared_D = torch.randn(width, generator=generator)
    unit_KD = F.normalize(crowding * shared_D + torch.randn(n_centers, width, generator=generator), dim=-1)
    user_QD = crowding * shared_D + torch.randn(n_users, width, generator=generator)
    behaviour_QD = F.normalize(user_QD + 0.5 * torch.randn(n_users, width, generator=generator), dim=-1)
    return Case(scale * user_QD, behaviour_QD @ unit_KD.T, unit_KD)


def cases(
    centers: tuple[int, int] = (1, 9), width: tuple[int, int] = (2, 20), crowding: float = 1.5
) -> st.SearchStrategy[Case]:
    return st.builds(
        case_of,
        st.integers(1, 8),
        st.integers(*centers),
        st.integers(*width),
        st.floats(0, crowding),
        st.sampled_from([0.1, 1.0, 5.0]),
        st.integers(0, 2**32),
    )


# The split


@QUICK
@given(cases(crowding=20))
def test_parts_and_residual_add_up_to_the_vector(case: Case) -> None:
    found = case.found
    torch.testing.assert_close(found.user_QD, case.user_QD, rtol=1e-5, atol=1e-5)
    total_QD = found.residual_QD.clone()
    for m in range(found.intent_QM.shape[1]):
        total_QD += found.amount_QM[:, m, None] * case.unit_KD[found.intent_QM[:, m]]
    torch.testing.assert_close(total_QD, case.user_QD, rtol=1e-5, atol=1e-5)


@QUICK
@given(cases(crowding=20))
def test_amounts_are_finite_and_never_negative(case: Case) -> None:
    assert torch.isfinite(case.found.amount_QM).all()
    assert (case.found.amount_QM >= 0).all()


@QUICK
@given(cases())
def test_the_intents_are_the_three_nearest_to_behaviour_nearest_first(case: Case) -> None:
    n_centers = len(case.unit_KD)
    for own, cosines in zip(case.found.intent_QM.tolist(), case.cosine_QK.tolist(), strict=True):
        assert len(set(own)) == len(own) == min(3, n_centers)
        assert [cosines[k] for k in own] == sorted(cosines, reverse=True)[: len(own)]
    assert torch.equal(case.found.center_QMD, case.unit_KD[case.found.intent_QM])


@QUICK
@given(cases(width=(6, 20)))
def test_amounts_are_the_non_negative_least_squares_of_scipy(case: Case) -> None:
    found = case.found
    gram_QMM = found.center_QMD @ found.center_QMD.transpose(1, 2)
    assume(torch.linalg.eigvalsh(gram_QMM).min() > 0.15)  # the solution is well determined
    for q, user_D in enumerate(case.user_QD):
        amounts, left = nnls(found.center_QMD[q].T.double().numpy(), user_D.double().numpy())
        size = user_D.norm().item()
        assert found.amount_QM[q].tolist() == pytest.approx(amounts.tolist(), abs=1e-3 * size)
        assert found.residual_QD[q].norm().item() == pytest.approx(left, abs=1e-4 * size)


@QUICK
@given(cases(crowding=0.5, width=(6, 20)))
def test_the_residual_points_along_no_own_intent(case: Case) -> None:
    found = case.found
    gram_QMM = found.center_QMD @ found.center_QMD.transpose(1, 2)
    assume(torch.linalg.eigvalsh(gram_QMM).min() > 0.15)
    along_QM = (found.center_QMD @ found.residual_QD[:, :, None]).squeeze(2)
    tolerance = 1e-3 * case.user_QD.norm(dim=1, keepdim=True)
    assert (along_QM <= tolerance).all()
    assert (along_QM.abs() <= tolerance)[found.amount_QM > 0].all()


@QUICK
@given(cases(), st.sampled_from([0.25, 4.0]))
def test_a_longer_vector_has_longer_parts(case: Case, scale: float) -> None:
    scaled = attribute(scale * case.user_QD, case.cosine_QK, case.unit_KD)
    torch.testing.assert_close(scaled.amount_QM, scale * case.found.amount_QM, rtol=1e-4, atol=1e-4)


# Without an intent


@QUICK
@given(cases(), st.data())
def test_without_an_own_intent_exactly_its_part_is_gone(case: Case, data: st.DataObject) -> None:
    found = case.found
    gone = data.draw(st.integers(0, len(case.unit_KD) - 1))
    left = found.without(torch.tensor([gone]), case.unit_KD)
    for q, own in enumerate(found.intent_QM.tolist()):
        if gone in own:
            at = own.index(gone)
            expected_D = found.user_QD[q] - found.amount_QM[q, at] * case.unit_KD[gone]
            torch.testing.assert_close(left.user_QD[q], expected_D, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(left.residual_QD[q], found.residual_QD[q], rtol=0, atol=0)
            kept = [amount for m, amount in enumerate(found.amount_QM[q].tolist()) if m != at]
            assert left.amount_QM[q].tolist() == [*kept[:at], 0.0, *kept[at:]]


@QUICK
@given(cases(centers=(4, 9)), st.data())
def test_without_a_foreign_intent_the_residual_no_longer_points_its_way(case: Case, data: st.DataObject) -> None:
    found = case.found
    gone = data.draw(st.integers(0, len(case.unit_KD) - 1))
    left = found.without(torch.tensor([gone]), case.unit_KD)
    for q, own in enumerate(found.intent_QM.tolist()):
        if gone not in own:
            before = (found.residual_QD[q] @ case.unit_KD[gone]).item()
            after = (left.residual_QD[q] @ case.unit_KD[gone]).item()
            assert after == pytest.approx(min(before, 0), abs=1e-5)
            expected_D = found.residual_QD[q] - max(before, 0) * case.unit_KD[gone]
            torch.testing.assert_close(left.residual_QD[q], expected_D, rtol=1e-5, atol=1e-5)
            assert torch.equal(left.amount_QM[q], found.amount_QM[q])


@QUICK
@given(cases(), st.data())
def test_without_an_intent_twice_is_without_it_once(case: Case, data: st.DataObject) -> None:
    gone = torch.tensor([data.draw(st.integers(0, len(case.unit_KD) - 1))])
    once = case.found.without(gone, case.unit_KD)
    for again in (once.without(gone, case.unit_KD), case.found.without(gone.repeat(2), case.unit_KD)):
        assert torch.equal(again.amount_QM, once.amount_QM)
        torch.testing.assert_close(again.residual_QD, once.residual_QD, rtol=1e-5, atol=1e-5)


@QUICK
@given(cases(), st.data())
def test_own_intents_go_together_as_one_after_the_other(case: Case, data: st.DataObject) -> None:
    own = case.found.intent_QM[0].tolist()
    gone = data.draw(st.lists(st.sampled_from(own), min_size=1, max_size=3, unique=True))
    together = case.found.without(torch.tensor(gone), case.unit_KD)
    in_turn = case.found
    for intent in gone:
        in_turn = in_turn.without(torch.tensor([intent]), case.unit_KD)
    assert torch.equal(together.amount_QM, in_turn.amount_QM)
    torch.testing.assert_close(together.residual_QD, in_turn.residual_QD)


@QUICK
@given(cases())
def test_without_nothing_nothing_changes(case: Case) -> None:
    left = case.found.without(torch.tensor([], dtype=torch.int64), case.unit_KD)
    assert torch.equal(left.user_QD, case.found.user_QD)


@QUICK
@given(cases(), st.data())
def test_taking_away_leaves_the_whole_as_it_was(case: Case, data: st.DataObject) -> None:
    found, gone = case.found, torch.tensor([data.draw(st.integers(0, len(case.unit_KD) - 1))])
    amount_QM, residual_QD = found.amount_QM.clone(), found.residual_QD.clone()
    found.without(gone, case.unit_KD)
    assert torch.equal(found.amount_QM, amount_QM)
    assert torch.equal(found.residual_QD, residual_QD)


# Soft intents


@QUICK
@given(cases())
def test_soft_intents_are_the_softmax_of_cosines(case: Case) -> None:
    weight_QK = intent_weights(case.cosine_QK)
    for weights, cosines in zip(weight_QK.tolist(), case.cosine_QK.tolist(), strict=True):
        raised = [math.exp((cosine - max(cosines)) / WEIGHT_TEMPERATURE) for cosine in cosines]
        assert weights == pytest.approx([value / sum(raised) for value in raised], rel=1e-3, abs=1e-6)
        assert sum(weights) == pytest.approx(1, abs=1e-5)
        assert max(range(len(weights)), key=weights.__getitem__) == max(range(len(cosines)), key=cosines.__getitem__)


def test_crowded_centres_have_the_least_squares_amounts_too() -> None:
    generator = torch.Generator().manual_seed(0)
    shared_D = F.normalize(torch.randn(16, generator=generator), dim=0)
    unit_KD = F.normalize(shared_D + 0.1 * F.normalize(torch.randn(3, 16, generator=generator), dim=-1), dim=-1)
    user_QD = torch.randn(50, 16, generator=generator) + 2 * shared_D
    found = attribute(user_QD, user_QD @ unit_KD.T, unit_KD)
    for q, user_D in enumerate(user_QD):
        amounts, _ = nnls(found.center_QMD[q].T.double().numpy(), user_D.double().numpy())
        assert found.amount_QM[q].tolist() == pytest.approx(amounts.tolist(), abs=1e-2)
