"""Our recipe `sasrec`, measured as the peers are; started by run.py."""

import json
import resource
import sys
import time

from elcrec import ELCRec, Interactions

data, lists, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3])
log = Interactions.read(data)
start = time.perf_counter()
model = ELCRec("sasrec", seed=1, epochs=epochs, n_layers=2, batch_size=256, learning_rate=1e-3).fit(log, progress=False)
whole = time.perf_counter() - start
trained = sum(value for record in model.history for phase, value in record["seconds"].items() if phase != "evaluate")
_, at_test = model._split.targets("test")
histories = log.frame.group_by("user_id", maintain_order=True).agg("item_id")
listed = model.recommend_from_history([items[:-1] for items in histories["item_id"].to_list()], k=50)
users = histories["user_id"].gather(listed["history"])
listed.select(users.alias("user_id"), "item_id", "rank").write_csv(lists)
print(
    json.dumps(
        {
            "seconds": trained,
            "seconds_with_validation_and_intents": whole,
            "sequences": int(model._split.learners().numel()) * epochs,
            "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
    )
)
