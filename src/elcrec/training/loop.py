"""The training loop."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from elcrec.config import Settings
from elcrec.data.neighbours import neighbour_matrix
from elcrec.data.splits import Split
from elcrec.evaluation.metrics import SELECTION_METRIC, RankingMetrics, metrics_of
from elcrec.evaluation.ranks import ranks_of_ways
from elcrec.evaluation.repeats import better_way
from elcrec.intents.intent_health import IntentHealth, collapse_warning, effective_intents, intent_health
from elcrec.model.network import ELCRecNetwork
from elcrec.runs.records import EpochRecord
from elcrec.training.centers import refine_centers, start_centers
from elcrec.training.checkpoint import Progress, load_checkpoint, read_checkpoint, save_checkpoint
from elcrec.training.distributed import Team
from elcrec.training.divergence import check_losses, check_weights
from elcrec.training.objective import Objective, Terms
from elcrec.training.optimizer import Optimizer
from elcrec.training.steps import StepSource


class Reporter(Protocol):
    """Who wants to know how training goes."""

    def log(self, summary: dict[str, Any]) -> None:
        """The log is read; see :meth:`elcrec.data.interactions.Interactions.summary`."""

    def begin(self, settings: Settings, n_steps: int, progress: Progress) -> None:
        """Training starts or goes on."""

    def step(self, losses: dict[str, float] | None, effective: float | None) -> None:
        """A step is done; now and then mean losses and effective intents of the epoch so far, else None."""

    def epoch(self, record: EpochRecord, progress: Progress) -> None:
        """An epoch is done and safe on disk."""

    def end(self) -> None:
        """Training is over, for whatever reason."""


class PhaseTimer:
    """Seconds by phase: each call books the time since the last one under a name."""

    def __init__(self) -> None:
        """The clock runs from here."""
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._last = time.perf_counter()

    def __call__(self, phase: str) -> None:
        """Book the time since the last call."""
        now = time.perf_counter()
        self.seconds[phase] += now - self._last
        self._last = now


# reason: nine things that a caller may choose, all but four with defaults
def train(
    network: ELCRecNetwork,
    split: Split,
    settings: Settings,
    reporter: Reporter,
    checkpoint: Path | None = None,
    on_epoch: Callable[[list[EpochRecord]], None] | None = None,
    team: Team = Team(),  # noqa: B008
    start: Progress | None = None,
    both_ways: bool = False,
) -> Progress:
    """Train to the epoch limit or until validation stops improving; the best weights end up in the network.

    With a linear schedule the step size and the weight of all multi-step targets but the next item (where ``horizon``
    is more than 1) fall to 0 linearly over all epochs.

    Everything random in an epoch follows from the seed and the epoch's number, so a training that is
    resumed from a checkpoint ends where an uninterrupted one does.

    Args:
        network: Fresh; on the device of the split.
        split: The log.
        settings: All settings.
        reporter: Receives every step and epoch.
        checkpoint: Where to keep the state after every epoch; if the file exists, training goes on from it.
        on_epoch: Given the history after every epoch, before the checkpoint is written.
        team: The processes that train together; the leader writes.
        start: What a network that is not fresh reaches on validation (``best_value``). Its centres stay where they are,
            and if no epoch does better, so does everything.
        both_ways: Whether validation takes the better of seen items excluded and ranked; see :func:`validate`.

    Returns:
        The progress. Its ``history`` has one record an epoch: ``epoch``, ``losses`` (mean of each term),
        ``valid`` (metrics), ``intents`` (of the epoch's training rows: see
        :func:`elcrec.intents.intent_health.intent_health`; mean ``cosine`` to the own centre and ``margin``
        to the next; after the warm-up a ``warning`` or None) and ``seconds`` by phase.

    Raises:
        TrainingError: A loss or a weight is not finite; checkpoint and history stay those of the epoch before.
        RunError: The checkpoint cannot be read or written.
    """
    loop = _Loop(network, split, settings, reporter, team, both_ways)
    best, progress = loop.begin(checkpoint, start)
    reporter.begin(settings, loop.source.n_steps, progress)
    try:
        while not finished(settings, progress):
            record = loop.epoch(progress, fresh=start is None)
            if progress.best_epoch == record["epoch"]:
                best = loop.best
            if on_epoch is not None:
                on_epoch(progress.history)
            if checkpoint is not None and team.is_main:
                save_checkpoint(checkpoint, network, best, loop.optimizer, progress)
            reporter.epoch(record, progress)
    finally:
        reporter.end()
    network.item_table.neighbours, network.item_table.feature_rows = None, None
    network.load_state_dict(best)
    # The best weights may come from before the centres' start.
    if start is None and progress.best_epoch <= settings.warmup_epochs:
        start_centers(network, split, settings)
    if start is None or progress.best_epoch > 0:
        refine_centers(network, split, settings)
    team.broadcast([network.centers.weight.data])
    return progress


class _Loop:
    """What the epochs of a training share."""

    def __init__(
        self, network: ELCRecNetwork, split: Split, settings: Settings, reporter: Reporter, team: Team, both_ways: bool
    ) -> None:
        prepare(network, split, settings)
        team.broadcast(network.state_dict().values())
        self.network, self.split, self.settings, self.reporter, self.team = network, split, settings, reporter, team
        self.optimizer = Optimizer(network, settings, team)
        self.objective, self.source = Objective(settings), StepSource(split, settings, network.n_items, team)
        self.best: dict[str, Tensor] = {}
        self.both_ways = both_ways

    def begin(self, checkpoint: Path | None, start: Progress | None) -> tuple[dict[str, Tensor], Progress]:
        """The best weights so far and the progress: of a checkpoint, of a network that is not fresh, or of a fresh one.

        See :func:`train`.
        """
        resumes = checkpoint is not None and checkpoint.exists()
        left = self.team.broadcast_object(lambda: read_checkpoint(checkpoint) if checkpoint and resumes else None)
        if left is not None:
            return load_checkpoint(left, self.network, self.optimizer)
        weights = weights_of(self.network)
        if start is not None:
            self.network.item_table.unbake(self.settings.smoothing)
        return weights, start or Progress()

    def epoch(self, progress: Progress, fresh: bool) -> EpochRecord:
        """One epoch and its validation, booked in the progress; :attr:`best` holds the weights where it was the best.

        Args:
            progress: So far.
            fresh: Whether training began from fresh weights: then the centres begin after the warm-up.
        """
        network, settings, number, timer = self.network, self.settings, len(progress.history) + 1, PhaseTimer()
        with seeded(settings.seed, number, self.split.item_N.device, self.team.rank) as generator:
            if _centers_are_due(settings, number) and (fresh or settings.intent_learning == "em"):
                start_centers(network, self.split, settings)
                self.team.broadcast([network.centers.weight.data])
                timer("start centers")
            losses, intents = self._steps(generator, timer, number)
        check_weights(network.state_dict().values(), number, settings)
        with network.item_table.baked():
            valid = validate(network, self.split, settings, self.team, self.both_ways)
            if valid[SELECTION_METRIC] > progress.best_value:
                progress.best_epoch, progress.best_value = number, valid[SELECTION_METRIC]
                self.best = weights_of(network)
        timer("evaluate")
        seconds = dict(timer.seconds)
        record: EpochRecord = {
            "epoch": number,
            "losses": losses,
            "valid": valid,
            "intents": intents,
            "seconds": seconds,
        }
        progress.history.append(record)
        progress.seconds += sum(seconds.values())
        return record

    def _steps(
        self, generator: torch.Generator, timer: PhaseTimer, epoch: int
    ) -> tuple[dict[str, float], IntentHealth]:
        """All steps of an epoch: mean of each loss term, and the health of the intents of the training rows."""
        network, settings, team = self.network, self.settings, self.team
        network.train()
        warming_up = epoch <= settings.warmup_epochs
        device = self.source.user_M.device
        sums, terms_S = torch.zeros(len(Terms._fields), device=device), []
        users_K = torch.zeros(network.centers.weight.shape[0], device=device)
        closeness = torch.zeros(2, device=device)
        for number, step in enumerate(self.source.epoch(generator), start=1):
            timer("data")
            passed = passed_share(settings, epoch - 1 + (number - 1) / self.source.n_steps)
            terms, assigned = self.objective(network, step, users_K, timer, warming_up, passed)
            self.optimizer.backward(terms.total)
            timer("backward")
            self.optimizer.step(1 - passed)
            timer("step")
            terms_S.append(torch.stack([term.detach() for term in terms]))
            sums += terms_S[-1]
            users_K += team.sum(torch.bincount(assigned.intent_B, minlength=users_K.numel()))
            closeness += torch.stack([assigned.cosine_B.sum(), assigned.margin_B.sum()])
            if number % 10 == 0:  # reading values waits for the device
                means = _means(team.sum(sums.clone()), number)
                check_losses(means, terms_S, epoch, settings, team)
                self.reporter.step(self._learned(means), effective_intents(users_K))
            else:
                self.reporter.step(None, None)
        means = _means(team.sum(sums), self.source.n_steps)
        check_losses(means, terms_S, epoch, settings, team)
        cosine, margin = (team.sum(closeness) / users_K.sum()).tolist()
        health: IntentHealth = {**intent_health(users_K, network.centers.weight), "cosine": cosine, "margin": margin}
        if not warming_up:
            health["warning"] = collapse_warning(health, len(users_K), int(users_K.sum()))
        return self._learned(means), health

    def _learned(self, means: dict[str, float]) -> dict[str, float]:
        """The terms that are reported: that of features only where the model learns from some."""
        if self.network.item_table.of_features is not None:
            return means
        return {name: mean for name, mean in means.items() if name != "features"}


def prepare(network: ELCRecNetwork, split: Split, settings: Settings) -> None:
    """Give a network what training propagates along and knows of items, and say whether its centres are learned."""
    network.centers.weight.requires_grad_(settings.intent_learning == "end_to_end")
    if settings.smoothing > 0:
        n_rows = network.item_table.num_embeddings
        network.item_table.neighbours = settings.smoothing * neighbour_matrix(split, n_rows)
    if split.features is not None:
        network.item_table.learn_from(split.features)


def _centers_are_due(settings: Settings, epoch: int) -> bool:
    """Once after the warm-up, or (``em``) before every epoch after it."""
    first = settings.warmup_epochs + 1
    return epoch == first or (settings.intent_learning == "em" and epoch > first)


@torch.no_grad()
def validate(
    network: ELCRecNetwork,
    split: Split,
    settings: Settings,
    team: Team = Team(),  # noqa: B008
    both_ways: bool = False,
) -> RankingMetrics:
    """Metrics on the validation items; each process ranks a part of them.

    Args:
        network: With the weights to evaluate.
        split: The log.
        settings: All settings.
        team: The processes that rank together.
        both_ways: Take the better of seen items excluded and ranked, whatever the settings say.
    """
    network.eval()
    _, histories = split.held_out("valid", settings.judged_users, settings.seed)
    row_X, _ = histories.targets
    ways = (True, False) if both_ways else (settings.exclude_seen,)
    ranks = {way: torch.zeros_like(row_X) for way in ways}
    at_B = team.part(torch.arange(len(histories), device=row_X.device))
    if len(at_B):
        mine_X = torch.isin(row_X, at_B)
        for way, rank_Y in ranks_of_ways(network, histories.at(at_B), ways).items():
            ranks[way][mine_X] = rank_Y
    found = {way: metrics_of(histories, team.sum(rank_X)) for way, rank_X in ranks.items()}
    return found[better_way(found) if both_ways else settings.exclude_seen]


def finished(settings: Settings, progress: Progress) -> bool:
    """Whether the epoch limit is reached or validation has not improved for ``patience`` epochs."""
    done = len(progress.history)
    return done >= settings.epochs or done - progress.best_epoch >= settings.patience


def passed_share(settings: Settings, epochs_done: float) -> float:
    """How much of a training with a linear schedule has passed, 0 to 1; without one always 0."""
    return epochs_done / settings.epochs if settings.schedule == "linear" else 0.0


def weights_of(network: ELCRecNetwork) -> dict[str, Tensor]:
    """A copy of the weights."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


@contextmanager
def seeded(seed: int, epoch: int, device: torch.device, rank: int = 0) -> Iterator[torch.Generator]:
    """Randomness that follows from seed and epoch; torch's global state is put back afterwards.

    Yields:
        A generator on the device. Dropout and initialisation use torch's global one, seeded by the same numbers and
        by the process of a training (``rank``).
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        number = (seed * 1_000_003 + epoch) % 2**63
        torch.manual_seed((number + rank * 998_244_353) % 2**63)
        yield torch.Generator(device=device).manual_seed(number)


def _means(sums: Tensor, n_steps: int) -> dict[str, float]:
    """Mean of each loss term."""
    return dict(zip(Terms._fields, (sums / n_steps).tolist(), strict=True))
