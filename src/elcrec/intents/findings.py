"""What measures of intents say, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, inf
from typing import Any

import polars as pl

from elcrec.process.wording import counted, setting, worded

STRUCTURE = (
    (0.25, "no clear structure"),
    (0.5, "weak structure"),
    (0.7, "reasonable structure"),
    (inf, "strong structure"),
)
"""What silhouettes below these say (Kaufman and Rousseeuw 1990)."""
RECOVERY = (0.65, "poor"), (0.8, "moderate"), (0.9, "good"), (inf, "excellent")
"""What adjusted Rand indices below these say (Steinley 2004, doi 10.1037/1082-989X.9.3.386)."""
ALIKE = 0.01
"""Differences of AMI and Rand index below this are not called differences."""
LEAST_LIFT = 1.05
"""A lift below this is called no help."""


def quality_findings(measures: Mapping[str, Any]) -> list[str]:
    """What :func:`elcrec.intents.intent_quality.intent_quality` found: agreement with metadata, then the clusters."""
    learned, kmeans, chance = (measures[name] for name in ("learned", "kmeans", "chance"))
    said = []
    if learned.get("attribute_ami") is not None:
        lift = f"{learned['attribute_lift']:.2f} times as likely as without it"
        helps = "" if learned["attribute_lift"] >= LEAST_LIFT else ": no help"
        ours, theirs = learned["attribute_ami"], kmeans["attribute_ami"]
        said += [
            f"Knowing the intent makes the attribute of the next item {lift}{helps}.",
            f"The intents agree with the attribute of the next item {_compared(ours, theirs)} k-means of the same "
            f"embeddings (AMI {ours:.3f} and {theirs:.3f}; by chance {chance['attribute_ami']:.3f}).",
        ]
    else:
        metadata = worded("--items", "catalogue=")
        said.append(f"No attributes of items are known: {metadata} says whether the intents agree with them.")
    if learned["silhouette"] is not None:
        said.append(
            f"The users' clusters have {_grade(learned['silhouette'], STRUCTURE)} (silhouette "
            f"{learned['silhouette']:.2f}; below {STRUCTURE[0][0]:g} is none, from {STRUCTURE[2][0]:g} strong)."
        )
    return said


def stability_findings(measures: Mapping[str, Any]) -> list[str]:
    """What :meth:`elcrec.ELCRec.intent_stability` found."""
    ours, theirs = measures["learned"], measures["kmeans"]
    return [
        f"The agreement of the two runs on the intents of {counted(measures['users'], 'user')} is "
        f"{_grade(ours, RECOVERY)} (adjusted Rand index {_rounded(ours)}; below {RECOVERY[0][0]:g} is poor, from "
        f"{RECOVERY[2][0]:g} excellent).",
        f"They agree {_compared(ours, theirs)} two k-means of their embeddings ({_rounded(theirs)}).",
    ]


def suggestion_findings(tried: pl.DataFrame, n_intents: int) -> list[str]:
    """What :meth:`elcrec.ELCRec.suggest_n_intents` found, for a model with ``n_intents``."""
    gain_of = dict(tried.select("n_intents", "gain").iter_rows())
    suggested = tried.filter("suggested")["n_intents"].item()
    if gain_of[suggested] <= 0:
        return ["No number of intents tells more of the next item than popularity does."]
    times = f"{exp(gain_of[suggested]):.2f} times as likely as by popularity"
    said = f"{suggested} intents make the next item {times} (geometric mean), within a standard error of the best"
    if suggested == n_intents:
        return [f"{said}: the run has as many."]
    own = f"; the run's {n_intents}: {exp(gain_of[n_intents]):.2f} times" if n_intents in gain_of else ""
    return [f"{said}{own}. To train with them: {setting('n_intents', suggested)}."]


def _grade(value: float, grades: tuple[tuple[float, str], ...]) -> str:
    return next(name for limit, name in grades if value < limit)


def _rounded(value: float) -> str:
    """With two digits; what is nearly 0 has no sign."""
    return f"{round(value, 2) + 0.0:.2f}"


def _compared(ours: float, theirs: float) -> str:
    if abs(ours - theirs) < ALIKE:
        return "as much as"
    return "more than" if ours > theirs else "less than"
