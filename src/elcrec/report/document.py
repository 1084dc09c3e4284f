"""The content of a report, collected from a model as plain values."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from elcrec.data.times import dated
from elcrec.evaluation.metrics import SELECTION_METRIC, SHOWN_METRICS, measured_parts
from elcrec.evaluation.verdict import findings
from elcrec.inference.resemblance import Resemblance, Resembled
from elcrec.intents.user_map import Points
from elcrec.progress import step
from elcrec.runs.records import EpochRecord
from elcrec.runs.run_files import package_version

if TYPE_CHECKING:
    from elcrec.recommender import ELCRec

ITEMS = 12
EXAMPLES = 5
RECOMMENDED = 5
MIX = 4
LONGEST_JOURNEY = 50
MOST_DOTS = 30_000
EDGE = 65535


def report_document(
    model: ELCRec, title: str, n_journeys: int = 60, say: Callable[[str], None] = lambda text: None
) -> dict[str, Any]:
    """The document that :func:`elcrec.report.page.render_report` shows.

    Args:
        model: Trained or imported.
        title: Heading.
        n_journeys: Number of example users with history, intents and recommendations: those with the largest weight
            of an intent, taken in turn from the intents by size.
        say: Receives progress messages.
    """
    health = model.intent_health()
    say("projecting users onto the map")
    point_U2 = model.user_map()
    users = model.user_intents().with_row_index("number")
    shown_U = evenly(len(users))
    say("describing intents")
    strongest = _strongest(model, users)
    shown = _shown_users(strongest, n_journeys)
    return {
        "title": title,
        "made": datetime.date.today().isoformat(),
        "elcrec": package_version(),
        "model": _model(model),
        "health": {"n_intents": model.settings.n_intents, **health},
        "curves": [_curve(record) for record in model.history],
        "trend_labels": model.trend_periods,
        "intents": _intents(model, users["intent"].to_numpy(), point_U2, strongest),
        "map": {
            "n": len(shown_U),
            "x": packed(point_U2[shown_U, 0] * EDGE),
            "y": packed(point_U2[shown_U, 1] * EDGE),
            "intent": packed(users["intent"].to_numpy()[shown_U]),
        },
        "journeys": _journeys(model, shown),
    }


def _model(model: ELCRec) -> dict[str, Any]:
    summary = model.log.summary()
    return {
        "recipe": model.recipe,
        "seed": model.settings.seed,
        "n_users": summary["users"],
        "n_items": len(model.items),
        "n_events": summary["rows"],
        "features": model.fitted.dataset.said_features(),
        **_days(model.log.frame),
        "best_epoch": model.metrics.get("best_epoch"),
        "epochs": model.metrics.get("epochs"),
        "imported_from": model.metrics.get("imported_from"),
        "metrics": {
            part: {name: model.metrics[part][name] for name in SHOWN_METRICS}
            for part in ("valid", "test")
            if part in model.metrics
        },
        "of_baskets": "recall@10" in model.metrics.get("test", model.metrics.get("valid", {})),
        "baselines": _baselines(model.metrics.get("baselines", {})),
        **{name: _by_part(model, name) for name in ("ceiling", "repeats")},
        "verdicts": model.metrics.get("baselines", {}).get("verdicts", {}),
        "findings": {part: findings(model.metrics, part) for part in measured_parts(model.metrics)},
    }


def _by_part(model: ELCRec, name: str) -> dict[str, float]:
    """A value of each part of the log that was evaluated."""
    parts: Mapping[str, Mapping[str, Any]] = measured_parts(model.metrics)
    return {part: metrics[name] for part, metrics in parts.items() if name in metrics}


def _days(log: pl.DataFrame) -> dict[str, str | None]:
    """First and last day of a log; None where it has no times, or its times are no moments."""
    times = dated(log["timestamp"]) if "timestamp" in log.columns else None
    if times is None or not times.dtype.is_temporal():
        return {"first": None, "last": None}
    ends = pl.Series([times.min(), times.max()]).dt.strftime("%Y-%m-%d")
    return {"first": ends[0], "last": ends[1]}


def _baselines(found: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """By part of the log the baselines, the best first: ``name`` and the shown metrics."""
    return {
        part: [
            {"name": name, **{metric: values[metric] for metric in SHOWN_METRICS}}
            for name, values in sorted(found[part].items(), key=lambda pair: -pair[1][SELECTION_METRIC])
        ]
        for part in ("valid", "test")
        if found.get(part)
    }


def _curve(record: EpochRecord) -> dict[str, Any]:
    intents = record["intents"]
    return {
        "epoch": record["epoch"],
        "losses": {name: value for name, value in record["losses"].items() if value != 0},
        "valid": record["valid"]["ndcg@20"],
        **{name: intents[name] for name in ("used", "effective", "largest_share")},
    }


def evenly(n: int) -> npt.NDArray[np.int64]:
    """Which of n users the map shows: all, or an even sample of too many."""
    return np.arange(0, n, max(1, -(-n // MOST_DOTS)))


def packed(values: npt.NDArray[Any]) -> str:
    """Whole numbers 0 to 65535, each two bytes, lowest first, as base64."""
    return base64.b64encode(np.ascontiguousarray(values.astype("<u2")).tobytes()).decode()


def places_of_intents(intent_U: npt.NDArray[np.int64], point_U2: Points) -> dict[int, tuple[float, float]]:
    """Median place of the users of each intent that has users."""
    medians = {intent: np.median(point_U2[intent_U == intent], axis=0) for intent in np.unique(intent_U).tolist()}
    return {intent: (float(x), float(y)) for intent, (x, y) in medians.items()}


def _strongest(model: ELCRec, users: pl.DataFrame) -> dict[int, list[Any]]:
    """The users with the largest weight of each intent; those with four events or more come first."""
    length = model.log.frame.group_by("user_id").len()
    frame = (
        users.join(length, on="user_id")
        .sort([pl.col("len") >= 4, "weight", "number"], descending=[True, True, False])
        .group_by("intent", maintain_order=True)
        .agg(pl.col("user_id").head(EXAMPLES))
    )
    return dict(frame.iter_rows())


def _shown_users(strongest: dict[int, list[Any]], most: int) -> list[Any]:
    """Example users: the first of each intent, then the second of each, up to ``most``."""
    turns = [user for place in range(EXAMPLES) for users in strongest.values() for user in users[place : place + 1]]
    step = max(1, len(strongest) // max(1, most))
    spread = turns[: len(strongest)][::step] + turns[len(strongest) :]
    return list(dict.fromkeys(spread))[:most]


def _intents(
    model: ELCRec, intent_U: npt.NDArray[np.int64], point_U2: Points, strongest: dict[int, list[Any]]
) -> list[dict[str, Any]]:
    titles, places = model.lookup.titles, places_of_intents(intent_U, point_U2)
    cosine_KK = model.network.centers.cosines(model.network.centers.weight.detach()).cpu()
    rows = []
    for row in model.intents(ITEMS).iter_rows(named=True):
        intent = row["intent"]
        x, y = (round(place, 4) for place in places[intent]) if intent in places else (None, None)
        nearest = [{"intent": other, "cosine": round(float(cosine_KK[intent, other]), 4)} for other in row["nearest"]]
        examples = [_exact(user) for user in strongest.get(intent, [])]
        rows.append({**_description(row, titles), "x": x, "y": y, "nearest": nearest, "examples": examples})
    return rows


def _description(row: dict[str, Any], titles: dict[Any, str]) -> dict[str, Any]:
    """A row of :meth:`ELCRec.intents`, with titles."""
    typical = zip(row["items"], row["item_users"], row["lifts"], strict=True)
    attributes = zip(row["attributes"], row["attribute_users"], row["attribute_lifts"], strict=True)
    return {
        **{name: row[name] for name in ("intent", "name", "users", "share", "cosine", "margin", "trend")},
        "flags": [flag.removesuffix("s") for flag in row["flags"]],
        "items": [
            {"item": _exact(item), "title": titles.get(item), "users": users, "lift": lift}
            for item, users, lift in typical
        ],
        "attributes": [
            {"attribute": attribute, "share": users / row["users"], "lift": lift}
            for attribute, users, lift in attributes
        ],
    }


def _exact(item: Any) -> Any:
    """An id as a page can hold it: whole numbers beyond 2^53 as text."""
    return str(item) if isinstance(item, int) and abs(item) >= 2**53 else item


def _journeys(model: ELCRec, users: list[Any]) -> list[dict[str, Any]]:
    """History, intents and recommendations of example users."""
    if not users:
        return []
    titles = model.lookup.titles
    mixes = model.user_intents(users, top=min(MIX, model.settings.n_intents)).partition_by("user_id", as_dict=True)
    recommended = model.recommend(users, RECOMMENDED, explain=True)
    by_user: dict[Any, list[dict[str, Any]]] = {user: [] for user in users}
    for row in recommended.iter_rows(named=True):
        by_user[row.pop("user_id")].append(row)
    resemblance = Resemblance(model.fitted)
    journeys: list[dict[str, Any]] = []
    with step("example users", len(users)) as done:
        for user in users:
            done(len(journeys))
            timeline = model.intent_timeline(user)
            listed = by_user[user]
            likes = resemblance.of_list([row["item_id"] for row in listed], timeline["item_id"])
            journeys.append(
                {
                    "user": _exact(user),
                    "total": timeline.height,
                    "intents": mixes[(user,)].select("intent", "weight").to_dicts(),
                    "shares": _shares(timeline["intent"]),
                    "events": [_event(row, titles) for row in _dated_rows(timeline.tail(LONGEST_JOURNEY))],
                    "recommendations": [
                        _recommendation(row, like, titles) for row, like in zip(listed, likes, strict=True)
                    ],
                }
            )
    return journeys


def _shares(intent_N: pl.Series) -> list[dict[str, Any]]:
    """The intents of most events of a history, each with its share of them."""
    counts = intent_N.value_counts(sort=True).head(MIX)
    return [{"intent": intent, "share": count / len(intent_N)} for intent, count in counts.iter_rows()]


def _dated_rows(timeline: pl.DataFrame) -> Iterable[dict[str, Any]]:
    """The rows of a timeline with ``time``: a day, a moment to the minute, or None."""
    times = dated(timeline["timestamp"]) if "timestamp" in timeline.columns else None
    text = pl.lit(None, pl.String)
    if times is not None and times.dtype.is_temporal():
        text = pl.lit(times.dt.strftime("%Y-%m-%d" if times.dtype == pl.Date else "%Y-%m-%d %H:%M"))
    return timeline.with_columns(time=text).iter_rows(named=True)


def _event(row: dict[str, Any], titles: dict[Any, str]) -> dict[str, Any]:
    """A row of :meth:`ELCRec.intent_timeline`, with the title."""
    return {
        "item": _exact(row["item_id"]),
        "title": titles.get(row["item_id"]),
        "time": row["time"],
        "intent": row["intent"],
        "weight": row["weight"],
    }


def _recommendation(row: dict[str, Any], like: Resembled, titles: dict[Any, str]) -> dict[str, Any]:
    """A row of :meth:`ELCRec.recommend` with its explanation, and what it resembles, with titles."""
    return {
        **row,
        "item_id": _exact(row["item_id"]),
        "item": _exact(row["item_id"]),
        "title": titles.get(row["item_id"]),
        "because": [_exact(item) for item in row["because"]],
        "because_titles": [titles.get(item) for item in row["because"]],
        "like": None if like.item is None else {"item": _exact(like.item), "title": titles.get(like.item)},
        "shared": like.shared,
    }
