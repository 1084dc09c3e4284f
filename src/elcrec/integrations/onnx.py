"""A trained encoder as an ONNX graph, for programs without PyTorch; needs ``elcrec[onnx]``."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from elcrec.data.batches import TokenBatch
from elcrec.errors import RunError, SettingsError
from elcrec.model.encoder import FEED_TOKENS
from elcrec.model.network import ELCRecNetwork
from elcrec.process.progress import step
from elcrec.process.wording import setting
from elcrec.recommender import ELCRec
from elcrec.storage import make_folder, publish_folder, write_frame, write_json, write_tensors

HOW = (
    "history: int64 [rows, max_seq_len], the item_index (vocabulary.parquet) of the newest max_seq_len items, oldest "
    "first, with zeros on the left of shorter ones; at most most_rows rows. Scores: items (items.safetensors) times "
    "user; row i of items is the item with item_index i + 1. With exclude_seen, leave out the items of the history."
)


class UserEncoder(nn.Module):
    """Histories of fixed length to the vectors their users are ranked with."""

    def __init__(self, network: ELCRecNetwork, max_seq_len: int, padding: str) -> None:
        """Take the encoder of a network in evaluation mode."""
        super().__init__()
        self.encoder, self.max_seq_len, self.padding = network.encoder, max_seq_len, padding

    def forward(self, item_BL: Tensor) -> Tensor:
        """Vectors, [B, D].

        Args:
            item_BL: int64 [B, L], item indices, the newest in the last column, 0 before the oldest.
        """
        n_rows, length = item_BL.shape[0], self.max_seq_len
        column_BL = torch.arange(length).expand(n_rows, length)
        length_B = (item_BL > 0).sum(dim=1).clamp(min=1)  # of an empty history, item 0's vector
        position_BL = column_BL
        if self.padding == "skip":  # real tokens come first
            item_BL = item_BL.gather(1, (column_BL + length - length_B[:, None]) % length)
            position_BL = (column_BL + length - length_B[:, None]).clamp(max=length - 1)
        last_B = length_B - 1 if self.padding == "skip" else torch.full_like(length_B, length - 1)
        batch = TokenBatch(
            item_T=item_BL.flatten(),
            position_T=position_BL.flatten(),
            column_T=column_BL.flatten(),
            sequence_T=torch.arange(n_rows)[:, None].expand(n_rows, length).flatten(),
            real_T=item_BL.flatten() > 0,
            source_T=column_BL.flatten(),
            blocks=((n_rows, length),),
            last_B=torch.arange(n_rows) * length + last_B,
            length_B=length_B,
            padding="skip" if self.padding == "skip" else "encode",
        )
        vector_BD: Tensor = self.encoder(batch, newest_only=True)
        return vector_BD


def export_onnx(model: ELCRec, out: str | Path) -> None:
    """Write ``encoder.onnx``, ``items.safetensors``, ``vocabulary.parquet`` and ``export.json`` to a new folder.

    The graph takes ``history``, int64 [B, L], the newest item last and 0 before the oldest, and gives ``user``,
    float32 [B, D]. ``export.json`` names L (``max_seq_len``) and the largest B (``most_rows``), and says how the graph
    is called. Scores are the product of ``user`` with ``items``, [V, D], whose row r is the item with ``item_index``
    r + 1.

    Raises:
        SettingsError: ONNX is not installed, or the model ranks seen items by repeat scores, reads
            ``event_inputs`` or has learned from user features.
        RunError: The folder is there already, or cannot be written.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise SettingsError("the export needs ONNX: pip install 'elcrec[onnx]'") from error
    out, settings = Path(out), model.settings
    if out.exists():
        raise RunError(f"{out} is there already: choose a new folder")
    _refuse_what_is_not_exported(model)
    beside = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    make_folder(beside)
    try:
        network = model.network.cpu()
        encoder = UserEncoder(network, settings.max_seq_len, settings.padding).eval()
        most_rows = FEED_TOKENS // settings.max_seq_len  # the encoder splits more, and the graph need not
        example = torch.ones(2, settings.max_seq_len, dtype=torch.int64)
        with torch.no_grad(), _without_torchvision(), step("making the graph"):
            program = torch.onnx.export(
                encoder,
                (example,),
                input_names=["history"],
                output_names=["user"],
                dynamic_shapes=({0: torch.export.Dim("rows", min=1, max=most_rows)},),
                dynamo=True,
                verbose=False,
            )
        if program is None:
            raise RunError("PyTorch made no ONNX graph of this network")
        program.save(beside / "encoder.onnx", external_data=False)
        write_tensors(beside / "items.safetensors", {"items": network.items_VD})
        write_frame(beside / "vocabulary.parquet", model.items.ids.to_frame("item_id").with_row_index("item_index", 1))
        write_json(
            beside / "export.json",
            {
                "max_seq_len": settings.max_seq_len,
                "most_rows": most_rows,
                "embedding_dim": settings.width,
                "n_items": len(model.items),
                "exclude_seen": settings.exclude_seen,
                "padding": "left",
                "how": HOW,
            },
        )
        publish_folder(beside, out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        model.network.to(model.device)


@contextmanager
def _without_torchvision() -> Iterator[None]:
    """Within, PyTorch does not log that torchvision is missing, which the graph does not need."""

    def other(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("torchvision is not installed")

    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    logger.addFilter(other)
    try:
        yield
    finally:
        logger.removeFilter(other)


def _refuse_what_is_not_exported(model: ELCRec) -> None:
    """Name all of it at once: each costs a training."""
    settings, found = model.settings, []
    if settings.repeats != "none" and not settings.exclude_seen:
        remedy = f"{setting('repeats', 'none')} or {setting('exclude_seen', True)}"
        found.append(("adds repeat scores to items of the history", remedy))
    if settings.event_inputs != "none":
        found.append((f"reads event_inputs={settings.event_inputs} of each event", setting("event_inputs", "none")))
    if model.fitted.dataset.user_features is not None:
        found.append(("has learned from user features", setting("user_features", False)))
    if found:
        reasons, remedies = (", ".join(parts) for parts in zip(*found, strict=True))
        raise SettingsError(f"this model {reasons}, which the export does not hold: train it with {remedies}")
