"""One accuracy run: train a recipe on a data set, write one JSON under benchmarks/results/accuracy/.

    python benchmarks/accuracy.py ../shared/data/Beauty.txt --recipe default --seed 1

Goes on where it stopped when interrupted (state under --work), and does nothing when the result is there.
Selection is by validation ndcg@20 alone; test is measured once, on the selected epoch.
"""

import argparse
import json
from pathlib import Path

from elcrec import ELCRec
from elcrec.config import parse_override
from record import peak_memory_bytes, provenance

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--suite", default="accuracy", help="folder under results/; 'accuracy' takes no --set")
    parser.add_argument("--work", type=Path, default=Path("runs/accuracy"), help="where run folders are kept")
    arguments = parser.parse_args()
    overrides = dict(parse_override(text) for text in arguments.set)
    if overrides and arguments.suite == "accuracy":
        parser.error("suite 'accuracy' holds untouched recipes: name another --suite for --set")

    name = "-".join([arguments.data.stem, arguments.recipe, *sorted(arguments.set), f"seed{arguments.seed}"])
    target = RESULTS / arguments.suite / f"{name}.json"
    if target.exists():
        print(f"{target} is there already")
        return
    model = ELCRec(arguments.recipe, arguments.seed, **overrides)
    run = arguments.work / arguments.suite / name
    model.fit(arguments.data, out=run, resume=run.exists())
    metrics = model.metrics
    document = {
        "suite": arguments.suite,
        "dataset": arguments.data.name,
        "recipe": arguments.recipe,
        "overrides": overrides,
        "seed": arguments.seed,
        "epochs": metrics["epochs"],
        "best_epoch": metrics["best_epoch"],
        "train_seconds": metrics["train_seconds"],
        "peak_memory_bytes": peak_memory_bytes(),
        "metrics": {part: metrics[part] for part in ("valid", "test")},
        "intents": metrics["intents"],
        "n_users": metrics["n_users"],
        "history": model.history,
        **provenance(),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document, indent=1) + "\n")
    print(f"test ndcg@20 {metrics['test']['ndcg@20']:.4f}: {target}")


if __name__ == "__main__":
    main()
