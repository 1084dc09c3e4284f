"""What users of Python expect: tab completion, filters, clones, notebooks, and mistakes refused in a sentence."""

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone

import elcrec
from cli_runner import SMALL, run_cli, shop_log
from elcrec import DataError, ELCRec, Interactions, RunError, SettingsError, UnknownIdError, to_pandas


@pytest.fixture(scope="module")
def model() -> ELCRec:
    log = Interactions.read(shop_log())
    ids = log.frame["item_id"].unique(maintain_order=True)
    shelf = [["odd", "even"][place % 2] for place in range(len(ids))]
    place = [["left", "even"][place % 2] for place in range(len(ids))]
    items = pl.DataFrame({"item_id": ids, "shelf": shelf, "place": place, "title": [f"<b>{item}</b>" for item in ids]})
    return ELCRec(seed=1, **SMALL).fit(log, items=items, progress=False)


@pytest.fixture(scope="module")
def run(model: ELCRec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("walk") / "run"
    model.save(path)
    return path


def on(model: ELCRec, column: str, value: str) -> set[object]:
    frame = model.catalogue.frame.hstack(model.catalogue.features.select("shelf", "place"))
    return set(frame.filter(pl.col(column).list.contains(value))["item_id"])


def test_dir_names_what_is_public() -> None:
    assert dir(elcrec) == sorted([*elcrec.__all__, "__version__"])
    assert all(getattr(elcrec, name) is not None for name in dir(elcrec))


PUBLIC = f"from elcrec import {', '.join(elcrec.__all__)}"
HELP = "from elcrec.cli.app import app; app(['--help'], standalone_mode=False)"


@pytest.mark.parametrize(
    ("program", "heavy"),
    [
        (PUBLIC, ("torch", "sklearn", "scipy", "rich", "pandas", "pyarrow", "matplotlib", "typer")),
        (HELP, ("torch", "sklearn", "scipy", "polars", "numpy", "pydantic", "pandas", "matplotlib")),
    ],
    ids=["import", "help"],
)
def test_what_takes_long_to_import_is_loaded_when_it_is_needed(program: str, heavy: tuple[str, ...]) -> None:
    loaded = f"import sys; print([one for one in {heavy} if one in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", f"{program}\n{loaded}"], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_tables_of_pandas_are_taken_and_given(model: ELCRec) -> None:
    log = to_pandas(model.log.frame)
    assert Interactions.read(log).frame.equals(Interactions.read(model.log.frame).frame)
    users = pd.Series(model.users.ids.head(2).to_list())
    found = to_pandas(model.recommend(users, explain=True))
    assert found["user_id"].unique().tolist() == users.tolist()
    assert found["rank"].tolist()[:3] == [1, 2, 3]
    assert to_pandas(model.intents())["share"].sum() == pytest.approx(1)


def test_items_are_filtered_in_python(model: ELCRec) -> None:
    user, some = model.users.ids[0], model.items.ids.head(4).to_list()
    history = model.log.frame["item_id"].head(3).to_list()

    def both(**filters: object) -> list[set[object]]:
        known = model.recommend([user], 20, False, **filters)
        new = model.recommend_from_history([history], 20, False, **filters)
        return [set(known["item_id"]), set(new["item_id"])]

    assert both(allow=some) == [set(some)] * 2
    assert both(allow=some, deny=some[:1]) == [set(some[1:])] * 2
    assert all(found and found <= on(model, "shelf", "odd") for found in both(attributes=["odd"]))
    assert all(found and found <= on(model, "place", "left") for found in both(attributes=["place=left"]))
    assert all(found and found <= on(model, "shelf", "even") for found in both(all_attributes=["shelf=even", "even"]))
    faults = {
        "shelf=left": r"no item has 'left' in the column 'shelf': there are ('odd', 'even'|'even', 'odd')",
        "shelf=evem": "did you mean 'even'",
        "nosuch=odd": r"the columns with attributes are .*'shelf', 'place'",
        "od": "did you mean 'odd'",
    }
    for odd, said in faults.items():
        with pytest.raises(SettingsError, match=said):
            model.recommend([user], attributes=[odd])


