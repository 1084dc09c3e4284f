"""Renew the pages of results under docs/, and the table in the README, from the JSON files under benchmarks/results/.

python benchmarks/tables.py          # write
python benchmarks/tables.py --check  # exit 1 if a page is out of date
"""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import tables_integrity
import tables_learning
import tables_serving
import tables_speed
from elcrec.experiments.results import read_results
from elcrec.experiments.suite import read_suite
from elcrec.experiments.suite_runner import missing_rows, suite_lines, suite_markdown
from elcrec.experiments.summary import lines_of, markdown, spread
from tables_learning import COMPARED_METRICS

SUITES = Path(__file__).parent / "suites"
RESULTS = Path(__file__).parent / "results"
PUBLISHED = tomllib.loads((Path(__file__).parent / "published.toml").read_text())["methods"]
# Of the figures in the file; COMPARED_METRICS are shown.
PUBLISHED_METRICS = ("hit_rate@5", "ndcg@5", "hit_rate@20", "ndcg@20")
PAGE = Path(__file__).parent.parent / "docs" / "results.md"
ARCHIVE_PAGE = PAGE.with_name("results-archive.md")
README = PAGE.parent.parent / "README.md"
# Published methods that the README shows; the page has all.
README_METHODS = ("ELCRec", "BSARec", "WEARec", "TV-Rec")
README_TABLE = ("<!-- results -->\n", "<!-- /results -->\n")
MADE = (
    "Made by `python benchmarks/tables.py` from `benchmarks/results/`; do not edit. `-dirty` after a commit: the clone "
    "held changes that were not committed yet."
)
START = "What follows from these tables: [conclusions](conclusions.md). Superseded runs: [archive](results-archive.md)."
BESIDE = (
    "Same files and [protocol](evaluation.md): leave-one-out, full catalogue, seen items masked. `default`: selected "
    "on validation, mean ± standard deviation over the seeds in brackets. Published: as printed, mostly single seeds, "
    "some selected on test (`benchmarks/published.toml`). Where held-out items repeat, also with seen items ranked: "
    "runs of [shops](#shops), which choose so on validation."
)
ARCHIVED = (
    "Suites that were run with earlier versions of `default`, and short runs made for one question. They are kept "
    "because decisions refer to them, and are not run again. Current results: [tables](results.md)."
)
# Results that other pages name: docs/demo.md and docs/fidelity.md.
ELSEWHERE = ("demo", "published")
INTRO = {
    "shops": "Logs with baskets and repeats, trained with the default command on one core ([which task is "
    "yours](tasks.md)). groceries: the next basket; hit rate is the share of users with a hit. `python "
    "benchmarks/shops.py --data NAME`",
    "item-features": "`default` with item metadata, [the attributes of the benchmark files](item-features.md): another "
    "table than that of published figures, which know no attributes. Seen items masked; mean ± standard deviation over "
    "the seeds; in brackets the same without metadata. Rows of `feature_weight` .3 are of an earlier `default`, which "
    "trained 12 epochs. exclude_seen=true (`--exclude-seen`): the epoch is chosen with seen items excluded. Attributes "
    "of other items (`--shuffled`): what features cost that tell nothing. `ensemble` (`--recipe`): two encoders. "
    "Contrasts between views (`--set intent_weight=.1`) and intent-aware negatives (`--negatives`), which "
    "count the items of the target's intent twice in the softmax: one seed each. `python "
    "benchmarks/item_features.py DATA ITEMS`",
    "item-features-epoch": "An epoch of `default` with and without item metadata, in turns on one thread: medians "
    "of pairs, each the least of a training's epochs. `python benchmarks/feature_epoch.py DATA ITEMS`",
    "busy": "An epoch alone and next to a process that computes without a pause, in turns, each in a process of its "
    "own: least / median / most seconds ([threads](performance.md#threads)). Beauty-quarter: every fourth user of "
    "Beauty, `awk 'NR % 4 == 1'`. `python benchmarks/busy.py LOG`",
    "first-list": "From CSV files, a log and what is known of it, to the first list, each command in a process of its "
    "own: `elcrec train`, of it the epochs, and `elcrec recommend`. All purchases of the groceries. "
    "`python benchmarks/first_list.py DATA`",
    "user-features": "[What is known about users](user-features.md), with against without. planted: a generated shop "
    "in which the user's country decides between editions of items; small trainings. Unknown: the model with user "
    "features where it knows nothing of any user. Mean ± standard deviation over the seeds. "
    "`python benchmarks/user_features.py DATA`",
    "cold-items": "A tenth of the items has no event in training and is added by its attributes ([new items on their "
    "first day](item-features.md#new-items-on-their-first-day)). Users whose last item is one of them; seen items "
    "masked. Popularity knows no events of new items. "
    "Warm: test ndcg@20 of the model on known items. `python benchmarks/cold_items.py DATA ITEMS`",
    "unlearned-items": "[Items that no training event shows](item-features.md#new-items-on-their-first-day), as the "
    "training leaves them and placed by their features: ndcg@20, seen items masked. Targets: how many held-out items "
    "of validation and test are among them. Tables of `default` with attributes are of before. "
    "`python benchmarks/unlearned_items.py DATA ITEMS`",
    "event-inputs": "Embeddings of kinds of events, and of the times between them, [next to those of items]"
    "(tasks.md#what-is-known-of-events); small trainings, mean ± standard deviation over the seeds. "
    "`python benchmarks/event_inputs.py LOG --inputs kind`",
    "intents": "Quality of the intents of `default` (trainings before those of `accuracy`), measured on the histories "
    "before the test items. Agreement with the next item's main attribute (adjusted mutual information, and lift "
    "over the prior): learned intents / k-means with as many clusters on the same embeddings, 5 restarts / chance. "
    "Steering: share of an intent's 50 most typical items in the top 10 of users steered toward it. "
    "`python benchmarks/intents.py ITEMS RUN ...`",
    "intent-jobs": "What intents are for, each job next to its plain rival ([which jobs intents win](intent-jobs.md)). "
    "Models with metadata by the default command; the newest events of each user were kept from them. Mean ± standard "
    "deviation over the seeds. The protocol: `python benchmarks/intent_jobs.py --help`",
    "clustering": "Cluster losses on one trained encoder, evaluated on validation; mean ± standard deviation over "
    "seeds. `python benchmarks/clustering.py RUN --items ITEMS`",
    "planted": "Adjusted Rand index of learned and planted intents in the demo's shop, by difficulty, and in a shop "
    "whose purchases are shuffled over users. `python benchmarks/planted.py`",
    "speed": "Seconds; minimum, median and maximum over the counted epochs. "
    "`python benchmarks/epoch.py DATA --recipe NAME --json FILE`",
    "phases": "Cost of each phase of an epoch and its lower bound (roofline) on the same machine (read, split and "
    "rank: once). [What is counted](performance.md). `python benchmarks/phases.py DATA --recipe NAME --json FILE`",
    "peers": "SASRec of other packages and of elcrec, run in turns on one core with one thread. "
    "[What is equal](peers.md). `python benchmarks/peers/run.py DATA --peer NAME=PYTHON`",
    "serving": "A server and its load generator (wrk) on the same two cores, top 20. Soak: reads, explanations and "
    "writes mixed; memory at the end over memory after the warm-up. [Serving](serving.md). "
    "`python benchmarks/serving.py RUN`, `serving_kill.py RUN`",
    "costs": "A training step as one quantity grows, batches of 256 users, one thread; median (least to most); peak "
    "memory of the process, log included. [Picture](performance.md). `python benchmarks/costs.py`",
    "scaling": "Seconds an epoch with validation, one and two processes of one thread each, in turns: median (least "
    "to most). [Several processes](distributed.md). `python benchmarks/scaling.py DATA`",
    "search": "Approximate and exact search, one thread. Catalogues larger than the run's own are its item vectors "
    "drawn again with noise. Two-stage scoring (bfloat16 first): measured before the bound of its rounding was made a "
    "tenth wider (2026-11-28). [Large catalogues](large-catalogues.md). `python benchmarks/search.py RUN`",
    "large": "A generated company's log through the command line, recipe `large`: time and peak memory of every step. "
    "`python benchmarks/large.py --work FOLDER`; with [item features](item-features.md) `--metadata`",
    "partial": "Incremental training (`partial_fit`), training from scratch and no training, evaluated on the test "
    "items of the whole log; seconds on one core whose neighbour was busy. "
    "[Incremental training](incremental-training.md). `python benchmarks/partial.py DATA --seeds 1 2 3 --out FOLDER`",
    "increments": "How far a few new events change the recommendations of users without new events (`partial_fit`): "
    "with the interpolated step and with a full one. `python benchmarks/increments.py DATA --users 6000 --out FOLDER`",
    "all-lists": "Recommendations for all users, `elcrec recommend --all`, by an untrained model: time and memory of "
    "the command. `python benchmarks/all_lists.py --out FOLDER`",
    "reading": "Cost of `Interactions.read` and that of version 0.1.0, in turns, each read in a process of its own. "
    "`python benchmarks/reading.py --against OTHER/src`",
    "integrity": "Runs and files after kills, bit flips and concurrent writers. [The run folder](run-folder.md).",
}
ARCHIVE = {
    "float32": "The runs of `accuracy` before the softmax multiplied in bfloat16 (commits in the table). The "
    "differences are within the spread over seeds. `--set precision=float32` trains so today.",
    "before": "`default` before embedding propagation and multi-step targets (version of 2026-11-23, commits in the "
    "table), with and without its cluster loss.",
    "views": "`default` as in `before`, and an older cluster loss, with the contrasts between views switched on.",
    "quick": "`default` as in `before`: time to the published test ndcg@20 of .0509.",
    "first-epochs": "The first epochs of `paper` from scratch: losses fall, intents collapse.",
}


