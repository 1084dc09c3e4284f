"""The whole network: an encoder and its intent centres."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elcrec.config import Settings
from elcrec.data.batches import TokenBatch
from elcrec.data.features import FeatureSpace
from elcrec.model.encoder import Encoder, EncoderEnsemble, SequenceEncoder, pool
from elcrec.model.events import EventEmbedding
from elcrec.model.features import FeatureEmbedding
from elcrec.model.intents import IntentCenters
from elcrec.model.item_table import ItemTable
from elcrec.model.repeats import RepeatScore


class ELCRecNetwork(nn.Module):
    """Encoder and centres, sized by the settings.

    Rows of the item table: 0 is padding, 1 .. n_items the catalogue; with padding ``encode`` one more row
    follows, which the released program has (its mask row, drawn as a negative and never ranked).
    """

    def __init__(
        self,
        settings: Settings,
        n_items: int,
        features: FeatureSpace | None = None,
        user_features: FeatureSpace | None = None,
    ) -> None:
        """Fresh weights from torch's global generator.

        Args:
            settings: Sizes, padding and recency.
            n_items: Size of the catalogue, V.
            features: Features of items that it learns from; None: none.
            user_features: Features of users that it learns from; None: none.
        """
        super().__init__()
        self.n_items = n_items
        self.max_seq_len, self.padding, self.recency = settings.max_seq_len, settings.padding, settings.recency
        self.n_encoders, rows = settings.n_encoders, n_items + (2 if settings.padding == "encode" else 1)
        self.encoder: Encoder
        if self.n_encoders == 1:
            self.encoder = _encoder(settings, rows, features)
        else:
            table = ItemTable(rows, settings.width, of_features=_of_features(settings, features))
            self.encoder = EncoderEnsemble(table, [_encoder(settings) for _ in range(self.n_encoders)])
        self.centers = IntentCenters(settings.n_intents, settings.width)
        self.repeats: RepeatScore | None = None
        if settings.repeats != "none":
            self.repeats = RepeatScore(self.item_table.num_embeddings, settings.width)
        self.of_users: FeatureEmbedding | None = None
        if user_features is not None:  # at first nothing is added
            self.of_users = FeatureEmbedding(user_features, settings.width, spread=0.0)

    @property
    def item_table(self) -> ItemTable:
        """The items' vectors."""
        return self.encoder.item_table

    @property
    def items_VD(self) -> Tensor:
        """The catalogue's vectors, item index 1 first: [V, D]."""
        return self.item_table.weight[1 : self.n_items + 1]

    @torch.no_grad()
    def encode_users(self, batch: TokenBatch) -> Tensor:
        """The vector a user is ranked with, that of the newest token: [B, D]."""
        return self.encoder(batch, newest_only=True)

    @torch.no_grad()
    def encode_behaviour(self, batch: TokenBatch) -> Tensor:
        """The behaviour embedding, see :func:`elcrec.model.encoder.pool`: [B, D]."""
        return self.pooled(self.encoder(batch), batch)

    def pooled(self, hidden_TD: Tensor, batch: TokenBatch) -> Tensor:
        """Behaviour embeddings from hidden vectors, with this model's recency: [B, D]."""
        return pool(hidden_TD, batch, self.recency)


def network_to_load(
    settings: Settings, n_items: int, features: FeatureSpace | None = None, user_features: FeatureSpace | None = None
) -> ELCRecNetwork:
    """A network whose weights are loaded next: torch's global generator stays as it is; see :class:`ELCRecNetwork`."""
    with torch.random.fork_rng(devices=[]):  # the weights are drawn in main memory
        return ELCRecNetwork(settings, n_items, features, user_features)


def _encoder(settings: Settings, n_rows: int | None = None, features: FeatureSpace | None = None) -> SequenceEncoder:
    """One encoder, with an item table of ``n_rows`` rows; None: without one, in an ensemble."""
    events = None
    if settings.event_inputs != "none":
        events = EventEmbedding(len(settings.input_kinds), settings.reads_gaps, settings.embedding_dim)
    return SequenceEncoder(
        n_item_rows=n_rows,
        max_seq_len=settings.max_seq_len,
        embedding_dim=settings.embedding_dim,
        n_layers=settings.n_layers,
        n_heads=settings.n_heads,
        dropout=settings.dropout,
        train_row_0=settings.padding == "skip",
        filter_width=settings.filter_width,
        events=events,
        of_features=_of_features(settings, features),
    )


def _of_features(settings: Settings, features: FeatureSpace | None) -> FeatureEmbedding | None:
    if features is None:
        return None
    return FeatureEmbedding(features, settings.width, settings.item_updates == "touched")
