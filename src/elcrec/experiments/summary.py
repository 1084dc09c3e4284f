"""Result tables: mean and standard deviation over seeds, and significance tests over users."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

import polars as pl

from elcrec.config import EVALUATION_SETTINGS
from elcrec.errors import RunError
from elcrec.evaluation.baselines import BASELINES
from elcrec.evaluation.metrics import SHOWN_METRICS
from elcrec.evaluation.significance import Difference, gains, holm, paired_difference
from elcrec.experiments.key import DIGITS
from elcrec.experiments.results import Document, by_data, ranks_path, row_of
from elcrec.storage import read_parquet

TESTED, TESTED_K = "ndcg@20", 20
SURE = 0.05


class Compared(NamedTuple):
    """Comparison of a row with the one it is tested against, on the users and targets that both have.

    Attributes:
        difference: Difference of their values.
        users: How many users both have.
        left_out: Users that only one of them has, or who have to predict another item there.
        judged_by: Settings of evaluation that differ: they change what is ranked, so the difference does not say which
            row is better.
    """

    difference: Difference
    users: int
    left_out: int
    judged_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A row on a data set, over its seeds.

    Attributes:
        dataset: File name.
        data: What the data set is called in tables.
        row: Recipe and changes.
        documents: Result files, by seed.
        compared: With the row that all are tested against; None for that row, and where ranks cannot be compared.
        corrected_p: The p-value after Holm's correction over the rows of the data set.
    """

    dataset: str
    data: str
    row: str
    documents: list[Document]
    compared: Compared | None = None
    corrected_p: float | None = None

    def values(self, metric: str, part: str = "test") -> list[float]:
        """A metric of each seed."""
        return [document["metrics"][part][metric] for document in self.documents]


def lines_of(folder: Path, documents: Iterable[Document], against: str | None = None) -> list[Line]:
    """Results by data set and row, each row tested against one of them.

    The test is over users: NDCG@20 of each user, averaged over the seeds that both rows have.

    Args:
        folder: Where the ranks are.
        documents: See :func:`elcrec.experiments.results.read_results`.
        against: Name of the row; default: that of the first result of the data set.

    Raises:
        RunError: Ranks are damaged.
    """
    groups = by_data(documents)
    names = [dataset for dataset, _ in groups]
    lines = []
    for (dataset, content), some in groups.items():
        mark = f" ({content[:DIGITS]})" if content and names.count(dataset) > 1 else ""
        lines += _lines_of_data_set(folder, some, against, Path(dataset).stem + mark)
    return lines


def _lines_of_data_set(folder: Path, documents: list[Document], against: str | None, shown: str) -> list[Line]:
    """The rows of one data set, which tables call ``shown``, each tested against one of them."""
    rows: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        rows[row_of(document)].append(document)
    reference = against if against in rows else next(iter(rows))
    others = {row: runs for row, runs in rows.items() if row != reference}
    compared = {row: _compared(folder, runs, rows[reference]) for row, runs in others.items()}
    p_values = {row: found.difference.p for row, found in compared.items() if found is not None}
    corrected = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    return [
        Line(runs[0]["dataset"], shown, row, runs, compared.get(row), corrected.get(row)) for row, runs in rows.items()
    ]


def _compared(folder: Path, ours: list[Document], theirs: list[Document]) -> Compared | None:
    """The results of a row compared with another's; None where their ranks are missing or cannot be compared."""
    seeds = _common_seeds(ours, theirs)
    our_gains, their_gains = (
        _mean_gains(folder, [document for document in documents if document["seed"] in seeds] or documents)
        for documents in (ours, theirs)
    )
    if our_gains is None or their_gains is None or our_gains.schema != their_gains.schema:
        return None
    compared = _paired(our_gains, their_gains)
    return None if compared is None else compared._replace(judged_by=_judged_otherwise(ours[0], theirs[0]))


def _common_seeds(ours: list[Document], theirs: list[Document]) -> set[int]:
    """Seeds that both rows have; none where one is a baseline, which has no seeds and is compared with all seeds."""
    if any(document["recipe"] in BASELINES for document in (*ours, *theirs)):
        return set()
    return {document["seed"] for document in ours} & {document["seed"] for document in theirs}


def _judged_otherwise(ours: Document, theirs: Document) -> tuple[str, ...]:
    """Settings of the evaluation that are not the same in two results."""
    one, other = (
        {**(document.get("settings") or document["overrides"]), **document.get("chosen", {})}
        for document in (ours, theirs)
    )
    return tuple(name for name in EVALUATION_SETTINGS if one.get(name) != other.get(name))


def _mean_gains(folder: Path, documents: list[Document]) -> pl.DataFrame | None:
    """Mean gain of each user and item that all results have; None where ranks are missing or of different kinds."""
    paths = [ranks_path(folder, document["name"]) for document in documents]
    if not all(path.exists() for path in paths):
        return None
    seeds = [_gains(path) for path in paths]
    if any(frame.schema != seeds[0].schema for frame in seeds):
        return None
    by = [name for name in seeds[0].columns if name != "gain"]
    every = pl.concat(seeds).group_by(by, maintain_order=True).agg(pl.len(), pl.col("gain").mean())
    return every.filter(pl.col("len") == len(seeds)).drop("len")


