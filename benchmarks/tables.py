"""Renew docs/results.md from the JSON files under benchmarks/results/.

python benchmarks/tables.py          # write
python benchmarks/tables.py --check  # exit 1 if the page is out of date
"""

import json
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parent.parent / "docs" / "results.md"
INTRO = {
    "accuracy": "Untouched recipes; test measured once, at the best validation epoch. "
    "`python benchmarks/accuracy.py DATA --recipe NAME --seed N`",
    "views": "The `default` recipe with the contrasts between views switched on. "
    "`python benchmarks/accuracy.py DATA --suite views --set instance_weight=0.1 --set intent_weight=0.1`",
    "quick": "How long to the published test ndcg@20 of .0509: a short training, start to end. "
    "`python benchmarks/accuracy.py DATA --suite quick --set epochs=11`",
    "first-epochs": "The first epochs of `paper` from scratch: losses fall, intents collapse. "
    "`python benchmarks/accuracy.py DATA --recipe paper --suite first-epochs --set epochs=6`",
    "speed": "Seconds; minimum, median and maximum over the counted epochs. "
    "`python benchmarks/epoch.py DATA --recipe NAME --json FILE`",
}


def page() -> str:
    lines = ["# Results", "", "Made by `python benchmarks/tables.py` from `benchmarks/results/`; do not edit.", ""]
    for suite, intro in INTRO.items():
        documents = [json.loads(path.read_text()) for path in sorted((RESULTS / suite).glob("*.json"))]
        if documents:
            table = _speed(documents) if suite == "speed" else _accuracy(documents)
            lines += [f"## {suite}", "", intro, "", *table, ""]
            if suite == "first-epochs":
                lines += _losses(documents)
    return "\n".join(lines)


def _accuracy(documents: list[dict[str, Any]]) -> list[str]:
    names = ("hit_rate@5", "ndcg@5", "hit_rate@10", "ndcg@10", "hit_rate@20", "ndcg@20")
    head = [
        "data",
        "recipe",
        "seed",
        "best epoch",
        "seconds",
        *names,
        "valid ndcg@20",
        "intents effective / used",
        "machine",
    ]
    rows = []
    for document in documents:
        test, intents = document["metrics"]["test"], document["intents"]
        overrides = " ".join(f"{key}={value}" for key, value in document["overrides"].items())
        rows.append(
            [
                document["dataset"],
                f"{document['recipe']} {overrides}".strip(),
                str(document["seed"]),
                f"{document['best_epoch']} of {document['epochs']}",
                f"{document['train_seconds']:.0f}",
                *(f"{test[name]:.4f}" for name in names),
                f"{document['metrics']['valid']['ndcg@20']:.4f}",
                f"{intents['effective']:.0f} of {intents['used']} used",
                _machine(document),
            ]
        )
    return _table(head, rows)


def _speed(documents: list[dict[str, Any]]) -> list[str]:
    phases = ("data", "encode", "losses", "backward", "step", "evaluate")
    rows = [
        [
            document["dataset"],
            document["recipe"],
            " / ".join(f"{document['epoch_seconds'][which]:.1f}" for which in ("min", "median", "max")),
            *(f"{document['phases'][phase]['median']:.2f}" for phase in phases),
            f"{document['peak_memory_bytes'] / 2**20:.0f} MB",
            _machine(document),
        ]
        for document in documents
    ]
    return _table(["data", "recipe", "training epoch", *phases, "peak memory", "machine"], rows)


def _losses(documents: list[dict[str, Any]]) -> list[str]:
    lines = []
    for document in documents:
        names = list(document["history"][0]["losses"])
        rows = [
            [
                str(record["epoch"]),
                *(f"{record['losses'][name]:.4f}" for name in names),
                f"{record['valid']['ndcg@20']:.4f}",
                f"{record['intents']['effective']:.1f} / {record['intents']['used']}",
            ]
            for record in document["history"]
        ]
        lines += [f"{document['dataset']}, {document['recipe']}:", ""]
        lines += [*_table(["epoch", *names, "valid ndcg@20", "intents effective / used"], rows), ""]
    return lines


def _machine(document: dict[str, Any]) -> str:
    machine = document["machine"]
    where = machine["gpu"] or machine["processor"]
    return f"{where}, {machine['threads']} threads, {document['date']}, {document['commit']}"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["-"] * len(head), *rows)]


def main() -> None:
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PAGE.exists() and PAGE.read_text() == page() else f"{PAGE} is out of date: run {__file__}")
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
