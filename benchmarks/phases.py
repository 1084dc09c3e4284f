"""Every phase of an epoch compared with its lower bound (roofline) on this machine.

    python benchmarks/phases.py ../shared/data/Beauty.txt --recipe default --json benchmarks/results/phases/NAME.json

The lower bound of a phase is the larger of its arithmetic (products and sums, and exponentials) and its memory traffic,
each over the machine's best rate, measured first in the same process: products of square matrices of 2,048 rows,
exponentials of a million numbers in cache, copies of 256 MB. docs/performance.md says what is counted, and why a phase
is far from its bound.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from elcrec import Interactions
from elcrec.config import Settings, resolve
from elcrec.data.histories import HistoryBatch
from elcrec.data.splits import Split, make_split
from elcrec.data.vocabulary import Vocabulary
from elcrec.evaluation.ranks import target_ranks
from elcrec.experiments.provenance import provenance
from elcrec.model.network import ELCRecNetwork
from elcrec.model.precision import fast_products
from elcrec.training.loop import prepare
from elcrec.training.objective import Objective, StepInput
from elcrec.training.optimizer import Optimizer
from elcrec.training.steps import StepSource

STEPS, REPEATS = 12, 5


class Cost(NamedTuple):
    """The least a phase takes: products (multiplications and additions) and exponentials in a type, and bytes moved."""

    flops: float = 0.0
    bytes: float = 0.0
    dtype: torch.dtype = torch.float32
    exponentials: float = 0.0

    def floor(self, rates: dict[str, float]) -> float:
        """Seconds."""
        arithmetic = self.flops / rates[str(self.dtype)] + self.exponentials / rates[f"exp {self.dtype}"]
        return max(arithmetic, self.bytes / rates["bytes"])


def best(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Seconds, the least of some times, the first not counted."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def machine_rates() -> dict[str, float]:
    """Products and exponentials a second by type, and bytes a second read and written by a copy."""
    rates = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = (torch.randn(2048, 2048).to(dtype) for _ in range(2))
        rates[str(dtype)] = 2 * 2048**3 / best(partial(torch.matmul, a, b))
        few, out = torch.zeros(2**20, dtype=dtype), torch.empty(2**20, dtype=dtype)
        rates[f"exp {dtype}"] = 2**20 / best(partial(torch.exp, few, out=out), 50)
    source = torch.ones(2**26)
    target = torch.empty_like(source)
    rates["bytes"] = 2 * 4 * 2**26 / best(lambda: target.copy_(source))
    return rates


def encoder_flops(settings: Settings, lengths: Tensor) -> float:
    """Forward pass over real tokens only: projections and feed-forward 12 D^2, attention over what came before."""
    width = settings.embedding_dim
    attention = 2 * (lengths * (lengths + 1)).sum().item() / 2 * width
    return 2 * settings.n_encoders * settings.n_layers * (12 * width**2 * lengths.sum().item() + attention)


def encoder_exponentials(settings: Settings, lengths: Tensor) -> float:
    """Forward pass: one for each number the feed-forward layer widens to, one for each pair that attends."""
    wide = 4 * settings.embedding_dim * lengths.sum().item()
    return (
        settings.n_encoders * settings.n_layers * (wide + settings.n_heads * (lengths * (lengths + 1)).sum().item() / 2)
    )


def step_costs(settings: Settings, network: ELCRecNetwork, step: StepInput) -> dict[str, Cost]:
    """Of one training step."""
    width, n_items, n_intents = settings.width, network.n_items, settings.n_intents
    lengths = step.tokens.length_B.double()
    if settings.padding == "encode":
        lengths = torch.full_like(lengths, settings.max_seq_len)
    n_targets = int((step.targets.item_TH[:, 0] > 0).sum())
    encode, exponentials = encoder_flops(settings, lengths), encoder_exponentials(settings, lengths)
    weights = sum(weight.numel() for weight in network.parameters())
    neighbours = network.item_table.neighbours
    smoothing = 0 if neighbours is None else neighbours.values().numel()
    table = 4.0 * n_items * width
    full = settings.next_item_loss == "softmax"
    products = fast_products(torch.device("cpu")) if settings.precision != "float32" else torch.float32
    views = 0.0
    if settings.instance_weight > 0:
        side = settings.max_seq_len * width if settings.padding == "encode" else width
        views += 3 * 2 * (2 * step.n_sequences) ** 2 * side
    if settings.intent_weight > 0:
        views += 2 * 3 * 2 * (2 * step.n_sequences) ** 2 * width
    return {
        "encode": Cost(encode, exponentials=exponentials),
        "smooth the items": Cost(2 * 2.0 * smoothing * width, 2 * (3 * table if smoothing else 0.0)),
        "next-item loss": Cost(
            6.0 * n_targets * n_items * width if full else 12.0 * n_targets * width,
            2 * table if full else 0.0,
            products,
            float(n_targets * n_items) if full else 2.0 * n_targets,
        ),
        "contrasts": Cost(views),
        "clustering": Cost(2.0 * step.n_sequences * n_intents * width),
        "backward of the encoder": Cost(2 * encode, exponentials=exponentials),
        "optimiser": Cost(bytes=7 * 4.0 * weights),
    }


def step_seconds(
    settings: Settings, network: ELCRecNetwork, objective: Objective, optimizer: Optimizer, step: StepInput
) -> dict[str, float]:
    """The parts of one step, each timed by itself; the backward pass is what is left of a whole step."""
    encoder, centers = network.encoder, network.centers
    users_K = torch.zeros(settings.n_intents)
    table = encoder.item_table.vectors()
    hidden_TD = encoder(step.tokens, table=table)
    leaf_TD, leaf_table = hidden_TD.detach().requires_grad_(), table.detach().requires_grad_()
    behaviour_BD, *view_BD = network.pooled(hidden_TD.detach(), step.tokens).split(step.n_sequences)

    def contrasts() -> None:
        if settings.instance_weight > 0:
            sides = [view.detach().requires_grad_() for view in view_BD]
            objective.instance_loss(network, hidden_TD.detach().requires_grad_(), step, sides).backward()
        if settings.intent_weight > 0:
            sides = [view.detach().requires_grad_() for view in view_BD]
            objective.intent_loss(network, step, sides, centers.nearest(behaviour_BD)).backward()

    def clustering() -> None:
        cosine_BK = centers.cosines(behaviour_BD)
        if settings.cluster_weight > 0:
            objective.cluster_loss(behaviour_BD.requires_grad_(), centers.weight, users_K, cosine_BK).backward()

    def whole() -> None:
        terms, _ = objective(network, step, users_K)
        optimizer.backward(terms.total)
        optimizer.step()

    smoothing = 0.0
    if encoder.item_table.neighbours is not None:
        smoothing = 2 * best(lambda: encoder.item_table.vectors())
    whole_step = best(whole)  # leaves the gradients that the optimiser reads
    seconds = {
        "encode": best(lambda: encoder(step.tokens, table=leaf_table)),
        "smooth the items": smoothing,
        "next-item loss": best(lambda: objective.next_item_loss(network, leaf_table, leaf_TD, step, 0.0).backward()),
        "contrasts": best(contrasts),
        "clustering": best(clustering),
        "optimiser": best(optimizer.step),
    }
    rest = whole_step - sum(seconds.values())
    return {**seconds, "backward of the encoder": rest}


def epoch_phases(settings: Settings, network: ELCRecNetwork, source: StepSource) -> dict[str, tuple[Cost, float]]:
    """Costs and seconds of an epoch's steps, from a sample of them."""
    objective, optimizer = Objective(settings), Optimizer(network, settings)
    steps = source.epoch(torch.Generator().manual_seed(1))
    sums: dict[str, tuple[Cost, float]] = {}
    for _ in range(STEPS):
        start = time.perf_counter()
        step = next(steps)
        seconds = {"draw a batch": time.perf_counter() - start}
        traffic = 2 * 8.0 * (step.tokens.item_T.numel() + step.targets.item_TH.numel())
        costs = {"draw a batch": Cost(bytes=traffic), **step_costs(settings, network, step)}
        seconds.update(step_seconds(settings, network, objective, optimizer, step))
        for phase, cost in costs.items():
            so_far, before = sums.get(phase, (Cost(dtype=cost.dtype), 0.0))
            share = source.n_steps / STEPS
            sums[phase] = (
                Cost(
                    so_far.flops + share * cost.flops,
                    so_far.bytes + share * cost.bytes,
                    cost.dtype,
                    so_far.exponentials + share * cost.exponentials,
                ),
                before + share * seconds[phase],
            )
    return sums


