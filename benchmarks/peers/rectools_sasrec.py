"""SASRec of RecTools, trained and asked by its public interface; started by run.py in an environment of its own."""

import json
import resource
import sys
import time
from pathlib import Path

import pandas as pd
from pytorch_lightning import Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


def trainer() -> Trainer:
    return Trainer(max_epochs=EPOCHS, accelerator="cpu", logger=False, enable_checkpointing=False)


def dataset(frame: pd.DataFrame, leave: int) -> Dataset:
    """Histories without their newest ``leave`` items."""
    kept = frame[frame.groupby(Columns.User).cumcount(ascending=False) >= leave]
    return Dataset.construct(kept)


data, lists, EPOCHS = sys.argv[1], sys.argv[2], int(sys.argv[3])
rows = []
for line in Path(data).read_text().splitlines():
    user, *items = line.split()
    rows += [(int(user), int(item), 1.0, place) for place, item in enumerate(items)]
frame = pd.DataFrame(rows, columns=[Columns.User, Columns.Item, Columns.Weight, Columns.Datetime])
frame[Columns.Datetime] = pd.Timestamp("2020-01-01") + pd.to_timedelta(frame[Columns.Datetime], unit="D")
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
train = dataset(frame, 2)
start = time.perf_counter()
model.fit(train)
seconds = time.perf_counter() - start
users = frame[Columns.User].unique()
listed = model.recommend(users, dataset(frame, 1), k=50, filter_viewed=True)
listed[[Columns.User, Columns.Item, Columns.Rank]].to_csv(lists, index=False)
lengths = frame.groupby(Columns.User).size() - 2
print(
    json.dumps(
        {
            "seconds": seconds,
            "sequences": int((lengths >= 2).sum()) * EPOCHS,
            "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
    )
)
