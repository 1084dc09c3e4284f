"""Several encoders: what they share, what they do not, and what their scores are."""

import pytest
import torch
from torch import Tensor

from elcrec import SettingsError
from elcrec.config import resolve
from elcrec.data.batches import lay_out
from elcrec.model.encoder import EncoderEnsemble
from elcrec.model.network import ELCRecNetwork
from elcrec.training.objective import of_each_encoder

N_ITEMS, WIDTH = 12, 8


def network(**settings: object) -> ELCRecNetwork:
    torch.manual_seed(3)
    sizes = {"embedding_dim": WIDTH, "n_intents": 3, "max_seq_len": 5, "batch_size": 4}
    return ELCRecNetwork(resolve("default", {"n_encoders": 2, **sizes, **settings}), N_ITEMS).eval()


def scores(model: ELCRecNetwork) -> Tensor:
    batch = lay_out(torch.tensor([[0, 0, 3, 4, 5], [1, 2, 3, 9, 7]]), torch.tensor([3, 5]), 5, "skip")
    return model.encode_users(batch) @ model.items_VD.T


def test_vectors_hold_the_parts_of_all_encoders() -> None:
    model = network(n_encoders=3)
    assert isinstance(model.encoder, EncoderEnsemble)
    assert model.items_VD.shape == (N_ITEMS, 3 * WIDTH)
    assert model.centers.weight.shape == (3, 3 * WIDTH)


def test_a_score_is_the_mean_of_the_encoders_scores() -> None:
    model = network()
    batch = lay_out(torch.tensor([[0, 0, 3, 4, 5], [1, 2, 3, 9, 7]]), torch.tensor([3, 5]), 5, "skip")
    parts = model.item_table.weight.chunk(2, dim=1)
    assert isinstance(model.encoder, EncoderEnsemble)
    own = [
        member(batch, True, part.contiguous()) @ part[1:].T
        for member, part in zip(model.encoder.members, parts, strict=True)
    ]
    torch.testing.assert_close(scores(model), torch.stack(own).mean(dim=0))


def test_the_loss_of_one_encoder_moves_no_other() -> None:
    model = network()
    batch = lay_out(torch.tensor([[1, 2, 3, 9, 7]]), torch.tensor([5]), 5, "skip")
    hidden_TD = model.encoder(batch)
    (own_ND, own_VD), _ = of_each_encoder(2, hidden_TD, model.item_table.weight)
    (own_ND @ own_VD.T).square().mean().backward()
    assert isinstance(model.encoder, EncoderEnsemble)
    first, second = model.encoder.members
    assert all(weight.grad is not None and weight.grad.any() for weight in [first.position_embedding.weight])
    assert all(weight.grad is None or not weight.grad.any() for weight in second.parameters())
    gradient = model.item_table.weight.grad
    assert gradient is not None
    assert gradient[:, :WIDTH].any()
    assert not gradient[:, WIDTH:].any()


def test_one_encoder_is_scored_as_it_is() -> None:
    hidden_ND, table = torch.randn(3, 4), torch.randn(5, 4)
    ((own_ND, own_table),) = of_each_encoder(1, hidden_ND, table)
    assert own_ND is hidden_ND
    assert own_table is table


def test_several_encoders_need_real_tokens_only() -> None:
    with pytest.raises(SettingsError, match="n_encoders=2 needs padding=skip"):
        resolve("paper", {"n_encoders": 2})