def test_unknown_items_in_a_filter_are_refused_or_left_out_by_choice(model: ELCRec) -> None:
    user, some = model.users.ids[0], model.items.ids.head(4).to_list()
    for name in ("allow", "deny"):
        with pytest.raises(UnknownIdError, match="unknown item 'sold long ago'"):
            model.recommend([user], **{name: [*some, "sold long ago"]})
    found = model.recommend([user, "nobody"], 20, False, "skip", allow=[*some, "sold long ago"], deny=["nor this"])
    assert set(found["item_id"]) == set(some)
    assert model.recommend([user], unknown="skip", allow=["sold long ago"]).is_empty()


@pytest.mark.parametrize("arrays", [pl.Series, np.array, pd.Series, set, iter])
def test_a_filter_takes_any_kind_of_list(model: ELCRec, arrays: Callable[[list[object]], Any]) -> None:
    user, some = model.users.ids[0], model.items.ids.head(4).to_list()
    found = model.recommend([user], 20, False, allow=arrays(some), deny=arrays(some[:1]), attributes=arrays(["odd"]))
    assert set(found["item_id"]) == set(some[1:]) & on(model, "shelf", "odd")


def test_filters_hold_next_to_every_other_option(model: ELCRec) -> None:
    """Steering, exclusion, re-ranking and explanations rank the items that are left, all of them and no others."""
    user, seen = model.users.ids[0], set(model.log.frame.filter(user_id=model.users.ids[0])["item_id"])
    left = (on(model, "shelf", "odd") & set(model.items.ids)) - set(model.items.ids.head(5))
    options: list[dict[str, Any]] = [
        {"explain": True},
        {"intents": [0, 1], "strength": 1.0},
        {"exclude_intents": [0]},
        {"diversify": 0.7},
        {"explain": True, "intents": [2], "exclude_intents": [0], "diversify": 0.3},
    ]
    for option in options:
        given = {"k": len(model.items), "attributes": ["shelf=odd"], "deny": model.items.ids.head(5), **option}
        assert set(model.recommend([user], exclude_seen=False, **given)["item_id"]) == left
        found = model.recommend([user], exclude_seen=True, **given)
        assert set(found["item_id"]) == left - seen
        assert found["rank"].to_list() == list(range(1, len(found) + 1))
        assert set(model.recommend([user], only_seen=True, **given)["item_id"]) == left & seen
    with pytest.raises(SettingsError, match="approximate search cannot"):
        model.recommend([user], approximate=True, deny=["x"])


def test_items_are_filtered_on_the_command_line(model: ELCRec, run: Path, tmp_path: Path) -> None:
    user, some = model.users.ids[0], model.items.ids.head(4).to_list()
    (tmp_path / "allow.txt").write_text("\n".join(map(str, some)))
    (tmp_path / "deny.json").write_text(str(some[:1]).replace("'", '"'))
    asked = ("recommend", run, "--user", user, "--include-seen", "--json")
    found = run_cli(*asked, "--allow", tmp_path / "allow.txt", "--deny", tmp_path / "deny.json").document()
    assert {row["item_id"] for row in found} == set(some[1:])
    found = run_cli(*asked, "--attribute", "shelf=odd").document()
    assert found
    assert {row["item_id"] for row in found} <= on(model, "shelf", "odd")
    every = run_cli(*asked, "--all-attributes", "shelf=even", "--all-attributes", "place=even").document()
    assert {row["item_id"] for row in every} <= on(model, "shelf", "even")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "old.txt").write_text("sold long ago")
    for option, value in (("--allow", "empty.txt"), ("--deny", "nosuch.txt")):
        assert value in run_cli(*asked, option, tmp_path / value).complaint()
    assert "sold long ago" in run_cli(*asked, "--deny", tmp_path / "old.txt").complaint()
    plain = run_cli(*asked).document()
    assert run_cli(*asked, "--deny", tmp_path / "empty.txt").document() == plain
    assert run_cli(*asked, "--deny", tmp_path / "old.txt", "--unknown", "skip").document() == plain
    everybody = tmp_path / "all.parquet"
    run_cli("recommend", run, "--all", "--out", everybody, "--deny", tmp_path / "deny.json")
    assert some[0] not in set(pl.read_parquet(everybody)["item_id"])


