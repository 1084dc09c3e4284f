"""SASRec of RecBole, trained and evaluated through its public interface; started by run.py in its own environment.

RecBole makes a training sample of every click: the clicks before it, of which it predicts this one alone. Its
sequences are those samples, as many as its targets.
"""

import logging
import os
import tempfile
from collections.abc import Iterator
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Clock, Log, Task
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed


class Batches:
    """The training batches of an epoch, or so many of them, counted; all else is passed on to RecBole's loader."""

    def __init__(self, loader: Any, steps: int) -> None:
        self.loader, self.steps = loader, steps or len(loader)

    def __iter__(self) -> Iterator[Any]:
        for batch in islice(chain.from_iterable(repeat(self.loader)), self.steps):
            yield batch
            clock.on_train_batch_end(None, None, None, batch, 0)

    def __len__(self) -> int:
        return self.steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)


def write(log: Log, folder: Path) -> None:
    """An atomic file; the place in the history stands for the time."""
    rows = np.stack([log.user_N, log.item_N, log.place_N], axis=1)
    header = "user_id:token\titem_id:token\ttimestamp:float"
    np.savetxt(folder / f"{folder.name}.inter", rows, "%d", "\t", header=header, comments="")


@torch.no_grad()
def lists() -> Iterator[np.ndarray]:
    """Users, items and ranks, batch by batch."""
    asked = log.without(1)
    item_N = dataset.token2id("item_id", asked.item_N.astype(str))
    end_U = np.cumsum(asked.length_U)
    place = {user: at for at, user in enumerate(asked.user_U.tolist())}
    model.eval()
    for batch, *_ in test_data:
        scores = model.full_sort_predict(batch)
        scores[:, 0] = -torch.inf
        users = dataset.id2token("user_id", batch["user_id"]).astype(int)
        for row, user in enumerate(users.tolist()):
            at = place[user]
            scores[row, item_N[end_U[at] - asked.length_U[at] : end_U[at]]] = -torch.inf
        listed = dataset.id2token("item_id", scores.topk(50).indices).astype(int)
        yield np.stack([np.repeat(users, 50), listed.ravel(), np.tile(np.arange(1, 51), len(users))], axis=1)


task = Task.of_words()
log = Log.read(task.data)
logging.disable()
with tempfile.TemporaryDirectory() as name:
    os.chdir(name)  # RecBole leaves folders where it runs
    folder = Path(name) / "log"
    folder.mkdir()
    write(log, folder)
    config = Config(
        model="SASRec",
        dataset=folder.name,
        config_dict={
            "data_path": name,
            "checkpoint_dir": name,
            "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
            "USER_ID_FIELD": "user_id",
            "ITEM_ID_FIELD": "item_id",
            "TIME_FIELD": "timestamp",
            "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"},
            "use_gpu": False,
            "seed": 1,
            "epochs": 1 if task.steps else task.epochs,
            "train_batch_size": 256,
            "eval_batch_size": 256,
            "train_neg_sample_args": None,
            "learner": "adam",
            "learning_rate": 1e-3,
            "loss_type": "CE",
            "MAX_ITEM_LIST_LENGTH": 50,
            "hidden_size": 64,
            "n_layers": 2,
            "n_heads": 2,
            "hidden_dropout_prob": 0.5,
            "attn_dropout_prob": 0.5,
            "show_progress": False,
        },
    )
    init_seed(config["seed"], config["reproducibility"])
    clock = Clock(lambda batch: (len(batch), len(batch)))
    dataset = create_dataset(config)
    train_data, _, test_data = data_preparation(config, dataset)
    model = get_model(config["model"])(config, train_data.dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    clock.on_train_start()
    trainer.fit(Batches(train_data, task.steps), saved=False)
    clock.on_train_end()
    if not task.steps:
        header = "user_id,item_id,rank"
        np.savetxt(task.lists, np.concatenate(list(lists())), "%d", ",", header=header, comments="")
    os.chdir("/")
clock.report(task)