def page() -> str:
    lines = ["# Results: tables", "", MADE, "", START, ""]
    lines += ["## Published figures", "", BESIDE, "", *beside_published(), ""]
    suites = {path: read_suite(path) for path in sorted(SUITES.glob("*.toml"))}
    shown = {*INTRO, *ARCHIVE, *ELSEWHERE, *(suite.name for suite in suites.values())}
    if forgotten := sorted(path.name for path in RESULTS.iterdir() if path.name not in shown):
        sys.exit(f"results that no page shows: {', '.join(forgotten)}: add them to INTRO")
    for path, suite in suites.items():
        if any((RESULTS / suite.name).glob("*.json")):
            about = f"{suite.about} `elcrec benchmark benchmarks/suites/{path.name}`"
            results = suite_lines(suite, RESULTS / suite.name)
            lines += [f"## {suite.name}", "", *suite_markdown(about, results), ""]
            if missing := missing_rows(suite, results):
                lines += [f"Not run yet: {', '.join(missing)}.", ""]
    return "\n".join([*lines, *_sections(INTRO)])


def archive() -> str:
    return "\n".join(["# Results: archive", "", MADE, "", ARCHIVED, "", *_sections(ARCHIVE)])


def _sections(intros: dict[str, str]) -> list[str]:
    """A section for each folder of results."""
    lines = []
    for name, intro in intros.items():
        documents = [json.loads(path.read_text()) for path in sorted((RESULTS / name).glob("*.json"))]
        if documents:
            lines += [f"## {name}", "", *_tables(name, intro, documents), ""]
    return lines


