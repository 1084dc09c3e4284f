"""Renew docs/results.md, and the table in the README, from the JSON files under benchmarks/results/.

python benchmarks/tables.py          # write
python benchmarks/tables.py --check  # exit 1 if the page is out of date
"""

import json
import statistics
import sys
import tomllib
from operator import itemgetter
from pathlib import Path
from typing import Any

from elcrec.experiments.results import read_results, row_of
from elcrec.experiments.study import missing_rows, study_lines, study_markdown
from elcrec.experiments.suite import read_suite
from elcrec.experiments.summary import lines_of, markdown, spread, where

SUITES = Path(__file__).parent / "suites"
RESULTS = Path(__file__).parent / "results"
PUBLISHED = tomllib.loads((Path(__file__).parent / "published.toml").read_text())["methods"]
# Of the figures in the file; BESIDE_METRICS are shown.
PUBLISHED_METRICS = ("hit_rate@5", "ndcg@5", "hit_rate@20", "ndcg@20")
PAGE = Path(__file__).parent.parent / "docs" / "results.md"
README = PAGE.parent.parent / "README.md"
README_TABLE = ("<!-- results -->\n", "<!-- /results -->\n")
PEER_TIMES = ("times_as_fast", "times_as_fast_targets")
BESIDE_METRICS = ("hit_rate@5", "ndcg@20")
MADE = (
    "Made by `python benchmarks/tables.py` from `benchmarks/results/`; do not edit. `-dirty` after a commit: the clone "
    "held changes that were not committed yet."
)
BESIDE = (
    "Same files, same protocol (leave one out, whole catalogue, seen items not ranked). Ours: chosen on validation, "
    "mean ± sd over the seeds in brackets. Published: as printed, mostly single seeds, some chosen on test "
    "(`benchmarks/published.toml`)."
)
INTRO = {
    "intents": "What the intents of `default` are worth (trainings before those of `accuracy`), on the histories "
    "before the test items: agreement with the next item's main attribute (adjusted mutual information, and lift "
    "over the prior) of learned intents / k-means with as many clusters on the same embeddings, 5 restarts / chance; "
    "and the share of an intent's 50 most typical items in the top 10 of users steered toward it. "
    "`python benchmarks/intents.py ITEMS RUN ...`",
    "clustering": "Cluster losses on one trained encoder, judged on validation; mean ± sd over seeds. "
    "`python benchmarks/clustering.py RUN --items ITEMS`",
    "planted": "Adjusted Rand index of learned against planted intents in the demo's shop, by difficulty, and in one "
    "whose purchases are dealt out anew. `python benchmarks/planted.py`",
    "speed": "Seconds; minimum, median and maximum over the counted epochs. "
    "`python benchmarks/epoch.py DATA --recipe NAME --json FILE`",
    "phases": "What each phase of an epoch costs against the least it could cost on the same machine (read, split and "
    "rank: once). [What is counted](performance.md). `python benchmarks/phases.py DATA --recipe NAME --json FILE`",
    "peers": "SASRec of other packages beside ours, in turns on one core, one thread. [What is equal](peers.md). "
    "`python benchmarks/peers/run.py DATA --peer NAME=PYTHON`",
    "serving": "A server and its load (wrk) on the same two cores, lists of 20; soak: reads, reasons and writes mixed; "
    "memory at the end over that after the warm-up. [Serving](serving.md). "
    "`python benchmarks/serving.py RUN`, `serving_kill.py RUN`",
    "costs": "A training step as one thing grows, batches of 256 users, one thread; median (least to most); peak "
    "memory of the process, log included. [Picture](performance.md). `python benchmarks/costs.py`",
    "scaling": "Seconds an epoch with validation, one and two processes of one thread each, in turns: median (least "
    "to most). [Several processes](distributed.md). `python benchmarks/scaling.py DATA`",
    "search": "Approximate search beside exact, one thread; catalogues beyond the run's own are its item vectors drawn "
    "again with noise. [Large catalogues](large-catalogues.md). `python benchmarks/search.py RUN`",
    "large": "A made-up company's log through the command line, recipe `large`: time and peak memory of every step. "
    "`python benchmarks/large.py --work FOLDER`",
    "partial": "Learning on from new events (`partial_fit`) beside learning everything anew and not learning at all, "
    "judged on the test items of the whole log; seconds on one core whose neighbour was busy. "
    "[What is new](evaluation.md). `python benchmarks/partial.py DATA --seeds 1 2 3 --out FOLDER`",
    "float32": "The runs of `accuracy` before the softmax multiplied in bfloat16 (commits in the table): nothing has "
    "changed beyond the spread. Kept to show that; `--set precision=float32`.",
    "before": "`default` as it was before smoothing and coming items (version of 2026-11-23, commits in the table), "
    "with and without its cluster loss. Kept to show what they changed; not run again.",
    "views": "`default` as in `before`, and an older cluster loss, with the contrasts between views switched on.",
    "quick": "`default` as in `before`: how long to the published test ndcg@20 of .0509.",
    "first-epochs": "The first epochs of `paper` from scratch: losses fall, intents collapse.",
}


