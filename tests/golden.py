"""Values of small models at fixed seeds: what is learnt, listed, explained and served.

    python tests/golden.py           # compare with tests/golden.json to the last digit, on the machine that wrote it
    python tests/golden.py --write   # renew the file, where a change of behaviour is meant

A refactoring changes nothing here. The test compares with a tolerance, because processors round differently.
"""

import argparse
import json
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import polars as pl  # noqa: E402

from cli_runner import LEARNED, shop_log  # noqa: E402
from elcrec import ELCRec  # noqa: E402
from served import Served, shop_run  # noqa: E402

FILE = HERE / "golden.json"
SPEED = ("seconds", "steps_per_second")
RECIPES: dict[str, dict[str, Any]] = {
    "default": {},
    "paper": {},
    "iclrec": {},
    "sasrec-bce": {},
    "large": {"train_share": 0.8},
}


def plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, pl.DataFrame):
        return {name: plain(value[name].to_list()) for name in value.columns}
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items() if not any(word in str(name) for word in SPEED)}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value if isinstance(value, int | float | str | bool | None) else str(value)


def learnt(recipe: str, **settings: Any) -> ELCRec:
    return ELCRec(recipe, seed=3, **{**LEARNED, **settings}).fit(shop_log(120), progress=False)


def of_recipe(recipe: str, settings: dict[str, Any]) -> dict[str, Any]:
    """What training gives."""
    model = learnt(recipe, **settings)
    return plain({"history": model.history, "metrics": model.metrics, "lists": model.recommend(k=3).head(30)})


def of_lists(model: ELCRec) -> dict[str, Any]:
    """All that a model is asked for."""
    users, items = model.users.ids.to_list()[:5], model.items.ids.to_list()[:6]
    return plain(
        {
            "plain": model.recommend(users, k=5),
            "explained": model.recommend(users, k=4, explain=True),
            "steered": model.recommend(users, k=5, intents=[2, 5], strength=0.5),
            "without_intents": model.recommend(users, k=5, exclude_intents=[0, 1]),
            "diversified": model.recommend(users, k=5, diversify=0.4),
            "seen_too": model.recommend(users, k=5, exclude_seen=False),
            "of_histories": model.recommend_from_history([items[:3], items[3:]], k=5, explain=True),
            "of_intents": model.recommend_for_intent([1, 3], k=4),
            "slate": model.slate(users),
            "similar": model.similar_items(items[:2], k=4),
            "intents": model.intents(k=3),
            "user_intents": model.user_intents(users, top=2),
            "history_intents": model.history_intents([items[:3]]),
            "timeline": model.intent_timeline(users[0]),
            "health": model.intent_health(),
            "names": model.intent_names,
            "quality": model.intent_quality(),
            "suggested": model.suggest_n_intents([2, 4, 8]),
            "ranks": model.ranks(split="valid").head(20),
            "audience": model.audience([1]).head(10),
        }
    )


def of_increment() -> dict[str, Any]:
    """Learning on from new events."""
    model = learnt("default")
    later = pl.col("timestamp") + pl.duration(days=400)
    newer = shop_log(120).head(40).with_columns(later, item_id=pl.lit("brand new"))
    model.partial_fit(newer, epochs=1, progress=False)
    return plain({"history": model.history, "metrics": model.metrics, "lists": model.recommend(k=3).head(30)})


def of_server(run: Path) -> dict[str, Any]:
    """Answers over HTTP."""
    history = ["tent pegs", "cool box"]
    asked: dict[str, tuple[str, Any]] = {
        "user": ("/v1/recommend", {"user_id": "shopper-00003", "k": 4}),
        "history": ("/v1/recommend", {"history": history, "k": 4, "explain": True}),
        "steered": ("/v1/recommend", {"user_id": "shopper-00003", "k": 4, "intents": [2], "strength": 0.5}),
        "stranger": ("/v1/recommend", {"user_id": "nobody", "k": 3}),
        "batch": ("/v1/recommend/batch", {"requests": [{"history": history, "k": 2}, {"user_id": "shopper-00001"}]}),
    }
    with Served(run) as server:
        answers = {name: server.post(path, document) for name, (path, document) in asked.items()}
        answers["intents"] = server.get("/v1/intents")
    return {name: without_version(plain(answer)) for name, answer in answers.items()}


def without_version(value: Any) -> Any:
    """It follows from the files' bytes, and so from the version of every library."""
    if isinstance(value, dict):
        return {name: without_version(one) for name, one in value.items() if name not in ("model", "model_version")}
    return [without_version(one) for one in value] if isinstance(value, list) else value


def golden() -> dict[str, Any]:
    """All values."""
    found: dict[str, Any] = {recipe: of_recipe(recipe, settings) for recipe, settings in RECIPES.items()}
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "shop"
        shop_run(run, epoch_steps=60)
        found["asked"] = of_lists(ELCRec.load(run))
        found["served"] = of_server(run)
    found["increment"] = of_increment()
    return json.loads(json.dumps(found))


def differences(expected: Any, found: Any, tolerance: float, where: str = "") -> list[str]:
    """Where two documents differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        names = sorted({*expected, *found})
        return [line for n in names for line in differences(expected.get(n), found.get(n), tolerance, f"{where}/{n}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [line for at, (a, b) in pairs for line in differences(a, b, tolerance, f"{where}/{at}")]
    numbers = isinstance(expected, float) and isinstance(found, int | float)
    same = math.isclose(expected, found, rel_tol=tolerance, abs_tol=tolerance) if numbers else expected == found
    return [] if same else [f"{where}: {expected!r} is now {found!r}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        FILE.write_text(json.dumps(golden(), indent=0, sort_keys=True) + "\n")
        return
    found = differences(json.loads(FILE.read_text()), golden(), 0.0)
    print("\n".join(found[:50]) or "the same to the last digit")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
