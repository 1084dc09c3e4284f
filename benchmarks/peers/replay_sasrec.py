"""SASRec of RePlay, trained and evaluated through its public interface; started by run.py in its own environment.

By `replay.nn`: `replay.models.nn`, the older interface, is marked as deprecated and was no faster in a short trial.
"""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from common import Clock, Log, Task
from replay.data import FeatureHint, FeatureSource, FeatureType
from replay.data.nn import ParquetModule, TensorFeatureInfo, TensorFeatureSource, TensorSchema
from replay.nn.lightning import LightningModule
from replay.nn.lightning.callback import TorchTopItemsCallback
from replay.nn.lightning.optimizer import OptimizerFactory
from replay.nn.lightning.postprocessor import SeenItemsFilter
from replay.nn.sequential import SasRec
from replay.nn.transform.template import make_default_sasrec_transforms

LENGTH = 50


class Timing(Clock, lightning.Callback):
    """The clock as a callback of Lightning."""


def count(batch: dict[str, Any]) -> tuple[int, int]:
    """RePlay also predicts the first item of a history, from padding: not counted."""
    predicted = batch["padding_mask"] & batch["target_padding_mask"].squeeze(-1)
    return len(predicted), int(predicted.sum())


def write(log: Log, path: Path, columns: list[str]) -> str:
    """Users and their histories, the items numbered from 0; the history in each of the columns."""
    ends = np.concatenate([[0], np.cumsum(log.length_U)])
    histories = pa.LargeListArray.from_arrays(ends, np.searchsorted(items, log.item_N))
    pq.write_table(pa.table({"user_id": log.user_U, **dict.fromkeys(columns, histories)}), path)
    return str(path)


def trainer(**more: Any) -> lightning.Trainer:
    return lightning.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        **more,
    )


warnings.filterwarnings("ignore", message="The following dataset paths aren't provided")
task = Task.of_words()
log = Log.read(task.data)
clock = Timing(count)
items = np.unique(log.item_N)
schema = TensorSchema(
    TensorFeatureInfo(
        "item_id",
        feature_type=FeatureType.CATEGORICAL,
        is_seq=True,
        feature_hint=FeatureHint.ITEM_ID,
        feature_sources=[TensorFeatureSource(FeatureSource.INTERACTIONS, "item_id")],
        cardinality=len(items),
        padding_value=len(items),
        embedding_dim=64,
    )
)
model = LightningModule(
    SasRec.from_params(schema, embedding_dim=64, num_heads=2, num_blocks=2, max_sequence_length=LENGTH, dropout=0.5),
    OptimizerFactory(optimizer="adam", learning_rate=1e-3, betas=(0.9, 0.999)),
)
transforms = make_default_sasrec_transforms(schema)
with tempfile.TemporaryDirectory() as folder:
    # A position more is read in training: the last one is only predicted.
    train = ParquetModule(
        batch_size=256,
        metadata={"train": {"user_id": {}, "item_id": {"shape": LENGTH + 1, "padding": len(items)}}},
        transforms=transforms,
        train_path=write(log.without(2, least=2), Path(folder) / "train.parquet", ["item_id"]),
    )
    length = {"max_steps": task.steps, "max_epochs": -1} if task.steps else {"max_epochs": task.epochs}
    trainer(callbacks=[clock], **length).fit(model, datamodule=train)
    if not task.steps:
        asked = log.without(1)
        shapes = {"item_id": LENGTH, "seen_ids": int(asked.length_U.max())}
        metadata = {name: {"shape": shape, "padding": len(items)} for name, shape in shapes.items()}
        predict = ParquetModule(
            batch_size=256,
            metadata={"predict": {"user_id": {}, **metadata}},
            transforms=transforms,
            predict_path=write(asked, Path(folder) / "predict.parquet", list(shapes)),
        )
        top = TorchTopItemsCallback(50, "user_id", [SeenItemsFilter(len(items))])
        trainer(callbacks=[top]).predict(model, datamodule=predict, return_predictions=False)
        users, listed, _ = top.get_result()
        ranks = np.tile(np.arange(1, 51), len(users))
        rows = np.stack([np.repeat(users.numpy(), 50), items[listed.numpy().ravel()], ranks], axis=1)
        np.savetxt(task.lists, rows, "%d", ",", header="user_id,item_id,rank", comments="")
clock.report(task)