def beside_published(methods: tuple[str, ...] | None = None) -> list[str]:
    """hit_rate@5 / ndcg@20 of published methods (all, or those named) and of `default`, a column a data set."""
    ours = {
        line.dataset.removesuffix(".txt"): line
        for line in lines_of(RESULTS / "accuracy", read_results(RESULTS / "accuracy"))
    }
    shown = [PUBLISHED_METRICS.index(metric) for metric in COMPARED_METRICS]
    ranked = {data: runs for data in ours if (runs := seen_ranked(data))}
    rows = [
        [f"{method['name']}, {method['source']}"]
        + [" / ".join(f"{method[data][at]:.4f}" for at in shown) if data in method else "–" for data in ours]
        + ["–"] * len(ranked)
        for method in PUBLISHED
        if methods is None or method["name"].startswith(methods)
    ]
    best = [_best([line.values(metric) for metric in COMPARED_METRICS]) for line in ours.values()]
    best += [_best([[run["test"][metric] for run in runs] for metric in COMPARED_METRICS]) for runs in ranked.values()]
    head = ["test hit_rate@5 / ndcg@20", *ours, *(f"{data}, seen items ranked" for data in ranked)]
    return markdown(head, [*rows, ["`default` of this package (seeds)", *best]])


def _best(values: list[list[float]]) -> str:
    """Our figures, by metric, then by seed."""
    return " / ".join(f"**{spread(by_seed)}**" for by_seed in values) + f" ({len(values[0])})"