def test_one_id_or_text_instead_of_a_list_is_refused_in_a_sentence(model: ELCRec) -> None:
    calls = (
        *(model.recommend, model.user_intents, model.similar_items, model.recommend_from_history),
        *(model.recommend_for_intent, model.recommend_to_new_user, model.audience, model.history_intents),
        lambda one: model.recommend_from_history([one]),
    )
    for call in calls:
        for one in (1, "u1"):
            with pytest.raises(DataError, match=rf"pass a list, \[{one!r}\], not {one!r} alone"):
                call(one)
    for name in ("allow", "deny", "attributes", "all_attributes", "intents", "exclude_intents"):
        for one in ("odd", 1):
            with pytest.raises(DataError, match=f"^{name}: pass a list"):
                model.recommend(**{name: one})


def test_a_table_instead_of_a_column_is_refused_with_the_column(model: ELCRec) -> None:
    ids = {"user_id": model.users.ids.head(2).to_list(), "item_id": model.items.ids.head(2).to_list()}
    item_calls = {
        "items": (
            model.similar_items,
            model.topn.items_known,
            model.topn.item_numbers,
            model.fitted.dataset.titles.indices,
        ),
        "each history": (
            lambda table: model.recommend_from_history([table]),
            lambda table: model.history_intents([table]),
            lambda table: model.intent_timeline(history=table),
        ),
        "allow": (lambda table: model.recommend(allow=table),),
        "deny": (lambda table: model.recommend(deny=table),),
    }
    calls = {
        "users": (model.recommend, model.user_intents, model.slate),
        "histories": (model.recommend_from_history, model.history_intents),
        "intents": (model.audience, model.recommend_for_intent, lambda table: model.recommend(intents=table)),
    }
    columns = {"users": "df['user_id']", "histories": "[df['item_id']]", "intents": "df['intent']"}
    for frame in (pl.DataFrame(ids), pd.DataFrame(ids), pl.LazyFrame(ids), pl.DataFrame(ids).to_arrow()):
        for name, some in (calls | item_calls).items():
            for call in some:
                column = columns.get(name, "df['item_id']")
                said = f"{name}: pass a column, for example {column}, not a table"
                with pytest.raises(DataError, match=f"^{re.escape(said)}$"):
                    call(frame)
    for frame in (pl.DataFrame(ids), pd.DataFrame(ids)):
        assert model.recommend(frame["user_id"], deny=frame["item_id"])["user_id"].n_unique() == 2
        assert len(model.recommend_from_history([frame["item_id"]], k=3)) == 3


def test_a_model_is_cloned_by_its_settings(model: ELCRec, run: Path) -> None:
    given = clone(model)
    assert given.settings == ELCRec(seed=1, **SMALL).settings
    with pytest.raises(RunError, match="not fitted"):
        given.recommend()
    assert clone(ELCRec.load(run)).settings == model.settings
    assert given.set_params(epochs=3).settings.epochs == 3
    before = given.settings
    with pytest.raises(SettingsError, match="did you mean 'epochs'"):
        given.set_params(epoch=3)
    assert given.settings == before
    with pytest.raises(RunError, match="keeps its settings"):
        model.set_params(epochs=3)


