"""Inputs of training steps, sampled from the log by tensor code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from elcrec.config import Settings
from elcrec.data.augment import draw_view
from elcrec.data.batches import ItemSampler, NegativeSampler, TokenBatch, histories, lay_out, shuffled
from elcrec.data.features import Features
from elcrec.data.histories import HistoryBatch, ranges
from elcrec.data.seen import SEEN_EVENTS, SeenItems, seen_items
from elcrec.data.splits import Split
from elcrec.losses.registry import NEXT_ITEM_LOSSES
from elcrec.training.distributed import Team
from elcrec.training.objective import Objective, Part, StepInput
from elcrec.training.targets import Targets, TargetSource

UNKNOWN_SHARE = 0.1
"""Share of the training rows whose event codes, or user features, are unknown: so the model knows histories without
them, too."""
SEEN_AT_ONCE = 2**20
"""Where the histories before all tokens that predict hold more events, fewer tokens of a step predict."""


class _Inputs(NamedTuple):
    """Training inputs as a matrix [B, W] of positions in the log, column 0 at ``first_B``."""

    user_B: Tensor
    first_B: Tensor
    width: int

    @property
    def n_places(self) -> int:
        """Entries of the matrix."""
        return len(self.user_B) * self.width

    def user_of(self, source_T: Tensor) -> Tensor:
        """Users, int64 [T], of entries of the flattened matrix; any where an entry lies beyond it."""
        return self.user_B[source_T.clamp(max=self.n_places - 1) // self.width]

    def position_of(self, source_T: Tensor) -> Tensor:
        """Positions in the log, int64 [T], likewise."""
        source_T = source_T.clamp(max=self.n_places - 1)
        return self.first_B[source_T // self.width] + source_T % self.width


class _Rows(NamedTuple):
    """Sequences as matrices: items, int64 [B, W], lengths, int64 [B], and codes of events, int64 [B, W], or None."""

    item_BW: Tensor
    length_B: Tensor
    event_BW: Tensor | None = None

    @classmethod
    def cat(cls, several: list[_Rows]) -> _Rows:
        """All of them."""
        items, lengths, events = zip(*several, strict=True)
        return cls(torch.cat(items), torch.cat(lengths), None if events[0] is None else torch.cat(events))

    def at(self, at_X: Tensor) -> _Rows:
        """Some of them."""
        return _Rows(self.item_BW[at_X], self.length_B[at_X], None if self.event_BW is None else self.event_BW[at_X])

    def lay_out(self, settings: Settings) -> TokenBatch:
        """Their tokens."""
        return lay_out(self.item_BW, self.length_B, settings.max_seq_len, settings.padding, True, self.event_BW)


class _LaidOut(NamedTuple):
    """Tokens, their places in the flattened matrix of the rows, int64 [T], and what they predict."""

    tokens: TokenBatch
    source_T: Tensor
    targets: Targets

    @property
    def n_targets(self) -> Tensor:
        """How many tokens predict, a scalar."""
        return (self.targets.item_TH[:, 0] > 0).sum()

    def predicting(self, kept_P: Tensor | None) -> _LaidOut:
        """The same where only some places of the matrix predict, bool [places]; None: all."""
        if kept_P is None:
            return self
        kept_T = kept_P[self.source_T.clamp(max=len(kept_P) - 1)]
        item_TH = self.targets.item_TH * kept_T[:, None]
        return self._replace(targets=self.targets._replace(item_TH=item_TH))


class StepSource:
    """Draws the steps of an epoch: rows of ``max_seq_len`` training items of a user."""

    def __init__(self, split: Split, settings: Settings, n_items: int, team: Team = Team()) -> None:  # noqa: B008
        """Prepare the parts that do not change from epoch to epoch.

        Args:
            split: The log, on the device of the model.
            settings: Batch size, views, negatives.
            n_items: Size of the catalogue, V.
            team: Of several processes each gets a part of every batch.
        """
        self.split = split
        self.n_items = n_items
        self._item_N, self._event_N = split.item_N, split.event_N
        self._targets = TargetSource(split, settings)
        self._team = team
        self.settings = settings
        self.user_M, self.end_M = training_rows(split, settings)
        self.needs_views = Objective(settings).needs_views
        samples = NEXT_ITEM_LOSSES[settings.next_item_loss].samples
        self._n_negatives = 1 if samples == "negative" else settings.n_negatives
        self._negatives = self._sampler(n_items) if samples in ("negative", "negatives") else None
        self._items = self._item_sampler(n_items) if samples == "items" else None

    @property
    def n_steps(self) -> int:
        """Steps in an epoch."""
        return self._n_passes * self._steps_of_a_pass

    @property
    def _steps_of_a_pass(self) -> int:
        return -(-min(self.user_M.numel(), self.settings.epoch_users) // self.settings.batch_size)

    @property
    def _n_passes(self) -> int:
        return -(-self.settings.epoch_steps // self._steps_of_a_pass)

    def epoch(self, generator: torch.Generator) -> Iterator[StepInput]:
        """All steps of one epoch, in random order: every learner once, several times where they are few, or a part."""
        settings = self.settings
        self._item_N, self._event_N, order = self.split.shuffled_in_baskets(generator)
        self._targets.shuffle(order)
        row_M = torch.arange(self.user_M.numel(), device=self.user_M.device)
        for _ in range(self._n_passes):
            for row_B in shuffled(row_M, settings.batch_size, generator, settings.epoch_users):
                yield self.step(row_B, generator)

    def step(self, row_B: Tensor, generator: torch.Generator) -> StepInput:
        """The step of the given training rows, int64 [B], or this process's part of it; all draw for the whole."""
        inputs, rows = self._rows(row_B, generator)
        whole = self._lay_out(inputs, rows)
        kept_P = self._kept(inputs, whole, generator)
        whole = whole.predicting(kept_P)
        negative_TM = self._draw_negatives(inputs, whole, generator)
        drawn_M, expected_M = self._draw_items(generator)
        known = self._known_of_users(inputs, generator)
        if self._team.size == 1:
            seen = self._seen(inputs, whole)
            drawn = (negative_TM, drawn_M, expected_M)
            return StepInput(whole.tokens, len(row_B), whole.targets, *drawn, None, seen, known)
        part, held_B = self._part(len(row_B), whole.targets)
        own = self._lay_out(inputs, rows, held_B).predicting(kept_P)
        negative_TM = None if negative_TM is None else _moved(negative_TM, whole, own.source_T, inputs.n_places)
        share = float(own.n_targets / whole.n_targets.clamp(min=1)) if len(part.place_B) else 0.0
        part, seen = part._replace(target_share=share), self._seen(inputs, own)
        known = None if known is None else known.at(held_B)
        return StepInput(own.tokens, len(held_B), own.targets, negative_TM, drawn_M, expected_M, part, seen, known)

    def _rows(self, row_B: Tensor, generator: torch.Generator) -> tuple[_Inputs, list[_Rows]]:
        """Training inputs and, where a contrast needs them, two views of each."""
        settings, user_B = self.settings, self.user_M[row_B]
        start_B, end_B = self.split.start_U[user_B], self.end_M[row_B] - 1
        # The released program draws views from the whole history; ours are cut to what is read.
        limit = settings.max_seq_len if settings.padding == "skip" else None
        item_BW, length_B = histories(self._item_N, start_B, end_B, limit)
        event_BW = None
        if self._event_N is not None:
            known_B = torch.rand(length_B.shape, generator=generator, device=length_B.device) >= UNKNOWN_SHARE
            event_BW = histories(self._event_N, start_B, end_B, limit)[0] * known_B[:, None]
        rows = [_Rows(item_BW, length_B, event_BW)]
        if self.needs_views:
            rows += [self._view(rows[0], generator) for _ in range(2)]
        return _Inputs(user_B, end_B - length_B, item_BW.shape[1]), rows

    def _view(self, rows: _Rows, generator: torch.Generator) -> _Rows:
        """A random view of each row; codes of events go with their items."""
        settings, top = self.settings, self.n_items + 1
        both_BW = rows.item_BW if rows.event_BW is None else rows.item_BW + top * rows.event_BW
        shares = (settings.crop_keep, settings.mask_share, settings.reorder_share)
        view_BW, length_B = draw_view(both_BW, rows.length_B, generator, *shares)
        if rows.event_BW is None:
            return _Rows(view_BW, length_B)
        return _Rows(view_BW % top, length_B, view_BW // top)

    def _draw_negatives(self, inputs: _Inputs, whole: _LaidOut, generator: torch.Generator) -> Tensor | None:
        if self._negatives is None:
            return None
        return self._negatives.draw(inputs.user_of(whole.source_T)[:, None].expand(-1, self._n_negatives), generator)

    def _draw_items(self, generator: torch.Generator) -> tuple[Tensor | None, Tensor | None]:
        return (None, None) if self._items is None else self._items.draw(self.settings.n_negatives, generator)

    def _known_of_users(self, inputs: _Inputs, generator: torch.Generator) -> Features | None:
        """Features of the users of a batch, [B] rows; those of some are taken as unknown."""
        if self.split.user_features is None:
            return None
        hidden_B = torch.rand(inputs.user_B.shape, generator=generator, device=inputs.user_B.device) < UNKNOWN_SHARE
        return self.split.user_features.at(inputs.user_B).only(~hidden_B)

    def _part(self, n_rows: int, targets: Targets) -> tuple[Part, Tensor]:
        """This process's part of so many rows with these targets, and its rows: one that does not count if none."""
        place_B = self._team.part(torch.arange(n_rows, device=targets.item_TH.device))
        part = Part(place_B, n_rows, 0.0, self._team.whole, self._team.size, targets)
        return part, place_B if len(place_B) else place_B.new_zeros(1)

    def _lay_out(self, inputs: _Inputs, rows: list[_Rows], held_B: Tensor | None = None) -> _LaidOut:
        """Tokens of the training inputs and views of a batch; of all, or of some inputs, int64 [B']."""
        n_inputs, of_all = len(inputs.user_B), _Rows.cat(rows)
        if held_B is None:
            tokens = of_all.lay_out(self.settings)
            source_T = tokens.source_T
        else:
            row_X, width = torch.cat([held_B + number * n_inputs for number in range(len(rows))]), inputs.width
            tokens = of_all.at(row_X).lay_out(self.settings)
            source_T = row_X[tokens.source_T // width] * width + tokens.source_T % width
        predicts_T = tokens.real_T & (source_T < inputs.n_places)
        at_T, user_T = inputs.position_of(source_T), inputs.user_of(source_T)
        return _LaidOut(tokens, source_T, self._targets.of(self._item_N, at_T, user_T, predicts_T))

    def _kept(self, inputs: _Inputs, whole: _LaidOut, generator: torch.Generator) -> Tensor | None:
        """Places of a batch that predict, bool [places], drawn where the histories before all of them are too long.

        Repeat scores are of all pairs of such a history and its items: their number bounds memory and time of a step.
        Nothing is drawn, and None given, where all may predict.
        """
        if self.settings.repeats != "learned":
            return None
        start_N, end_N = self._before(inputs, whole)
        n_events = int((end_N - start_N).clamp(max=SEEN_EVENTS).sum())
        if n_events <= SEEN_AT_ONCE:
            return None
        noise_P = torch.rand(inputs.n_places, generator=generator, device=start_N.device)
        return noise_P < SEEN_AT_ONCE / n_events

    def _before(self, inputs: _Inputs, laid_out: _LaidOut) -> tuple[Tensor, Tensor]:
        """Where the histories up to the tokens that predict begin and end in the log: int64 [N] each."""
        source_N = laid_out.source_T[torch.nonzero(laid_out.targets.item_TH[:, 0]).flatten()]
        return self.split.start_U[inputs.user_of(source_N)], inputs.position_of(source_N) + 1

    def _seen(self, inputs: _Inputs, laid_out: _LaidOut) -> SeenItems | None:
        """The items in the whole histories up to the tokens that predict; None unless repeat scores are learned."""
        if self.settings.repeats != "learned":
            return None
        start_N, end_N = self._before(inputs, laid_out)
        return seen_items(HistoryBatch(self._item_N, start_N, end_N, newest_N=self.split.newest_N), self.n_items)

    def _sampler(self, n_items: int) -> NegativeSampler:
        """Negatives 1 .. V, or 1 .. V + 1 (the mask row too) where the released program is followed."""
        split = self.split
        kept_N = split.before(split.end_U if self.settings.negatives == "unseen_ever" else split.train_end_U)
        top = n_items + (1 if self.settings.padding == "encode" else 0)
        return NegativeSampler(split.item_N[kept_N], split.user_N[kept_N], split.n_users, top)

    def _item_sampler(self, n_items: int) -> ItemSampler:
        return ItemSampler(self.split.item_N[self.split.before(self.split.train_end_U)], n_items)


def _moved(negative_TM: Tensor, whole: _LaidOut, source_X: Tensor, n_places: int) -> Tensor:
    """What was drawn for the tokens of a whole batch, for some of its tokens: [X, M]."""
    predicts_T = whole.targets.item_TH[:, 0] > 0
    at_place = negative_TM.new_ones(n_places, negative_TM.shape[1])
    at_place[whole.source_T[predicts_T]] = negative_TM[predicts_T]
    return at_place[source_X.clamp(max=n_places - 1)]


def training_rows(split: Split, settings: Settings) -> tuple[Tensor, Tensor]:
    """Whose each training row is, int64 [M], and the position after its last item, int64 [M].

    Every learner's newest ``max_seq_len`` items, as many before them, and so on, up to ``windows`` rows. The newest
    ones predict something: of a last basket that is longer than a row only the first item is in one.
    """
    user_M = split.learners()
    end_M, last_M = split.target_end_U[user_M], split.last_target_U[user_M]
    end_M = torch.where(last_M < end_M - settings.max_seq_len, last_M + 1, end_M)
    n_M = (end_M - split.start_U[user_M] - 2) // settings.max_seq_len + 1  # a row has two items or more
    n_M = n_M.clamp(max=settings.windows)
    row_X, number_X = ranges(torch.zeros_like(n_M), n_M)
    return user_M[row_X], end_M[row_X] - number_X * settings.max_seq_len
