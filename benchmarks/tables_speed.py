"""Sections of docs/results.md about time and memory."""

import statistics
from typing import Any

from elcrec.experiments.results import row_of
from elcrec.experiments.summary import markdown, where

PEER_TIMES = ("times_as_fast", "times_as_fast_targets")


def speed(documents: list[dict[str, Any]]) -> list[str]:
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


def feature_epochs(documents: list[dict[str, Any]]) -> list[str]:
    """A row a data set: what item features cost an epoch."""
    rows = []
    for one in documents:
        times = [f"{statistics.median(pair[name] for pair in one['pairs']):.1f} s" for name in ("with", "without")]
        ratios = [pair["ratio"] for pair in one["pairs"]]
        spread = f"{one['ratio']:.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        rows.append([one["dataset"], str(len(ratios)), *times, spread, where(one)])
    return markdown(["data", "pairs", "with features", "without", "ratio (least to most)", "machine"], rows)


def busy(documents: list[dict[str, Any]]) -> list[str]:
    """A row a data set: an epoch alone, next to a busy process and with one thread."""
    rows = []
    for one in documents:
        times = [one["epoch_seconds"][name] for name in ("alone", "beside", "one_thread")]
        shown = [" / ".join(f"{seconds(values):.1f}" for seconds in (min, statistics.median, max)) for values in times]
        rows.append([one["dataset"], one["recipe"], *shown, f"{one['beside_over_alone']:.2f}", where(one)])
    header = ["data", "recipe", "alone", "next to a busy process", "one thread, alone", "ratio of medians", "machine"]
    return markdown(header, rows)


def first_list(documents: list[dict[str, Any]]) -> list[str]:
    """One row per data set: from the files to a list."""
    rows = [
        [
            one["dataset"],
            f"{one['events']:,}",
            *(f"{one[name]:.0f} s" for name in ("train_seconds", "of_them_epochs", "recommend_seconds")),
            f"{(one['train_seconds'] + one['recommend_seconds']) / 60:.1f} min",
            f"{one['test_ndcg@20']:.4f}",
            where(one),
        ]
        for one in documents
    ]
    return markdown(
        ["data", "events", "train", "of it epochs", "recommend", "together", "test ndcg@20", "machine"], rows
    )


def phases(documents: list[dict[str, Any]]) -> list[str]:
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
                    "bound, s",
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


def scaling(documents: list[dict[str, Any]]) -> list[str]:
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


def costs(documents: list[dict[str, Any]]) -> list[str]:
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


def search(documents: list[dict[str, Any]]) -> list[str]:
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
    how = "exact (/ two-stage) / approximate"
    names = ["items", "noise", f"256 users, ms a user: {how}", "times as fast", f"one by one: {how}", "times as fast"]
    more = ["two-stage: same items", "approximate: cells probed", "recall@20", "build", "machine"]
    return markdown([*names, *more], rows)


def _times(seconds: list[float]) -> list[str]:
    """Milliseconds of each way, and how much faster the others are than the first."""
    return [
        " / ".join(f"{1e3 * one:.2f}" for one in seconds),
        " / ".join(f"{seconds[0] / one:.1f}" for one in seconds[1:]),
    ]


def large(documents: list[dict[str, Any]]) -> list[str]:
    lines = []
    for document in documents:
        known = document.get("features")
        described = f", with their features: {known}" if known else ""
        note = f"; {document['note']}" if document.get("note") else ""
        lines += [
            f"{document['interactions']:,} interactions, {document['users']:,} users, {document['items']:,} items"
            f"{described}; {document['epoch_users']:,} users an epoch, top k of {document['listed_users']:,}; "
            f"{where(document)}{note}:",
            "",
            *markdown(
                ["step", "seconds", "peak memory"],
                [
                    [step["step"], f"{step['seconds']:.0f}", f"{step['peak_memory_bytes'] / 1e9:.1f} GB"]
                    for step in document["steps"]
                ],
            ),
            "",
            *(f"{step['step']}: {step['note']}.\n" for step in document["steps"] if "note" in step),
        ]
    return lines[:-1]


def peers(documents: list[dict[str, Any]]) -> list[str]:
    rows = []
    for document in documents:
        theirs = f"{document['peer']} {document['version'].split()[0]}"
        amount = f"{document['steps']} steps" if document.get("steps") else f"{document['epochs']} epochs"
        times = " / ".join(f"{document[name]:.1f}" for name in PEER_TIMES if name in document)
        for name, one in ((theirs, document["theirs"]), *(("elcrec", one) for one in document["ours"])):
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
    return markdown([*names, "test ndcg@20", "elcrec is times as fast (sequences / targets)", "machine"], rows)


def all_lists(documents: list[dict[str, Any]]) -> list[str]:
    rows = [
        [
            f"{one['users']:,}",
            f"{document['n_items']:,}",
            str(document["k"]),
            f"{one['seconds']:.0f}",
            f"{one['rows_a_second']:,.0f}",
            f"{one['peak_memory_bytes'] / 1e6:,.0f} MB",
            where(document),
        ]
        for document in documents
        for one in document["results"]
    ]
    return markdown(["users", "items", "k", "seconds", "rows a second", "peak memory", "machine"], rows)