def page() -> str:
    lines = ["# Results", "", MADE, ""]
    lines += ["## Beside published figures", "", BESIDE, "", *beside_published(), ""]
    for path in sorted(SUITES.glob("*.toml")):
        suite = read_suite(path)
        if any((RESULTS / suite.name).glob("*.json")):
            about = f"{suite.about} `elcrec benchmark benchmarks/suites/{path.name}`"
            results = study_lines(suite, RESULTS / suite.name)
            lines += [f"## {suite.name}", "", *study_markdown(about, results), ""]
            if missing := missing_rows(suite, results):
                lines += [f"Not run yet: {', '.join(missing)}.", ""]
    for suite_name, intro in INTRO.items():
        documents = [json.loads(path.read_text()) for path in sorted((RESULTS / suite_name).glob("*.json"))]
        if documents:
            lines += [f"## {suite_name}", "", *_tables(suite_name, intro, documents), ""]
    return "\n".join(lines)


def beside_published() -> list[str]:
    """hit_rate@5 / ndcg@20 of published methods and of `default`, a column a data set."""
    ours = {
        line.dataset.removesuffix(".txt"): line
        for line in lines_of(RESULTS / "accuracy", read_results(RESULTS / "accuracy"))
    }
    shown = [PUBLISHED_METRICS.index(metric) for metric in BESIDE_METRICS]
    rows = [
        [f"{method['name']}, {method['source']}"]
        + [" / ".join(f"{method[data][at]:.4f}" for at in shown) if data in method else "–" for data in ours]
        for method in PUBLISHED
    ]
    best = [
        " / ".join(f"**{spread(line.values(metric))}**" for metric in BESIDE_METRICS) + f" ({len(line.documents)})"
        for line in ours.values()
    ]
    return markdown(["test hit_rate@5 / ndcg@20", *ours], [*rows, ["`default` of this package (seeds)", *best]])


def readme() -> str:
    text = README.read_text()
    before, rest = text.split(README_TABLE[0])
    after = rest.split(README_TABLE[1])[1]
    return before + README_TABLE[0] + "\n".join(beside_published()) + "\n" + README_TABLE[1] + after


def _tables(name: str, intro: str, documents: list[dict[str, Any]]) -> list[str]:
    if name in TABLES:
        return [intro, "", *TABLES[name](documents)]
    lines = study_markdown(intro, lines_of(RESULTS / name, read_results(RESULTS / name)))
    return [*lines, "", *_losses(documents)] if name == "first-epochs" else lines


def _speed(documents: list[dict[str, Any]]) -> list[str]:
    phases = ("data", "encode", "losses", "backward", "step", "evaluate")
    rows = [
        [
            document["dataset"],
            row_of(document),
            " / ".join(f"{document['epoch_seconds'][which]:.1f}" for which in ("min", "median", "max")),
            *(f"{document['phases'][phase]['median']:.2f}" for phase in phases),
            f"{document['peak_memory_bytes'] / 1e6:,.0f} MB",
            "huge pages" if document.get("allocator") else "–",
            where(document),
        ]
        for document in documents
    ]
    return markdown(["data", "recipe", "training epoch", *phases, "peak memory", "allocator", "machine"], rows)