def _gains(path: Path) -> pl.DataFrame:
    """``user_id``, ``item_id`` (to predict; of a basket a list) and ``gain``; of elcrec 0.1 ``place``, ``gain``."""
    ranks = read_parquet(path)
    if "test" not in ranks.columns:
        raise RunError(f"{path} is damaged: it has no ranks of test items")
    ranks = ranks.filter(pl.col("test").ne_missing(0))
    rank_X = ranks["test"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    if not {"user_id", "test_item_id"} <= set(ranks.columns):
        gain = pl.Series("gain", gains(rank_X, TESTED_K))
        return pl.DataFrame([gain]).with_row_index("place")
    users = ranks.group_by("user_id", maintain_order=True).agg(item_id=pl.col("test_item_id").sort())
    row_X = ranks.join(users.select("user_id").with_row_index("row"), on="user_id", maintain_order="left")["row"]
    gain = pl.Series("gain", gains(rank_X, TESTED_K, row_X.cast(pl.Int64).to_numpy()))
    if len(users) == len(ranks):
        users = users.explode("item_id")
    return users.with_columns(gain)


def _paired(ours: pl.DataFrame, theirs: pl.DataFrame) -> Compared | None:
    """The difference on the users and items that both have; None where there are none, or they are ambiguous."""
    by = [name for name in ours.columns if name != "gain"]
    if by == ["place"] and len(ours) != len(theirs):
        return None
    both = ours.join(theirs, on=by, suffix="_theirs", maintain_order="left")
    if both.is_empty():
        return None
    difference = paired_difference(both["gain"].to_numpy(), both["gain_theirs"].to_numpy())
    users = [name for name in by if name != "item_id"]
    everybody = pl.concat([ours.select(users), theirs.select(users)]).n_unique()
    return Compared(difference, len(both), everybody - len(both))


def accuracy_table(lines: list[Line]) -> tuple[list[str], list[list[str]]]:
    """Head and rows: test metrics as mean ± sd over seeds, and the difference in NDCG@20."""
    head = ["data", "row", "seeds", *SHOWN_METRICS, f"valid {TESTED}", f"difference in {TESTED} (95%)", "p (Holm)"]
    rows = [
        [
            line.data,
            line.row,
            str(len(line.documents)),
            *(spread(line.values(metric)) for metric in SHOWN_METRICS),
            spread(line.values(TESTED, "valid")),
            *_tested(line),
        ]
        for line in lines
    ]
    return head, rows


def short_table(lines: list[Line]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of what fits into a terminal."""
    head, rows = accuracy_table(lines)
    kept = [head.index(name) for name in ("data", "row", "seeds", "hit_rate@5", TESTED)] + [
        len(head) - 2,
        len(head) - 1,
    ]
    return [head[at] for at in kept], [[row[at] for at in kept] for row in rows]


def effort_table(lines: list[Line]) -> tuple[list[str], list[list[str]]]:
    """Head and rows: epochs, seconds, memory, intents and where it ran."""
    head = ["data", "row", "best epoch", "seconds", "seconds an epoch", "peak memory"]
    head += ["intents effective / used / largest", "machine"]
    return head, [[line.data, line.row, *_effort(line.documents)] for line in lines]


def _effort(documents: list[Document]) -> list[str]:
    """The cells of :func:`effort_table` for the results of a row; those of training are empty for a baseline."""
    first = documents[0]
    trained = [document for document in documents if document["epochs"]]
    epochs = ", ".join(f"{document['best_epoch']} of {document['epochs']}" for document in trained)
    seconds = [document["train_seconds"] / document["epochs"] for document in trained]
    return [
        epochs or "–",
        f"{mean(document['train_seconds'] for document in documents):.0f}",
        f"{mean(seconds):.1f}" if seconds else "–",
        f"{max(document['peak_memory_bytes'] for document in documents) / 1e6:,.0f} MB",
        _intents(first["intents"]),
        where(first),
    ]


def _intents(health: dict[str, Any] | None) -> str:
    if not health:
        return "–"
    return f"{health['effective']:.0f} / {health['used']} / {health['largest_share']:.1%}"


def where(document: dict[str, Any]) -> str:
    """Machine, date and commit of a result."""
    machine = document["machine"]
    processor = machine["gpu"] or machine["processor"]
    return f"{processor}, {machine['threads']} threads, {document['date']}, {document['commit']}"


def spread(values: list[float]) -> str:
    """Mean ± sd, or the one value."""
    return f"{mean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def _tested(line: Line) -> list[str]:
    if line.compared is None or line.corrected_p is None:
        return ["–", "–"]
    difference, users, left_out, judged_by = line.compared
    sign = "" if line.corrected_p >= SURE else " *"
    only = f", {users:,} of {users + left_out:,} users" if left_out else ""
    only += f"; evaluated with other {', '.join(judged_by)}" if judged_by else ""
    return [
        f"{difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f}{only})",
        f"{line.corrected_p:.2g}{sign}",
    ]


def markdown(head: list[str], rows: list[list[str]]) -> list[str]:
    """A table, line by line."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["-"] * len(head), *rows)]


def line_document(line: Line) -> dict[str, Any]:
    """A line as plain values."""
    return {
        "dataset": line.dataset,
        "row": line.row,
        "seeds": [document["seed"] for document in line.documents],
        "test": {metric: mean(line.values(metric)) for metric in SHOWN_METRICS},
        "valid": {metric: mean(line.values(metric, "valid")) for metric in SHOWN_METRICS},
        "difference": None if line.compared is None else line.compared.difference._asdict(),
        "compared_users": None if line.compared is None else line.compared.users,
        "left_out_users": None if line.compared is None else line.compared.left_out,
        "judged_by_other": None if line.compared is None else list(line.compared.judged_by),
        "corrected_p": line.corrected_p,
    }
