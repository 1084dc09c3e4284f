"""Sections of docs/results.md about training and intents."""

import json
import statistics
from operator import itemgetter
from pathlib import Path
from typing import Any

from elcrec.experiments.summary import markdown, spread, where

ACCURACY = Path(__file__).parent / "results" / "accuracy"
COLD = "hit_rate@20"
EARLIER_FEATURE_WEIGHT = 0.3
"""Of results that do not name it."""
COMPARED_METRICS = ("hit_rate@5", "ndcg@20")
SHOP_METRICS = ("hit_rate@5", "hit_rate@10", "ndcg@10", "ndcg@20")


def partial(documents: list[dict[str, Any]]) -> list[str]:
    rows, kind = [], itemgetter("dataset", "recipe", "epochs")
    for name in dict.fromkeys(map(kind, documents)):
        seeds = [each for each in documents if kind(each) == name]
        new = f"{seeds[0]['n_new_events']:,} of {seeds[0]['n_events']:,}"
        for which, said in (
            ("before", "not trained again"),
            ("partial", f"{name[2]} epochs, incremental"),
            ("anew", "from scratch"),
        ):
            values = [spread([each[which]["test"][metric] for each in seeds]) for metric in COMPARED_METRICS]
            items = f"{seeds[0][which]['n_items']:,}"
            seconds = f"{statistics.median(each[which]['seconds'] for each in seeds):.0f}"
            rows.append([name[0], name[1], new, said, str(len(seeds)), items, *values, seconds, where(seeds[-1])])
    head = ["data", "recipe", "new events", "model", "seeds", "items known", *COMPARED_METRICS, "seconds", "machine"]
    return markdown(head, rows)


def losses(documents: list[dict[str, Any]]) -> list[str]:
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


def intents(documents: list[dict[str, Any]]) -> list[str]:
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


