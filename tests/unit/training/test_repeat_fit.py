"""The linear part of repeat scores: it finds what was planted, and is left out where it does not help."""

import torch

from elcrec.config import Settings
from elcrec.data.splits import Split
from elcrec.evaluation.ranks import ranks_of_ways
from elcrec.model.network import ELCRecNetwork
from elcrec.training.repeat_fit import fit_linear_part

N_USERS, N_ITEMS, LENGTH = 200, 50, 8


def world(again: bool) -> Split:
    """Histories of different items; the held-out one is the newest of them, or one that was never there."""
    generator = torch.Generator().manual_seed(1)
    rows = []
    for _ in range(N_USERS):
        order = torch.randperm(N_ITEMS, generator=generator) + 1
        history = order[:LENGTH]
        target = history[-1:] if again else order[LENGTH : LENGTH + 1]
        rows.append(torch.cat([history, target, target]))
    start = torch.arange(N_USERS) * (LENGTH + 2)
    end = start + LENGTH + 2
    return Split(torch.cat(rows), start, end, end - 2, end - 2, end - 1)


def network() -> tuple[ELCRecNetwork, Settings]:
    torch.manual_seed(0)
    settings = Settings(embedding_dim=8, n_intents=2, repeats="fitted", max_seq_len=LENGTH)
    return ELCRecNetwork(settings, N_ITEMS).eval(), settings


def mean_rank(model: ELCRecNetwork, split: Split) -> float:
    return float(ranks_of_ways(model, split.held_out("valid")[1], (False,))[False].double().mean())


def test_items_that_come_back_are_found() -> None:
    (model, settings), split = network(), world(again=True)
    before = mean_rank(model, split)
    without, fitted = fit_linear_part(model, split, settings)
    assert before > 3
    assert mean_rank(model, split) < 2
    assert without < fitted


def test_items_that_never_come_back_are_not_pushed_up() -> None:
    (model, settings), split = network(), world(again=False)
    before = mean_rank(model, split)
    fit_linear_part(model, split, settings)
    assert mean_rank(model, split) <= before


def test_only_the_linear_part_changes() -> None:
    (model, settings), split = network(), world(again=True)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fit_linear_part(model, split, settings)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"repeats.linear.weight", "repeats.linear.bias"}
