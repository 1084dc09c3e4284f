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
    "intents-off": "`default` without its cluster loss, to be held against `accuracy`. "
    "`python benchmarks/accuracy.py DATA --suite intents-off --seed N --set cluster_weight=0`",
    "intents": "What the intents of the runs of `accuracy` are worth, on the histories before the test items: agreement"
    " with the next item's main attribute (adjusted mutual information, and lift over the prior) of learned intents / "
    "k-means with as many clusters on the same embeddings, 5 restarts / chance; and the share of an intent's 50 most "
    "typical items in the top 10 of users steered toward it. `python benchmarks/intents.py ITEMS RUN ...`",
    "clustering": "Cluster losses on one trained encoder, judged on validation; mean ± sd over seeds. "
    "`python benchmarks/clustering.py RUN --items ITEMS`",
    "planted": "Adjusted Rand index of learned against planted intents in the demo's shop, by difficulty, and in one "
    "whose purchases are dealt out anew. `python benchmarks/planted.py`",
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
            lines += [f"## {suite}", "", intro, "", *TABLES.get(suite, _accuracy)(documents), ""]
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
        "intents effective / used / largest",
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
                f"{intents['effective']:.0f} / {intents['used']} / {intents['largest_share']:.1%}",
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


def _intents(documents: list[dict[str, Any]]) -> list[str]:
    runs = [document for document in documents if "run" in document]
    rows = []
    for document in runs:
        quality, health, steering = document["quality"]["test"], document["health"], document["steering"]
        beside = [quality[who] for who in ("learned", "kmeans", "chance")]
        rows.append(
            [
                document["run"],
                " / ".join(f"{measures['attribute_ami']:.4f}" for measures in beside),
                " / ".join(f"{measures['attribute_lift']:.2f}" for measures in beside),
                f"{health['effective']:.0f} of {document['n_intents']}",
                f"{health['largest_share']:.2%}",
                f"{health['dead']}",
                ", ".join(f"{strength}: {share:.1%}" for strength, share in steering.items()),
                f"{document['exclusion']['before']:.1%} → {document['exclusion']['after']:.1%}",
                _machine(document),
            ]
        )
    names = ["run", "agreement", "lift", "effective", "largest", "dead", "steered, by strength", "own intent excluded"]
    lines = _table([*names, "machine"], rows)
    pairs = [pair for document in documents for pair in document.get("stability", [])]
    if pairs:
        lines += [
            "",
            "Stability: adjusted Rand index of the intents of all users in two trainings, by pairs of seeds.",
            "",
        ]
        lines += _table(
            ["runs", "learned", "k-means on the same embeddings", "cosine of matched centres"],
            [
                [" and ".join(pair["runs"]), *(f"{pair[name]:.3f}" for name in ("learned", "kmeans", "matched_cosine"))]
                for pair in pairs
            ],
        )
    return lines


def _clustering(documents: list[dict[str, Any]]) -> list[str]:
    lines = []
    for document in documents:
        names = ("attribute_ami", "attribute_lift", "effective", "largest_share", "dead")
        digits = dict(zip(names, (".4f", ".3f", ".0f", ".2%", ".1%"), strict=True))
        rows = [
            [name, *(f"{row[of]['mean']:{form}} ± {row[of]['sd']:{form}}" for of, form in digits.items())]
            for name, row in document["losses"].items()
        ]
        about = f"{document['dataset']}, {len(document['seeds'])} seeds, recency of the run; {_machine(document)}:"
        lines += [about, "", *_table(["loss", "agreement", "lift", "effective", "largest", "dead"], rows), ""]
        rows = [
            [
                recency,
                *(
                    f"{row[who]['attribute_ami']['mean']:.4f} ± {row[who]['attribute_ami']['sd']:.4f}"
                    for who in ("learned", "kmeans")
                ),
            ]
            for recency, row in document["recency"].items()
        ]
        lines += ["Agreement by `recency` (1 is the plain mean), same encoder:", ""]
        lines += _table(["recency", "learned", "k-means on the judged histories"], rows)
    return lines


def _planted(documents: list[dict[str, Any]]) -> list[str]:
    rows = [
        [
            str(document["shop"]),
            str(document["seed"]),
            f"{document['adjusted_rand_index']:.3f}",
            f"{document['optimum']:.3f}",
        ]
        for document in sorted(documents, key=lambda one: (str(one["shop"]), one["seed"]))
    ]
    return [*_table(["difficulty", "seed", "learned", "optimum (Bayes)"], rows), "", _machine(documents[0])]


def _machine(document: dict[str, Any]) -> str:
    machine = document["machine"]
    where = machine["gpu"] or machine["processor"]
    return f"{where}, {machine['threads']} threads, {document['date']}, {document['commit']}"


TABLES = {"speed": _speed, "intents": _intents, "clustering": _clustering, "planted": _planted}


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["-"] * len(head), *rows)]


def main() -> None:
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PAGE.exists() and PAGE.read_text() == page() else f"{PAGE} is out of date: run {__file__}")
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
