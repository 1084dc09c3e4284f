"""What embeddings of kinds of events, and of the times between them, add to the next item on validation.

    elcrec data generate --out shop.parquet --users 600 --items 400 --interactions 60000 --intents 16 --kinds
    python benchmarks/event_inputs.py shop.parquet --inputs kind --set event_weights=purchase:1,view:0.1
    python benchmarks/event_inputs.py movielens.parquet --inputs gap      (shops.py writes that log)

Each run is ``elcrec train LOG`` with ``event_inputs`` and the settings that are given (``overrides`` in the results). A
run that is there already is read. Results go to ``benchmarks/results/event-inputs/NAME-INPUTS-seedN.json``. At the end
the users' NDCG@20 on validation, averaged over the seeds, is tested against that without inputs
(``NAME-INPUTS-paired.json``).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from elcrec import ELCRec
from elcrec.config import parse_override
from elcrec.evaluation.significance import paired_difference
from elcrec.experiments.provenance import provenance
from elcrec.storage import write_json
from trainings import kept_of
from users_gains import mean_gains

RESULTS = Path(__file__).parent / "results" / "event-inputs"
SMALL = {"baselines": "false", "batch_size": "64", "epochs": "5"}
K = 20


def run(log: Path, name: str, seed: int, work: Path, overrides: dict[str, str]) -> tuple[dict[str, Any], ELCRec]:
    """One training, or the run that is there, and what is kept of it."""
    inputs = overrides["event_inputs"]
    out = work / f"{name}-{inputs}-seed{seed}"
    there = (out / "metrics.json").exists()
    model = ELCRec.load(out) if there else ELCRec(seed=seed, **overrides).fit(log, out=out, progress=False)
    found = kept_of(model.metrics)
    what = {"suite": "event-inputs", "dataset": name, "recipe": "default", "overrides": overrides, "seed": seed}
    return {**what, **found, **provenance()}, model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--inputs", required=True, choices=["kind", "gap", "both"])
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE", help="further settings")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--work", type=Path, default=Path("runs/event-inputs"), help="where the runs are written")
    given = parser.parse_args()
    name, shared = given.log.stem, {**SMALL, **dict(map(parse_override, given.sets))}
    RESULTS.mkdir(parents=True, exist_ok=True)
    models: dict[str, list[ELCRec]] = {"none": [], given.inputs: []}
    for seed in given.seeds:
        for inputs, trained in models.items():
            result, model = run(given.log, name, seed, given.work, {**shared, "event_inputs": inputs})
            write_json(RESULTS / f"{name}-{inputs}-seed{seed}.json", result)
            trained.append(model)
            valid, test_part = (result[part][f"ndcg@{K}"] for part in ("valid", "test"))
            print(f"{name} {inputs} {seed}: valid {valid:.4f}, test {test_part:.4f}", flush=True)
    without, with_inputs = (mean_gains(trained, "valid", K) for trained in models.values())
    test = paired_difference(with_inputs, without)
    what = {"suite": "event-inputs", "dataset": name, "seeds": given.seeds, "inputs": given.inputs}
    found = {"metric": f"ndcg@{K}", "part": "valid", "n_users": len(without), "paired": test._asdict()}
    write_json(RESULTS / f"{name}-{given.inputs}-paired.json", {**what, **found, **provenance()})
    print(f"{name}: {without.mean():.4f} without, {with_inputs.mean():.4f} with {given.inputs}; {test}")


if __name__ == "__main__":
    main()