def seen_ranked(data: str) -> list[dict[str, Any]]:
    """The runs of a log in the suite `shops` that chose to rank seen items."""
    runs = [json.loads(path.read_text()) for path in sorted((RESULTS / "shops").glob(f"{data.lower()}-seed*.json"))]
    return [run for run in runs if run["choices"]["exclude_seen"]["value"] is False]


def readme() -> str:
    text = README.read_text()
    before, rest = text.split(README_TABLE[0])
    after = rest.split(README_TABLE[1])[1]
    return before + README_TABLE[0] + "\n".join(beside_published(README_METHODS)) + "\n" + README_TABLE[1] + after


def _tables(name: str, intro: str, documents: list[dict[str, Any]]) -> list[str]:
    if name in TABLES:
        return [intro, "", *TABLES[name](documents)]
    lines = suite_markdown(intro, lines_of(RESULTS / name, read_results(RESULTS / name)))
    return [*lines, "", *tables_learning.losses(documents)] if name == "first-epochs" else lines


TABLES = {
    "reading": tables_integrity.reading,
    "integrity": tables_integrity.integrity,
    "peers": tables_speed.peers,
    "serving": tables_serving.serving,
    "costs": tables_speed.costs,
    "scaling": tables_speed.scaling,
    "search": tables_speed.search,
    "speed": tables_speed.speed,
    "phases": tables_speed.phases,
    "large": tables_speed.large,
    "all-lists": tables_speed.all_lists,
    "increments": tables_learning.increments,
    "partial": tables_learning.partial,
    "intents": tables_learning.intents,
    "intent-jobs": tables_learning.intent_jobs,
    "clustering": tables_learning.clustering,
    "planted": tables_learning.planted,
    "shops": tables_learning.shops,
    "item-features": tables_learning.item_features,
    "busy": tables_speed.busy,
    "first-list": tables_speed.first_list,
    "item-features-epoch": tables_speed.feature_epochs,
    "user-features": tables_learning.user_features,
    "cold-items": tables_learning.cold_items,
    "unlearned-items": tables_learning.unlearned_items,
    "event-inputs": tables_learning.event_inputs,
}


def main() -> None:
    made = {PAGE: page(), ARCHIVE_PAGE: archive(), README: readme()}
    if "--check" in sys.argv[1:]:
        stale = [str(path) for path, text in made.items() if not path.exists() or path.read_text() != text]
        sys.exit(f"out of date: {', '.join(stale)}: run {__file__}" if stale else 0)
    for path, text in made.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