def ranking(settings: Settings, network: ELCRecNetwork, split: Split) -> tuple[Cost, float]:
    """The whole catalogue ranked for every validation item."""
    network.eval()
    user_Q, target_Q = split.targets("valid")
    start_Q = split.start_U[user_Q]
    lengths = (target_Q - start_Q).clamp(max=settings.max_seq_len).double()
    flops = encoder_flops(settings, lengths) + 2.0 * len(user_Q) * network.n_items * settings.width
    with network.item_table.baked():
        seconds = best(lambda: target_ranks(network, HistoryBatch(split.item_N, start_Q, target_Q)), 2)
    cost = Cost(flops, 2 * 4.0 * len(user_Q) * network.n_items, exponentials=encoder_exponentials(settings, lengths))
    return cost, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path, help="also write the result here")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rates, settings = machine_rates(), resolve(arguments.recipe, {})

    log = Interactions.read(arguments.data)
    items = Vocabulary.of(log.frame["item_id"], first=1, kind="item")
    split = make_split(log, items, settings.split, settings.holdout_share)
    torch.manual_seed(1)
    network = ELCRecNetwork(settings, len(items)).train()
    prepare(network, split, settings)
    source = StepSource(split, settings, len(items))
    size = arguments.data.stat().st_size + 16.0 * len(log.frame)
    measured = {
        "read": (Cost(bytes=size), best(lambda: Interactions.read(arguments.data))),
        "split": (
            Cost(bytes=3 * 8.0 * len(log.frame)),
            best(lambda: make_split(log, items, settings.split, settings.holdout_share)),
        ),
        **epoch_phases(settings, network, source),
        "rank": ranking(settings, network, split),
    }
    rows: list[dict[str, Any]] = []
    for phase, (cost, seconds) in measured.items():
        floor = cost.floor(rates)
        if floor > 0:
            counts = {"flops": cost.flops, "exponentials": cost.exponentials, "bytes": cost.bytes}
            rows.append({"phase": phase, **counts, "floor": floor, "seconds": seconds})
    document = {
        "suite": "phases",
        "dataset": arguments.data.name,
        "recipe": arguments.recipe,
        "steps": source.n_steps,
        "rates": rates,
        "phases": rows,
        **provenance(),
    }
    print(f"{'phase':<24} {'floor s':>9} {'seconds':>9} {'ratio':>7}")
    for row in rows:
        print(f"{row['phase']:<24} {row['floor']:9.4f} {row['seconds']:9.4f} {row['seconds'] / row['floor']:7.1f}")
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
