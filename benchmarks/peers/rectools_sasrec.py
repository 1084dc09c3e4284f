"""SASRec of RecTools, trained and evaluated through its public interface; started by run.py in its own environment."""

from typing import Any

import pandas as pd
from common import Clock, Log, Task
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


class Timing(Clock, Callback):
    """The clock as a callback of Lightning."""


def count(batch: dict[str, Any]) -> tuple[int, int]:
    return len(batch["y"]), int((batch["y"] != 0).sum())


def trainer() -> Trainer:
    return Trainer(
        max_epochs=-1 if task.steps else task.epochs,
        max_steps=task.steps or -1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Timing(count)],
    )


def dataset(log: Log) -> Dataset:
    times = pd.Timestamp("2020-01-01") + pd.to_timedelta(log.place_N, unit="s")
    columns = {Columns.User: log.user_N, Columns.Item: log.item_N, Columns.Weight: 1.0, Columns.Datetime: times}
    return Dataset.construct(pd.DataFrame(columns))


task = Task.of_words()
log = Log.read(task.data)
model = SASRecModel(
    session_max_len=50,
    n_factors=64,
    n_blocks=2,
    n_heads=2,
    dropout_rate=0.5,
    lr=1e-3,
    batch_size=256,
    loss="softmax",
    get_trainer_func=trainer,
)
train = dataset(log.without(2))
began = Clock(count).began
model.fit(train)
# RecTools trains with a copy of the trainer, and so of the clock.
clock = next(callback for callback in model.fit_trainer.callbacks if isinstance(callback, Clock))
clock.began = began
if not task.steps:
    listed = model.recommend(log.user_U, dataset(log.without(1)), k=50, filter_viewed=True)
    listed[[Columns.User, Columns.Item, Columns.Rank]].to_csv(task.lists, index=False)
clock.report(task)