def _partial(documents: list[dict[str, Any]]) -> list[str]:
    rows, kind = [], itemgetter("dataset", "recipe", "epochs")
    for name in dict.fromkeys(map(kind, documents)):
        seeds = [each for each in documents if kind(each) == name]
        new = f"{seeds[0]['n_new_events']:,} of {seeds[0]['n_events']:,}"
        for which, said in (("before", "before"), ("partial", f"{name[2]} epochs on"), ("anew", "anew")):
            values = [spread([each[which]["test"][metric] for each in seeds]) for metric in BESIDE_METRICS]
            items = f"{seeds[0][which]['n_items']:,}"
            seconds = f"{statistics.median(each[which]['seconds'] for each in seeds):.0f}"
            rows.append([name[0], name[1], new, said, str(len(seeds)), items, *values, seconds, where(seeds[-1])])
    head = ["data", "recipe", "new events", "model", "seeds", "items known", *BESIDE_METRICS, "seconds", "machine"]
    return markdown(head, rows)


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
        lines += [*markdown(["epoch", *names, "valid ndcg@20", "intents effective / used"], rows), ""]
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
                where(document),
            ]
        )
    names = ["run", "agreement", "lift", "effective", "largest", "dead", "steered, by strength", "own intent excluded"]
    lines = markdown([*names, "machine"], rows)
    pairs = [pair for document in documents for pair in document.get("stability", [])]
    if pairs:
        lines += [
            "",
            "Stability: adjusted Rand index of the intents of all users in two trainings, by pairs of seeds.",
            "",
        ]
        lines += markdown(
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
        about = f"{document['dataset']}, {len(document['seeds'])} seeds, recency of the run; {where(document)}:"
        lines += [about, "", *markdown(["loss", "agreement", "lift", "effective", "largest", "dead"], rows), ""]
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
        lines += markdown(["recency", "learned", "k-means on the judged histories"], rows)
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
    return [*markdown(["difficulty", "seed", "learned", "optimum (Bayes)"], rows), "", where(documents[0])]


def _large(documents: list[dict[str, Any]]) -> list[str]:
    lines = []
    for document in documents:
        lines += [
            f"{document['interactions']:,} interactions, {document['users']:,} users, {document['items']:,} items; "
            f"{document['epoch_users']:,} users an epoch, lists for {document['listed_users']:,}; {where(document)}:",
            "",
            *markdown(
                ["step", "seconds", "peak memory"],
                [
                    [step["step"], f"{step['seconds']:.0f}", f"{step['peak_memory_bytes'] / 1e9:.1f} GB"]
                    for step in document["steps"]
                ],
            ),
            "",
        ]
    return lines[:-1]


def _phases(documents: list[dict[str, Any]]) -> list[str]:
    lines = []
    for document in documents:
        in_billions = {name: f"{rate / 1e9:.0f}" for name, rate in document["rates"].items()}
        lines += [
            f"`{document['recipe']}` on {document['dataset']}, {document['steps']} steps an epoch; {where(document)}; "
            f"billion products and sums a second at best: {in_billions['torch.float32']} in float32, "
            f"{in_billions['torch.bfloat16']} in bfloat16; exponentials: {in_billions['exp torch.float32']} and "
            f"{in_billions['exp torch.bfloat16']}; {in_billions['bytes']} GB copied:",
            "",
            *markdown(
                [
                    "phase",
                    "10^9 products and sums",
                    "10^6 exponentials",
                    "MB moved",
                    "floor, s",
                    "measured, s",
                    "ratio",
                ],
                [
                    [
                        row["phase"],
                        f"{row['flops'] / 1e9:.1f}",
                        f"{row['exponentials'] / 1e6:.0f}",
                        f"{row['bytes'] / 1e6:.0f}",
                        f"{row['floor']:.4f}",
                        f"{row['seconds']:.4f}",
                        f"{row['seconds'] / row['floor']:.1f}",
                    ]
                    for row in document["phases"]
                ],
            ),
            "",
        ]
    return lines[:-1]


def _scaling(documents: list[dict[str, Any]]) -> list[str]:
    rows = []
    for document in documents:
        medians = [statistics.median(document["seconds"][processes]) for processes in ("1", "2")]
        spreads = [
            f"{middle:.1f} ({min(found):.1f} to {max(found):.1f})"
            for middle, found in zip(medians, document["seconds"].values(), strict=True)
        ]
        rows.append(
            [document["dataset"], document["recipe"], *spreads, f"{medians[0] / medians[1]:.2f}", where(document)]
        )
    return markdown(["data", "recipe", "one process, s", "two processes, s", "times as fast", "machine"], rows)


def _search(documents: list[dict[str, Any]]) -> list[str]:
    rows = []
    for document in sorted(documents, key=lambda one: (one["items"], one["noise"])):
        seconds = document["seconds_a_user"]
        ways = [seconds[name] for name in ("exact", "half_first", "approximate") if name in seconds]
        rows.append(
            [
                f"{document['items']:,}",
                f"{document['noise']:g}",
                *_times([way["together"] for way in ways]),
                *_times([way["alone"] for way in ways]),
                "–" if "half_first" not in seconds else f"{document['half_first_same']:.4f}",
                f"{document['looked_into']} of {document['cells']}",
                f"{document['recall@20']:.4f}",
                f"{document['build_seconds']:.0f} s",
                where(document),
            ]
        )
    how = "in full (/ half precision first) / approximate"
    names = ["items", "noise", f"256 users, ms a user: {how}", "times as fast", f"one by one: {how}", "times as fast"]
    more = ["half first: same items", "approximate: cells looked into", "recall@20", "build", "machine"]
    return markdown([*names, *more], rows)


def _times(seconds: list[float]) -> list[str]:
    """Milliseconds of each way, and how much faster the others are than the first."""
    return [
        " / ".join(f"{1e3 * one:.2f}" for one in seconds),
        " / ".join(f"{seconds[0] / one:.1f}" for one in seconds[1:]),
    ]


def _costs(documents: list[dict[str, Any]]) -> list[str]:
    rows = []
    for document in sorted(documents, key=lambda one: (one["varied"], list(one["point"].values()))):
        point, times = document["point"], document["milliseconds"]
        rows.append(
            [
                document["varied"],
                *(f"{point[name]:,}" for name in ("users", "items", "intents", "length")),
                f"{document['interactions']:,}",
                f"{statistics.median(times):.0f} ({min(times):.0f} to {max(times):.0f})",
                f"{document['peak_memory_bytes'] / 1e6:,.0f} MB",
            ]
        )
    names = ["varied", "users", "items", "intents", "mean length", "interactions", "ms a step", "peak memory"]
    return [*markdown(names, rows), "", where(documents[0])]


def _serving(documents: list[dict[str, Any]]) -> list[str]:
    loads = [document for document in documents if "load" in document]
    rows = []
    for document in loads:
        load, latency = document["load"], document["load"]["latency_ms"]
        bad = sum(load[name] for name in ("not_2xx_or_3xx", "connect", "read", "write", "timeout"))
        rows.append(
            [
                document["mode"],
                f"{document['n_items']:,}",
                "; ".join(document["commands"]),
                f"{document['requests_a_second']:,.0f}",
                *(f"{latency[name]:.1f}" for name in ("p50", "p99")),
                f"{load['requests']:,} in {load['seconds']:.0f} s",
                str(bad),
                f"{document['memory']['ratio']:.3f}",
                where(document),
            ]
        )
    names = ["mode", "items", "commands", "requests a second", "p50, ms", "p99, ms", "requests", "failed", "memory"]
    lines = markdown([*names, "machine"], rows)
    kills = [
        [document["store"], f"{document['acknowledged']:,}", str(document["kills"]), str(document["missing"])]
        for document in documents
        if "kills" in document
    ]
    kept = ["", "Events acknowledged while the server (and Redis) was killed with `kill -9`:", ""]
    if kills:
        lines += [*kept, *markdown(["store", "acknowledged", "kills", "missing"], kills)]
    return [*lines, *_beside(documents), *_two_processes(documents), *_memory(documents)]


def _beside(documents: list[dict[str, Any]]) -> list[str]:
    rows = [
        [
            ", ".join(f"{name}: {json.dumps(value)}" for name, value in document["wishes"].items()),
            document["versions"]["elcrec"] + f" ({document['commit']})",
            *(
                f"{document[part][name]:,.0f}"
                for part in ("plain_alone", "plain_beside")
                for name in ("p50_ms", "p99_ms")
            ),
            " / ".join(f"{seconds:.1f}" for seconds in document["batch_seconds"]),
            f"{document['load_average_before']:.1f}",
        ]
        for document in documents
        if document.get("mode") == "slow-lists"
    ]
    names = ["batches of 256", "version", "alone: p50, ms", "p99, ms", "beside: p50, ms", "p99, ms", "batches, s"]
    told = (
        "Latency of 40 plain lists a second, alone and beside batches of slow ones (`serving_slow.py`), machine shared:"
    )
    return ["", told, "", *markdown([*names, "load of the machine before"], rows)] if rows else []


def _two_processes(documents: list[dict[str, Any]]) -> list[str]:
    rows = [
        [
            str(document["clients"]),
            f"{sum(document['answers'].values()):,}",
            f"{document['acknowledged_events']:,}",
            str(document["lost"]),
            str(document["kept_twice"] + document["told_new_more_than_once"]),
            str(document["locked_in_the_logs"]),
        ]
        for document in documents
        if document.get("mode") == "two-processes"
    ]
    names = ["clients", "answers", "events acknowledged", "lost", "doubled", "told that it is locked"]
    return ["", "Two servers on one SQLite file (`serving_two.py`):", "", *markdown(names, rows)] if rows else []


def _memory(documents: list[dict[str, Any]]) -> list[str]:
    rows = [
        [
            f"{document['requests']:,}",
            f"{document['flatness']['after_the_first_tenth_bytes'] / 1e6:.0f} MB",
            f"{document['flatness']['end_bytes'] / 1e6:.0f} MB",
            f"{document['flatness']['ratio']:.4f}",
        ]
        for document in documents
        if document.get("mode") == "memory"
    ]
    names = ["requests, no two alike", "memory after the first tenth", "at the end", "ratio"]
    return (
        ["", "Memory under different users, dials and filters (`serving_memory.py`):", "", *markdown(names, rows)]
        if rows
        else []
    )


def _peers(documents: list[dict[str, Any]]) -> list[str]:
    rows = []
    for document in documents:
        theirs = f"{document['peer']} {document['version'].split()[0]}"
        amount = f"{document['steps']} steps" if document.get("steps") else f"{document['epochs']} epochs"
        times = " / ".join(f"{document[name]:.1f}" for name in PEER_TIMES if name in document)
        for name, one in ((theirs, document["theirs"]), *(("ours", one) for one in document["ours"])):
            seconds = one.get("train_seconds", one["seconds"])  # older files have no seconds of training alone
            rows.append(
                [
                    name,
                    document["dataset"],
                    amount,
                    f"{one['sequences'] / seconds:,.0f}",
                    f"{one['targets'] / seconds:,.0f}" if "targets" in one else "–",
                    f"{seconds:.0f} s",
                    f"{one['peak_memory_bytes'] / 1e6:,.0f} MB",
                    f"{one['test']['ndcg@20']:.4f}" if "test" in one else "–",
                    times if name == theirs else "",
                    where(document),
                ]
            )
    names = ["package", "data", "trained", "sequences a second", "targets a second", "training", "peak memory"]
    return markdown([*names, "test ndcg@20", "we are times as fast (sequences / targets)", "machine"], rows)


TABLES = {
    "peers": _peers,
    "serving": _serving,
    "costs": _costs,
    "scaling": _scaling,
    "search": _search,
    "speed": _speed,
    "phases": _phases,
    "large": _large,
    "partial": _partial,
    "intents": _intents,
    "clustering": _clustering,
    "planted": _planted,
}


def main() -> None:
    made = {PAGE: page(), README: readme()}
    if "--check" in sys.argv[1:]:
        stale = [str(path) for path, text in made.items() if not path.exists() or path.read_text() != text]
        sys.exit(f"out of date: {', '.join(stale)}: run {__file__}" if stale else 0)
    for path, text in made.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
