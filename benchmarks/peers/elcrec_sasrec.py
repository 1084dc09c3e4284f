"""Our recipe `sasrec`, measured as the peers are; started by run.py."""

import time
from typing import Any

import torch
from common import Task, say

from elcrec import ELCRec, Interactions
from elcrec.data.batches import shuffled
from elcrec.training.loop import seeded
from elcrec.training.report import SilentReporter


class Beginning(SilentReporter):
    """Notes when training begins."""

    def begin(self, *_: Any) -> None:
        """Data and network are ready."""
        self.at = time.perf_counter()


def processed(model: ELCRec) -> tuple[int, int]:
    """Sequences and targets of all epochs; who was drawn is drawn again from the seed."""
    settings, split = model.settings, model.fitted.split
    learner_M, sequences, targets = split.learners(), 0, 0
    for record in model.history:
        with seeded(settings.seed, record["epoch"], learner_M.device) as generator:
            user_X = torch.cat([*shuffled(learner_M, settings.batch_size, generator, settings.epoch_users)])
        sequences += len(user_X)
        lengths = split.train_end_U[user_X] - split.start_U[user_X] - 1
        targets += int(lengths.clamp(max=settings.max_seq_len).sum())
    return sequences, targets


task = Task.of_words()
log = Interactions.read(task.data)
how: dict[str, Any] = {"seed": 1, "n_layers": 2, "batch_size": 256, "learning_rate": 1e-3, "epoch_steps": 1}
if task.steps:
    how |= {"epochs": 1, "epoch_users": 256 * task.steps, "judged_users": 1000}
else:
    how |= {"epochs": task.epochs, "epoch_users": len(log.frame), "patience": task.epochs}
start, beginning = time.perf_counter(), Beginning()
model = ELCRec("sasrec", **how).fit(log, progress=beginning)
whole = time.perf_counter() - start
trained = sum(value for record in model.history for phase, value in record["seconds"].items() if phase != "evaluate")
if not task.steps:
    histories = log.frame.group_by("user_id", maintain_order=True).agg("item_id")
    listed = model.recommend_from_history([items[:-1] for items in histories["item_id"].to_list()], k=50)
    users = histories["user_id"].gather(listed["history"])
    listed.select(users.alias("user_id"), "item_id", "rank").write_csv(task.lists)
say(trained, beginning.at - start, trained, *processed(model), seconds_with_validation_and_intents=whole)