class Tags(HTMLParser):
    """Sees that tags are closed, and collects the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        assert tag == "rect"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def shown(thing: object) -> list[str]:
    page = Tags()
    page.feed(thing._repr_html_())
    assert not page.open
    return page.text


def test_a_notebook_shows_logs_and_models(model: ELCRec) -> None:
    users = f"{len(model.users):,}"
    assert repr(model.log).startswith(f"Interactions({len(model.log):,} events, {users} users")
    assert repr(model) == f"ELCRec(recipe='default', seed=1, {users} users, {len(model.items):,} items, 8 intents)"
    assert repr(ELCRec(seed=4)) == "ELCRec(recipe='default', seed=4, not fitted)"
    assert {users, "first", "last"} <= set(shown(model.log))
    assert "not fitted" in shown(ELCRec())
    text = shown(model)
    named = {0: "<i>bold</i>"}
    assert f"{model.metrics['test']['ndcg@10']:.4f}" in text
    largest = model.intents()["intent"][0]
    before = dict(model.given_names)
    model.rename_intents({largest: named[0]})
    assert named[0] in shown(model)  # as text, not as a tag
    model.rename_intents({largest: before.get(largest, "")})


NUMBERS: dict[str, Callable[[ELCRec, Any], Any]] = {
    "k of recommend": lambda model, number: model.recommend(k=number),
    "strength of recommend": lambda model, number: model.recommend(intents=[1], strength=number),
    "diversify of recommend": lambda model, number: model.recommend(diversify=number),
    "intents of recommend": lambda model, number: model.recommend(intents=[number]),
    "exclude_intents of recommend": lambda model, number: model.recommend(exclude_intents=[number]),
    "k of recommend_in_blocks": lambda model, number: list(model.recommend_in_blocks(k=number)),
    "k of recommend_from_history": lambda model, number: model.recommend_from_history([["webcam"]], k=number),
    "k of recommend_for_intent": lambda model, number: model.recommend_for_intent(k=number),
    "intents of recommend_for_intent": lambda model, number: model.recommend_for_intent([number]),
    "k of recommend_to_new_user": lambda model, number: model.recommend_to_new_user([1], k=number),
    "intents of recommend_to_new_user": lambda model, number: model.recommend_to_new_user([number]),
    "rows of slate": lambda model, number: model.slate(rows=number),
    "k of slate": lambda model, number: model.slate(k=number),
    "strength of slate": lambda model, number: model.slate(strength=number),
    "k of similar_items": lambda model, number: model.similar_items(["webcam"], k=number),
    "k of search_quality": lambda model, number: model.search_quality(k=number),
    "most of evaluate": lambda model, number: model.evaluate(most=number),
    "k of intents": lambda model, number: model.intents(number),
    "top of user_intents": lambda model, number: model.user_intents(top=number),
    "top of history_intents": lambda model, number: model.history_intents([["webcam"]], top=number),
    "most of intent_health": lambda model, number: model.intent_health(number),
    "names of rename_intents": lambda model, number: model.rename_intents({number: "mine"}),
    "candidates of suggest_n_intents": lambda model, number: model.suggest_n_intents([number]),
    "intents of audience": lambda model, number: model.audience([number]),
    "min_weight of audience": lambda model, number: model.audience([1], min_weight=number),
    "top of audience": lambda model, number: model.audience([1], top=number),
    "k of find_items": lambda model, number: model.find_items("webcam", k=number),
    "k of find_users": lambda model, number: model.find_users("shopper", k=number),
    "popularity of add_items": lambda model, number: model.add_items(NEW, popularity=number),
    "epochs of partial_fit": lambda model, number: model.partial_fit(shop_log(), epochs=number, progress=False),
    "seed": lambda model, number: ELCRec(seed=number),
    "epochs": lambda model, number: ELCRec(epochs=number),
    "learning_rate": lambda model, number: ELCRec(learning_rate=number),
}
"""Every number that the facade takes."""
NEW = pl.DataFrame({"item_id": ["a new thing"], "shelf": ["odd"], "place": ["left"]})
NONE_ALLOWED = ("strength of recommend", "most of evaluate", "most of intent_health", "seed")


@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number_in_range_is_refused_in_one_line(model: ELCRec, name: str) -> None:
    texts = ["much", "0.5 much", ""]
    for number in (*texts, float("nan"), float("inf"), -1, [1], None):
        if (number is None and name in NONE_ALLOWED) or (number == [1] and name.startswith("names")):
            continue
        with pytest.raises(SettingsError) as error:
            NUMBERS[name](model, number)
        assert "\n" not in str(error.value)


def test_the_table_of_numbers_knows_every_argument_that_is_one() -> None:
    """Those of recommend are checked in one place for all that recommends; write_names checks as rename_intents."""
    known = {tuple(name.split(" of ")) for name in NUMBERS}
    for method, member in inspect.getmembers(ELCRec, inspect.isfunction):
        if method.startswith("_") or method == "write_names":
            continue
        for argument, told in inspect.signature(member).parameters.items():
            if re.search(r"\b(int|float)\b", str(told.annotation)):
                assert {(argument, method), (argument, "recommend")} & known, f"{argument} of {method}"
