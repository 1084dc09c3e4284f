"""The joint objective of a training step, as named terms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.config import Settings
from elcrec.data.batches import TokenBatch
from elcrec.data.features import Features
from elcrec.data.seen import SeenItems
from elcrec.losses.clustering import nearest_cluster_loss, printed_cluster_loss
from elcrec.losses.contrastive import nt_xent
from elcrec.losses.features import feature_loss
from elcrec.losses.prediction import ExtraScores, Prediction
from elcrec.losses.registry import NEXT_ITEM_LOSSES
from elcrec.model.network import ELCRecNetwork
from elcrec.model.precision import fast_products
from elcrec.training.targets import Targets, weigh

PhaseClock = Callable[[str], None]


class Part(NamedTuple):
    """One process's part of a batch.

    Attributes:
        place_B: int64 [B], where its rows lie in the whole batch; empty for a process without rows, which then holds
            a row that does not count.
        n_rows: Rows of the whole batch.
        target_share: Its share of all positions that predict, 0 to 1.
        gather: Puts the rows of all processes together: part [B, ...], places, rows -> whole [n_rows, ...].
        size: Number of processes.
        targets: Targets of the whole batch: their weights, where they have some, tell the part's share.
    """

    place_B: Tensor
    n_rows: int
    target_share: float
    gather: Callable[[Tensor, Tensor, int], Tensor]
    size: int
    targets: Targets

    @property
    def row_share(self) -> float:
        """Its share of the rows, 0 to 1."""
        return len(self.place_B) / self.n_rows

    def whole(self, part_B: Tensor) -> Tensor:
        """The rows of all processes."""
        return self.gather(part_B, self.place_B, self.n_rows)


@dataclass(frozen=True)
class StepInput:
    """What one step reads: B sequences and, where a contrast needs them, two random views of each.

    Attributes:
        tokens: B rows of training inputs, then B first views, then B second views, encoded in one pass.
        n_sequences: B.
        targets: What each token of a training input is to predict.
        negative_TM: int64 [T, M], items the user does not have; None unless the loss samples negatives.
        drawn_M: int64 [M], rows of the catalogue drawn for the step; None unless the loss draws items.
        expected_M: [M], expected count of each among the draws; None unless the loss draws items.
        part: Which part of the batch this is, where several processes share it.
        seen: Items in the histories before the targets of the tokens that predict, in their order; None without repeat
            scores.
        user_features: Of the users of the B sequences; None where the model reads none.
    """

    tokens: TokenBatch
    n_sequences: int
    targets: Targets
    negative_TM: Tensor | None = None
    drawn_M: Tensor | None = None
    expected_M: Tensor | None = None
    part: Part | None = None
    seen: SeenItems | None = None
    user_features: Features | None = None

    def on_its_items(self) -> tuple[Tensor, StepInput]:
        """The same step on a catalogue of only the items it touches.

        Returns:
            The items, int64 [X], ascending, 0 first; and the step with each item's place among them for its index.
        """
        none = self.tokens.item_T.new_zeros(1)
        drawn_M = none if self.drawn_M is None else self.drawn_M + 1
        negative_TM = none if self.negative_TM is None else self.negative_TM
        touched = [none, self.tokens.item_T, self.targets.item_TH.flatten(), negative_TM.flatten(), drawn_M]
        item_X = torch.unique(torch.cat(touched))
        return item_X, replace(
            self,
            tokens=replace(self.tokens, item_T=torch.searchsorted(item_X, self.tokens.item_T)),
            targets=self.targets._replace(item_TH=torch.searchsorted(item_X, self.targets.item_TH)),
            negative_TM=None if self.negative_TM is None else torch.searchsorted(item_X, negative_TM),
            drawn_M=None if self.drawn_M is None else torch.searchsorted(item_X, drawn_M) - 1,
        )


class Terms(NamedTuple):
    """The parts of the objective, unweighted, and the weighted sum that is minimised."""

    total: Tensor
    next_item: Tensor
    instance: Tensor
    intent: Tensor
    cluster: Tensor
    features: Tensor


class Assigned(NamedTuple):
    """Where the original sequences of a batch went, without gradient.

    Attributes:
        intent_B: int64 [B], the nearest centre.
        cosine_B: [B], cosine to it.
        margin_B: [B], how much smaller the cosine to the next centre is, >= 0.
    """

    intent_B: Tensor
    cosine_B: Tensor
    margin_B: Tensor

    def of_part(self, part: Part | None) -> Assigned:
        """The same for the rows of a part of a batch, which stand first."""
        return self if part is None else Assigned(*(one_B[: len(part.place_B)] for one_B in self))


def of_each_encoder(n_encoders: int, hidden_ND: Tensor, *vectors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """What each encoder scores with: its own hidden vectors, and its part of others.

    Args:
        n_encoders: E.
        hidden_ND: [N, D], of all of them; see :class:`elcrec.model.encoder.EncoderEnsemble`.
        vectors: [rows, D] each.

    Yields:
        [N, D / E] and, of each of the others, [rows, D / E].
    """
    if n_encoders == 1:
        yield hidden_ND, *vectors
        return
    for own_ND, *parts in zip(*(one.chunk(n_encoders, dim=1) for one in (hidden_ND, *vectors)), strict=True):
        yield n_encoders * own_ND, *(part.contiguous() for part in parts)


class Objective:
    """``next_item + instance_weight * instance + intent_weight * intent + cluster_weight * cluster``.

    Source: ELCRec eq. 11. With item features ``feature_weight * features`` is added.
    """

    def __init__(self, settings: Settings) -> None:
        """Settings choose the losses and weights."""
        self.settings = settings
        self._next_item_loss = NEXT_ITEM_LOSSES[settings.next_item_loss].compute

    @property
    def needs_views(self) -> bool:
        """Whether a contrast has weight."""
        return self.settings.instance_weight > 0 or self.settings.intent_weight > 0

    def __call__(
        self,
        network: ELCRecNetwork,
        step: StepInput,
        users_K: Tensor,
        clock: PhaseClock = lambda phase: None,
        warming_up: bool = False,
        passed: float = 0.0,
    ) -> tuple[Terms, Assigned]:
        """All terms for a batch, in the released program's order.

        The instance contrast sees the centres as the optimiser left them; they are then scaled to unit rows
        outside the graph, and the terms after it see those.

        Args:
            network: The network; its centres are scaled in place.
            step: The batch.
            users_K: [K], users of each intent in the epoch so far.
            warming_up: Only the prediction counts; the other terms are 0.
            passed: How much of the training has passed, 0 to 1: at 1 only the next item is predicted.
            clock: Called with the name of each phase as it ends (``encode``, ``losses``).

        Returns:
            The terms (scalars; of a part of a batch what it adds to the whole's) and the intent of each row.
        """
        settings, part, targets = self.settings, step.part, step.targets
        instance_weight, intent_weight, cluster_weight = (
            0.0 if warming_up else weight
            for weight in (settings.instance_weight, settings.intent_weight, settings.cluster_weight)
        )
        table, step = self._table(network, step)
        with torch.autocast(table.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
            hidden_TD = network.encoder(step.tokens, table=table)
        hidden_TD = hidden_TD.float()
        clock("encode")

        # The original sequences first, then the views, if there are any.
        behaviour_BD, *view_BD = network.pooled(hidden_TD, step.tokens).split(step.n_sequences)
        ranking_TD = self._with_users(network, hidden_TD, step)
        zero = hidden_TD.new_zeros(())
        next_item_loss = self.next_item_loss(network, table, ranking_TD, step, passed)
        features = self.feature_loss(network, ranking_TD, targets, passed)
        instance = self.instance_loss(network, hidden_TD, step, view_BD) if instance_weight > 0 else zero

        if settings.intent_learning == "end_to_end":
            network.centers.normalise()
            behaviour_BD = F.normalize(behaviour_BD, dim=-1)
        # Computed once for all terms: with many intents this is most of the work.
        cosine_BK = network.centers.cosines(behaviour_BD)
        nearest_B, place_B = cosine_BK.max(dim=1)
        # Of ICLRec's centroids, which are no unit rows, the nearest is not the one at the smallest angle.
        intent_B = network.centers.nearest(behaviour_BD.detach()) if settings.intent_learning == "em" else place_B
        cluster = (
            self.cluster_loss(behaviour_BD, network.centers.weight, users_K, cosine_BK) if cluster_weight > 0 else zero
        )
        intent = self.intent_loss(network, step, view_BD, intent_B) if intent_weight > 0 else zero
        if part is not None:
            share = self._share(step, part, passed)
            next_item_loss, features, cluster = share * next_item_loss, share * features, part.row_share * cluster
            instance, intent = instance / part.size, intent / part.size
        total = next_item_loss + instance_weight * instance + intent_weight * intent + cluster_weight * cluster
        total = total + settings.feature_weight * features
        next_B = cosine_BK.scatter_(1, place_B[:, None], -torch.inf).amax(dim=1)
        assigned = Assigned(intent_B, nearest_B, nearest_B - next_B)
        clock("losses")
        return Terms(total, next_item_loss, instance, intent, cluster, features), assigned.of_part(part)

    def _table(self, network: ELCRecNetwork, step: StepInput) -> tuple[Tensor, StepInput]:
        """The items' vectors and the step on them: all of the catalogue, or only those that it touches."""
        if self.settings.item_updates == "all":
            return network.item_table.vectors(), step
        item_X, step = step.on_its_items()
        return network.item_table.rows(item_X), step

    def _with_users(self, network: ELCRecNetwork, hidden_TD: Tensor, step: StepInput) -> Tensor:
        """What items are ranked with, [T, D]: hidden vectors and, of training inputs, what is known of the users."""
        if network.of_users is None or step.user_features is None:
            return hidden_TD
        part_BD = network.of_users(network.of_users.rows_of(step.user_features))
        return hidden_TD + F.embedding(step.tokens.sequence_T.clamp(0, step.n_sequences - 1), part_BD)

    def next_item_loss(
        self, network: ELCRecNetwork, table: Tensor, hidden_TD: Tensor, step: StepInput, passed: float
    ) -> Tensor:
        """How well the items that come next are predicted: the recipe's next-item loss."""
        at_N = torch.nonzero(step.targets.item_TH[:, 0]).flatten()
        if len(at_N) == 0:
            return self._of_nothing(network, table, hidden_TD, step)
        targets, hidden_ND = step.targets.at(at_N), hidden_TD[at_N]
        weight_NH, row_N = weigh(targets, self.settings.horizon_decay, passed)
        extra = None
        if network.repeats is not None and step.seen is not None:
            score_P = network.repeats(step.seen, hidden_ND)
            extra = ExtraScores(step.seen.row_P, step.seen.item_P - 1, score_P)
        prediction = Prediction(
            hidden_ND,
            table,
            network.n_items,
            targets.item_TH,
            weight_NH,
            self.settings,
            self._products(table),
            None if step.negative_TM is None else step.negative_TM[at_N],
            step.drawn_M,
            step.expected_M,
            extra,
            None if row_N is None else row_N / row_N.mean(),
        )
        losses = [
            self._next_item_loss(replace(prediction, hidden_ND=own_ND, table=own_table))
            for own_ND, own_table in of_each_encoder(network.n_encoders, hidden_ND, table)
        ]
        return torch.stack(losses).mean()

    def feature_loss(self, network: ELCRecNetwork, hidden_TD: Tensor, targets: Targets, passed: float) -> Tensor:
        """How well the features of the items that come next are predicted; 0 without features, or with vectors alone.

        Args:
            network: The network.
            hidden_TD: Of the tokens.
            targets: Of the tokens, as items of the whole catalogue.
            passed: How much of the training has passed, 0 to 1.
        """
        known, embedding = network.item_table.feature_shares, network.item_table.of_features
        at_N = torch.nonzero(targets.item_TH[:, 0]).flatten()
        predicts = embedding is not None and embedding.n_predicted > 0 and self.settings.feature_weight > 0
        if known is None or embedding is None or not predicts or len(at_N) == 0:
            return hidden_TD.new_zeros(())
        weight_NH, row_N = weigh(targets.at(at_N), self.settings.horizon_decay, passed)
        weight_NH = weight_NH if row_N is None else weight_NH * (row_N / row_N.mean())[:, None]
        shares = known.at(targets.item_TH[at_N].flatten())
        weight_NH = weight_NH * (shares.offset_R.diff() > 0).view_as(weight_NH)
        predicted_FD = embedding.predicted()
        mean_NHD = embedding.means(shares, predicted_FD).view(*weight_NH.shape, -1)
        target_ND = (weight_NH[:, :, None] * mean_NHD).sum(dim=1)
        products, share_N = self._products(hidden_TD), weight_NH.sum(dim=1)
        losses = [
            feature_loss(own_ND, own_FD, own_target_ND, share_N, products)
            for own_ND, own_FD, own_target_ND in of_each_encoder(
                network.n_encoders, hidden_TD[at_N], predicted_FD, target_ND
            )
        ]
        return torch.stack(losses).mean()

    def _products(self, like: Tensor) -> torch.dtype:
        """What large matrices are multiplied in."""
        return torch.float32 if self.settings.precision == "float32" else fast_products(like.device)

    def _of_nothing(self, network: ELCRecNetwork, table: Tensor, hidden_TD: Tensor, step: StepInput) -> Tensor:
        """0, where no token predicts: no basket ends in a part. All weights get gradients, as in other processes."""
        learned = [] if network.repeats is None or step.seen is None else list(network.repeats.parameters())
        return torch.stack([one.sum() for one in (hidden_TD, table, *learned) if one.requires_grad]).sum() * 0

    def _share(self, step: StepInput, part: Part, passed: float) -> float | Tensor:
        """A part's share of the targets of a batch, by their weights."""
        if part.targets.alike or part.target_share == 0:
            return part.target_share
        return self._total_weight(step.targets, passed) / self._total_weight(part.targets, passed)

    def _total_weight(self, targets: Targets, passed: float) -> Tensor:
        """Sum of the weights of the tokens that predict, a scalar."""
        predicting = targets.at(torch.nonzero(targets.item_TH[:, 0]).flatten())
        weight_NH, row_N = weigh(predicting, self.settings.horizon_decay, passed)
        return weight_NH.sum() if row_N is None else row_N.sum()

    def instance_loss(
        self, network: ELCRecNetwork, hidden_TD: Tensor, step: StepInput, view_BD: list[Tensor]
    ) -> Tensor:
        """Contrast of the two views: as released on flattened fused positions, else on pooled unit vectors."""
        if self.settings.padding == "encode":
            per_view = step.n_sequences * self.settings.max_seq_len
            sides = [
                network.centers.fuse(part_TD, self.settings.fusion).view(step.n_sequences, -1)
                for part_TD in hidden_TD.split(per_view)[1:]
            ]
        else:
            sides = [F.normalize(mean_BD, dim=-1) for mean_BD in view_BD]
        if step.part is not None:
            sides = [step.part.whole(side) for side in sides]
        return nt_xent(sides[0], sides[1], self.settings.temperature)

    def intent_loss(self, network: ELCRecNetwork, step: StepInput, view_BD: list[Tensor], intent_B: Tensor) -> Tensor:
        """Contrast of each view with the centre of the original; unit vectors and no false negatives in ours."""
        center_BD = network.centers.of(intent_B)
        if step.part is not None:
            view_BD = [step.part.whole(mean_BD) for mean_BD in view_BD]
            center_BD, intent_B = step.part.whole(center_BD), step.part.whole(intent_B)
        if self.settings.intent_learning == "em":
            center_BD = F.normalize(center_BD, dim=-1)
        released = self.settings.padding == "encode"
        losses = [
            nt_xent(mean_BD, center_BD, self.settings.temperature)
            if released
            else nt_xent(F.normalize(mean_BD, dim=-1), center_BD, self.settings.temperature, intent_B)
            for mean_BD in view_BD
        ]
        return torch.stack(losses).mean()

    def cluster_loss(self, behaviour_BD: Tensor, centers_KD: Tensor, users_K: Tensor, cosine_BK: Tensor) -> Tensor:
        """How near behaviours are to centres: the recipe's cluster loss."""
        if self.settings.cluster_loss == "printed":
            return printed_cluster_loss(behaviour_BD, centers_KD)
        return nearest_cluster_loss(behaviour_BD, centers_KD, users_K, cosine_BK=cosine_BK)