def clustering(documents: list[dict[str, Any]]) -> list[str]:
    lines = []
    for document in documents:
        names = ("attribute_ami", "attribute_lift", "effective", "largest_share", "dead")
        digits = dict(zip(names, (".4f", ".3f", ".0f", ".2%", ".1%"), strict=True))
        rows = [
            [
                name.replace("judged", "evaluated"),
                *(f"{row[of]['mean']:{form}} ± {row[of]['sd']:{form}}" for of, form in digits.items()),
            ]
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
        lines += markdown(["recency", "learned", "k-means on the evaluated histories"], rows)
    return lines


def planted(documents: list[dict[str, Any]]) -> list[str]:
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


def increments(documents: list[dict[str, Any]]) -> list[str]:
    rows = [
        [
            document["dataset"],
            f"{document['n_events']:,} events of {document['n_users']:,} users",
            one["news"],
            f"{one['step']:.4f}" if one["step"] < 1 else "1 (full)",
            f"{one['kept@10']:.1%}",
            where(document),
        ]
        for document in documents
        for one in document["results"]
    ]
    return markdown(["data", "trained on", "new events", "step", "top 10 of other users kept", "machine"], rows)


def shops(documents: list[dict[str, Any]]) -> list[str]:
    """A row a data set: means over seeds, baselines first where a run has them, and how sure the difference is."""
    tests = {document["dataset"]: document["paired"] for document in documents if "paired" in document}
    runs = [document for document in documents if "paired" not in document]
    rows = []
    for name in dict.fromkeys(document["dataset"] for document in runs):
        seeds = [document for document in runs if document["dataset"] == name]
        for baseline, metrics in seeds[-1].get("baselines", {}).get("test", {}).items():
            recall = f"{metrics['recall@10']:.4f}" if "recall@10" in metrics else ""
            sure = difference(tests[name][baseline]) if name in tests else ""
            rows.append([name, baseline, "1", *(f"{metrics[metric]:.4f}" for metric in SHOP_METRICS), recall, sure, ""])
        values = [spread([document["test"][metric] for document in seeds]) for metric in SHOP_METRICS]
        recalls = [document["test"]["recall@10"] for document in seeds if "recall@10" in document["test"]]
        seconds = f"{statistics.median(document['train_seconds'] for document in seeds):.0f}"
        rows.append([name, "**default**", str(len(seeds)), *values, spread(recalls) if recalls else "", "", seconds])
        rows += _other_way(name, seeds)
    return markdown(
        ["data", "recommender", "seeds", *SHOP_METRICS, "recall@10", "default's lead (ndcg@20)", "seconds of training"],
        rows,
    )


def item_features(documents: list[dict[str, Any]]) -> list[str]:
    """A row a data set and training: with metadata, and in brackets the results of the suite ``accuracy``, without."""
    rows = []

    def kind(one: dict[str, Any]) -> tuple[str, str, bool, bool, float, int]:
        weight, chosen = one.get("feature_weight", EARLIER_FEATURE_WEIGHT), one["overrides"].get("exclude_seen", False)
        return one["dataset"], one.get("variant", ""), chosen, one.get("shuffled", False), weight, one["epochs"]

    for own in sorted(dict.fromkeys(map(kind, documents))):
        name, variant, chosen, shuffled, weight, epochs = own
        seeds = [one for one in documents if kind(one) == own]
        without = [json.loads(path.read_text()) for path in sorted(ACCURACY.glob(f"{name}-default-seed*.json"))]
        values = [
            f"{spread([one['masked'][part][metric] for one in seeds])} "
            f"({spread([one['metrics'][part][metric] for one in without])})"
            for part, metric in (("valid", "ndcg@20"), *(("test", metric) for metric in SHOP_METRICS))
        ]
        seconds = f"{statistics.median(one['train_seconds'] for one in seeds):.0f}"
        changed = f", {variant}" if variant else ""
        shown = f"{name}{changed}{', exclude_seen=true' * chosen}{', attributes of other items' * shuffled}"
        trained = f"{weight:g}, {epochs}"
        rows.append([shown, trained, f"{len(seeds)} ({len(without)})", *values, seconds, where(seeds[-1])])
    return markdown(
        ["data", "weight, epochs", "seeds", "valid ndcg@20", *SHOP_METRICS, "seconds of training", "machine"], rows
    )


def _other_way(name: str, seeds: list[dict[str, Any]]) -> list[list[str]]:
    """The same runs with seen items excluded where `default` ranks them, or the reverse; none without repeats."""
    others = [run["baselines"]["other_way"] for run in seeds if "other_way" in run.get("baselines", {})]
    if len(others) < len(seeds):
        return []
    found = [other["test"]["model"] for other in others]
    values = [spread([one[metric] for one in found]) for metric in SHOP_METRICS]
    recall = spread([one["recall@10"] for one in found]) if all("recall@10" in one for one in found) else ""
    seen = "excluded" if others[0]["exclude_seen"] else "ranked"
    return [[name, f"default, seen items {seen}", str(len(seeds)), *values, recall, "", ""]]


def cold_items(documents: list[dict[str, Any]]) -> list[str]:
    """A row a data set and recommender: new items among all items, and among themselves."""
    rows = []
    for name in dict.fromkeys(document["dataset"] for document in documents):
        seeds = [document for document in documents if document["dataset"] == name]
        for who in (who for who, found in seeds[0].items() if isinstance(found, dict) and f"among_new_{COLD}" in found):
            values = [
                spread([one[who][metric] for one in seeds]) if metric in seeds[0][who] else ""
                for metric in (COLD, "ndcg@20", f"among_new_{COLD}", "among_new_ndcg@20")
            ]
            warm = [one["warm"][who]["ndcg@20"] for one in seeds if who in one["warm"]]
            before = spread([one["warm"]["before"]["ndcg@20"] for one in seeds])
            rows.append([name, who, str(len(seeds)), *values, f"{spread(warm)} (before: {before})" if warm else ""])
    head = ["data", "recommender", "seeds", COLD, "ndcg@20", f"{COLD} among new", "ndcg@20 among new", "warm"]
    return markdown(head, rows)


def unlearned_items(documents: list[dict[str, Any]]) -> list[str]:
    """A row a data set: both parts before and after, and how many items it is about."""
    rows = []
    for name in dict.fromkeys(document["dataset"] for document in documents):
        seeds = [document for document in documents if document["dataset"] == name]
        values = [
            spread([one[when][part]["ndcg@20"] for one in seeds])
            for part in ("valid", "test")
            for when in ("before", "after")
        ]
        few, held_out = seeds[0], seeds[0]["targets"]
        counts = [f"{few['n_unlearned']} of {few['n_items']:,}", f"{held_out['valid']} and {held_out['test']}"]
        rows.append([name, str(len(seeds)), *counts, *values])
    head = ["data", "seeds", "items", "targets", "valid before", "valid after", "test before", "test after"]
    return markdown(head, rows)


def event_inputs(documents: list[dict[str, Any]]) -> list[str]:
    """A row a data set and what is read of its events, and how sure the difference is."""
    rows = []
    for test in (document for document in documents if "paired" in document):
        for inputs in ("none", test["inputs"]):
            seeds = [
                document
                for document in documents
                if document["dataset"] == test["dataset"]
                and document.get("overrides", {}).get("event_inputs") == inputs
            ]
            values = [spread([one[part]["ndcg@20"] for one in seeds]) for part in ("valid", "test")]
            seconds = f"{statistics.median(one['train_seconds'] for one in seeds):.0f}"
            sure = "" if inputs == "none" else difference(test["paired"])
            rows.append([test["dataset"], inputs, str(len(seeds)), *values, sure, seconds])
    head = ["data", "event_inputs", "seeds", "valid ndcg@20", "test ndcg@20", "lead (valid)", "seconds of training"]
    return markdown(head, rows)


def user_features(documents: list[dict[str, Any]]) -> list[str]:
    """A row a data set with and without user features, and how sure the difference is, over all users and over some."""
    rows = []
    for test in (document for document in documents if "paired" in document):
        runs = [one for one in documents if one["dataset"] == test["dataset"] and "paired" not in one]
        for way in (False, True):
            seeds = [one for one in runs if one["with"] == way]
            values = [spread([one[part]["ndcg@20"] for one in seeds]) for part in ("valid", "test")]
            untold, leads = "", ["", ""]
            if way:
                untold = spread([one["unknown"]["test"]["ndcg@20"] for one in seeds])
                leads = [difference(test["paired"]["test"][who]) for who in ("all", "described")]
            seconds = f"{statistics.median(one['train_seconds'] for one in seeds):.0f}"
            rows.append([test["dataset"], "yes" if way else "no", str(len(seeds)), *values, untold, *leads, seconds])
    measured = ["valid ndcg@20", "test ndcg@20", "test, unknown", "lead (test)", "lead of described users"]
    return markdown(["data", "user features", "seeds", *measured, "seconds of training"], rows)


def difference(test: dict[str, float]) -> str:
    p = f"p {test['p']:.1g}" if test["p"] > 0 else "p < 1e-300"
    return f"{test['mean']:+.4f} ({test['low']:+.4f} to {test['high']:+.4f}), {p}"


def intent_jobs(documents: list[dict[str, Any]]) -> list[str]:
    """A table a job, a row a data set: means over the seeds; choices by ``valid`` over all data."""
    runs = [document for document in documents if "stability" not in document]
    names = list(dict.fromkeys(run["dataset"] for run in runs))
    by_data = {name: [run for run in runs if run["dataset"] == name] for name in names}
    pairs = {one["dataset"]: one["stability"] for one in documents if "stability" in one}
    lines = []
    for about, head, rows in (
        _cold_users(by_data),
        _slates(by_data),
        _audiences(by_data),
        _diversity(by_data),
        _agreement(by_data, pairs),
        _names(by_data),
    ):
        lines += [about, "", *markdown(["data", "seeds", *head], rows), ""]
    return lines[:-1]


_ByData = dict[str, list[dict[str, Any]]]
_Table = tuple[str, list[str], list[list[str]]]


def _values(runs: list[dict[str, Any]], *path: str) -> list[float]:
    """The value at a path, of each run."""
    found: list[Any] = runs
    for name in path:
        found = [one[name] for one in found]
    return found


def _mean(runs: list[dict[str, Any]], *path: str) -> float:
    return statistics.mean(_values(runs, *path))


def _all(runs: list[dict[str, Any]], *path: str) -> str:
    return spread(_values(runs, *path))


def _cold_users(by_data: _ByData) -> _Table:
    job, chosen = "cold-users", ("1", "2", "3")

    def ratio(runs: list[dict[str, Any]], of: str, ranking: str, part: str) -> float:
        return _mean(runs, job, of, ranking, part) / _mean(runs, job, "popularity", part)

    def on_valid(ranking: str) -> float:
        return statistics.mean(ratio(runs, of, ranking, "valid") for runs in by_data.values() for of in chosen)

    rankings = list(next(iter(by_data.values()))[0][job]["3"])
    best = max(rankings, key=on_valid)
    rows = [
        [name, str(len(runs)), ranking, _all(runs, job, "popularity", "test")]
        + [f"{_all(runs, job, of, ranking, 'test')} (x {ratio(runs, of, ranking, 'test'):.2f})" for of in chosen]
        + [_all(runs, job, "with history", "test")]
        for name, runs in by_data.items()
        for ranking in rankings
    ]
    about = f"**Cold users**: hit rate@10 of the next items; x: over popularity. Best on `valid`: `{best}`."
    return about, ["ranking", "popularity", "one intent", "two", "three", "with the whole history"], rows


def _slates(by_data: _ByData) -> _Table:
    job = "slate"
    strengths = [one for one in next(iter(by_data.values()))[0][job] if one.startswith("strength")]

    def ratio(runs: list[dict[str, Any]], strength: str, part: str) -> float:
        return _mean(runs, job, strength, part) / _mean(runs, job, "plain", part)

    best = max(strengths, key=lambda one: statistics.mean(ratio(runs, one, "valid") for runs in by_data.values()))
    rows = [
        [name, str(len(runs)), _all(runs, job, "plain", "test")]
        + [f"{_all(runs, job, one, 'test')} ({ratio(runs, one, 'test') - 1:+.1%})" for one in strengths]
        for name, runs in by_data.items()
    ]
    about = f"**Slate**: recall of the next ten items or more at length 30, and difference. Best on `valid`: {best}."
    return about, ["plain", *strengths], rows


def _audiences(by_data: _ByData) -> _Table:
    job = "audiences"
    compared = [
        ("intent", "random"),
        ("intent", "bought_before"),
        ("strongest_quarter", "random"),
        ("highest_lift", "highest_lift_random"),
    ]
    rows = []
    for name, runs in by_data.items():
        lifts = [_mean(runs, job, one) / _mean(runs, job, other) for one, other in compared]
        columns = ("intent", "random", "bought_before", "any_buyer", "typical_of_category")
        counts = f"{_mean(runs, job, 'n_intents'):.0f}"
        shares = [_all(runs, job, of) for of in columns]
        rows.append([name, str(len(runs)), counts, *shares, *(f"x {lift:.2f}" for lift in lifts)])
    head = ["intents", "of the intent", "random", "as many earlier buyers", "all earlier buyers"]
    head += ["typical items in it", "over random", "over buyers"]
    head += ["strongest quarter over random", "category of highest lift: over random"]
    return "**Audiences**: share of users whose next items have one of the intent's category.", head, rows


def _diversity(by_data: _ByData) -> _Table:
    job, ways = "diversity", ("diversify", "mmr of vectors", "mmr of attributes")
    rows = [
        [name, str(len(runs)), *(spread([run[job]["plain"][at] for run in runs]) for at in (0, 1))]
        + [_all(runs, job, f"at {share}", way) for share in ("0.98", "0.95") for way in ways]
        for name, runs in by_data.items()
    ]
    about = "**Diversity** of ten items (one minus mean overlap of attributes) at 98% and 95% of the plain NDCG@10."
    head = ["plain NDCG@10", "plain diversity", *(f"{share}: {way}" for share in ("98%", "95%") for way in ways)]
    return about, head, rows


def _agreement(by_data: _ByData, pairs: dict[str, list[dict[str, Any]]]) -> _Table:
    job = "agreement"
    rows = [
        [name, str(len(runs)), *(_all(runs, job, who) for who in ("learned", "kmeans", "chance"))]
        + [spread([pair[who] for pair in pairs[name]]) for who in ("learned", "kmeans")]
        for name, runs in by_data.items()
    ]
    about = (
        "**Agreement** (adjusted mutual information) of intents with the next item's category, and stability (adjusted "
        "Rand index) over pairs of seeds."
    )
    return about, ["learned", "k-means", "chance", "stability, learned", "stability, k-means"], rows


def _names(by_data: _ByData) -> _Table:
    job, measures = "names", ("right", "median_share", "median_lift")
    rows = [
        [name, str(len(runs)), f"{_mean(runs, job, 'learned', 'n_intents'):.0f}"]
        + [" / ".join(_all(runs, job, who, of) for who in ("learned", "kmeans")) for of in measures]
        for name, runs in by_data.items()
    ]
    about = (
        "**Names**: share that the rule finds right; median share of later events with what is named, its lift over "
        "other users. Learned intents / k-means clusters."
    )
    return about, ["intents", "right", "median share", "median lift"], rows
