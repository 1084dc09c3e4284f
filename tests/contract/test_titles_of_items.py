"""Titles in Python and on the command line: shown next to ids, and understood in place of them."""

import io
import json
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from cli_runner import SMALL, SMALL_SETS, run_cli, shop_log
from elcrec import DataError, ELCRec, SettingsError, UnknownIdError
from elcrec.cli.tables import explanation_table, intent_panel


@pytest.fixture(scope="module")
def log() -> pl.DataFrame:
    return shop_log(120)


@pytest.fixture(scope="module")
def items(log: pl.DataFrame) -> pl.DataFrame:
    """Each has a title but the first; the last two share one."""
    ids = log["item_id"].unique().sort().to_list()
    titles = [None, *(f"Thing {item}, The" for item in ids[1:-2]), "Twin", "Twin"]
    return pl.DataFrame({"item_id": ids, "title": titles, "shelf": [f"s{place % 7}" for place in range(len(ids))]})


@pytest.fixture(scope="module")
def model(log: pl.DataFrame, items: pl.DataFrame) -> ELCRec:
    return ELCRec(seed=1, **SMALL).fit(log, items=items, progress=False)


@pytest.fixture(scope="module")
def run(model: ELCRec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "shop"
    model.save(folder)
    return folder


def title_of(items: pl.DataFrame) -> dict[str, str]:
    return dict(items.select("item_id", "title").iter_rows())


def test_every_table_of_items_ends_with_titles(model: ELCRec, items: pl.DataFrame) -> None:
    known, user, item = title_of(items), model.users.ids[0], model.items.ids[3]
    of_titles = [
        lambda titles: model.recommend([user], titles=titles),
        lambda titles: model.recommend_from_history([[item]], titles=titles),
        lambda titles: pl.concat(model.recommend_in_blocks(k=2, titles=titles)),
        lambda titles: model.recommend_for_intent(k=2, titles=titles),
        lambda titles: model.recommend_to_new_user([0], titles=titles),
        lambda titles: model.slate([user], titles=titles),
        lambda titles: model.intent_timeline(user, titles=titles),
        lambda titles: model.similar_items([item], titles=titles),
    ]
    for table in of_titles:
        shown, plain = table(True), table(False)
        assert shown.columns[: plain.width] == plain.columns
        assert shown["title"].to_list() == [known[one] for one in shown["item_id"]]
        assert shown.select(plain.columns).equals(plain)
        assert "title" not in plain.columns


def test_lists_of_items_have_lists_of_titles(model: ELCRec, items: pl.DataFrame) -> None:
    known = title_of(items)
    explained = model.recommend([model.users.ids[0]], explain=True)
    assert explained.columns[-2:] == ["title", "because_titles"]
    for table, ids, titles in ((explained, "because", "because_titles"), (model.intents(), "items", "item_titles")):
        assert table[titles].to_list() == [[known[item] for item in row] for row in table[ids]]
    assert "item_titles" not in model.intents(titles=False).columns
    assert "because_titles" not in model.recommend(model.users.ids[:1], explain=True, titles=False).columns


def test_nothing_changes_without_titles(log: pl.DataFrame) -> None:
    model = ELCRec(seed=1, **{**SMALL, "epochs": 1}).fit(log, progress=False)
    assert model.recommend(model.users.ids[:2]).columns == ["user_id", "item_id", "score", "rank"]
    assert "item_titles" not in model.intents().columns


def test_items_are_given_by_title(model: ELCRec, run: Path, items: pl.DataFrame) -> None:
    ids = items["item_id"].to_list()
    title = title_of(items)[ids[4]]
    by_id, by_title = (model.recommend_from_history([[ids[0], one]], k=3) for one in (ids[4], title.lower()))
    assert by_id.equals(by_title)
    assert model.similar_items([title]).equals(model.similar_items([ids[4]]))
    assert model.history_intents([[title]]).equals(model.history_intents([[ids[4]]]))
    answers = [
        run_cli("recommend", run, "--history", f"{one},{ids[0]}", "-k", 3, "--json").document()
        for one in (ids[4], title)
    ]
    assert answers[0] == answers[1]
    assert run_cli("similar", run, "--item", title, "--json").document()[0]["target_title"] == title
    with pytest.raises(UnknownIdError, match="the title of 2 items"):
        model.similar_items(["twin"])
    complaint = run_cli("recommend", run, "--history", "twin").complaint()
    assert all(str(item) in complaint for item in ids[-2:])


def test_items_are_allowed_and_denied_by_title(model: ELCRec, run: Path, items: pl.DataFrame, tmp_path: Path) -> None:
    ids = items["item_id"].to_list()
    titles = [title_of(items)[item] for item in ids[4:7]]
    user = model.users.ids[0]
    by_id, by_title = (
        model.recommend([user], allow=some, deny=[some[0]], exclude_seen=False) for some in (ids[4:7], titles)
    )
    assert by_id.equals(by_title)
    assert set(by_title["item_id"]) == set(ids[5:7])
    with pytest.raises(UnknownIdError, match="neither an id nor a whole title"):
        model.recommend([user], deny=["nothing of the kind"])
    assert model.recommend([user], deny=["nothing of the kind"], unknown="skip").equals(model.recommend([user]))
    (tmp_path / "allowed.json").write_text(json.dumps(titles))
    listed = run_cli("recommend", run, "--user", user, "--allow", tmp_path / "allowed.json", "--include-seen", "--json")
    assert {row["item_id"] for row in listed.document()} == set(ids[4:7])


def test_find_lists_ids_and_titles(run: Path, items: pl.DataFrame) -> None:
    found = run_cli("find", run, "TWIN", "--json").document()
    assert {row["item_id"] for row in found} == set(items["item_id"].tail(2))
    assert {row["title"] for row in found} == {"Twin"}
    nothing = run_cli("find", run, "qwertz")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "no id or title contains 'qwertz'\n")


@pytest.mark.parametrize("verb", [("recommend", "--user", 1), ("similar", "--item", "Twin, 0"), ("intents",)])
def test_the_command_line_shows_titles_or_ids_only(
    verb: tuple[object, ...], model: ELCRec, run: Path, items: pl.DataFrame
) -> None:
    name, *options = verb
    options = {"recommend": ["--user", model.users.ids[0]], "similar": ["--item", items["item_id"][1]]}.get(
        str(name), options
    )
    if name != "intents":  # whose names are words of titles
        assert "Thing" in run_cli(name, run, *options).out
        assert "Thing" not in run_cli(name, run, *options, "--ids-only").out
    key = "item_titles" if name == "intents" else "title"
    documents = [run_cli(name, run, *options, *more, "--json").document() for more in ((), ("--ids-only",))]
    with_titles, without = (one["intents"] if name == "intents" else one for one in documents)
    assert all(key in row for row in with_titles)
    assert [{k: v for k, v in row.items() if "title" not in k} for row in with_titles] == without


def test_an_explanation_says_what_steering_adds(model: ELCRec, run: Path, tmp_path: Path) -> None:
    found = model.recommend([model.users.ids[0]], k=3, explain=True, intents=[1], strength=0.9, titles=False)
    assert (found["steering"] > 0).any()
    text = io.StringIO()
    Console(file=text, width=200).print(explanation_table(found, model.intent_names))
    assert "steered, " in text.getvalue()
    asked = ("recommend", run, "--user", model.users.ids[0], "--explain", "-k", 3)
    assert run_cli(*asked, "--out", tmp_path / "list.csv").code == 0
    named = pl.read_csv(tmp_path / "list.csv")["intent_name"].to_list()
    assert named == [row["intent_name"] for row in run_cli(*asked, "--json").document()]


def test_unknown_ids_that_are_skipped_are_counted(model: ELCRec, run: Path) -> None:
    user, item = model.users.ids[0], model.items.ids[3]
    skipped = run_cli("recommend", run, "--user", "nobody", "--user", user, "--unknown", "skip")
    assert "1 unknown user left out" in skipped.err
    skipped = run_cli("recommend", run, "--history", f"{item},nothing,no thing", "--unknown", "skip")
    assert "2 unknown items left out" in skipped.err
    both = run_cli("recommend", run, "--user", user, "--history", item).complaint()
    assert "--user, --history are given" in both


def test_reasons_name_titles_and_quote_commas(model: ELCRec) -> None:
    found = model.recommend(model.users.ids[:3], k=3, explain=True)
    text = io.StringIO()
    Console(file=text, width=200).print(explanation_table(found, model.intent_names))
    named = next(row[0] for row in found["because_titles"].to_list() if row and row[0] and "," in row[0])
    assert f'because of "{named}"' in " ".join(text.getvalue().split()) or f'"{named}"' in text.getvalue()
    panel = io.StringIO()
    Console(file=panel, width=200).print(intent_panel(model.intent_health(), model.intents(), 8, 3))
    assert '"Thing ' in panel.getvalue()


def test_the_title_column_is_a_setting(log: pl.DataFrame, items: pl.DataFrame, tmp_path: Path) -> None:
    labels = items.select("item_id", "shelf", label=pl.format("Label of {}", "item_id"))
    log.write_csv(tmp_path / "log.csv")
    labels.write_csv(tmp_path / "items.csv")
    command = ("train", tmp_path / "log.csv", "--out", tmp_path / "run", *SMALL_SETS, "--set", "epochs=1")
    outcome = run_cli(*command, "--items", tmp_path / "items.csv", "--set", "title_column=label")
    assert outcome.code == 0
    assert f"{len(items)} of {len(items)} items are described" in outcome.err
    loaded = ELCRec.load(tmp_path / "run")
    assert loaded.settings.title_column == "label"
    assert set(loaded.titles.values()) == set(labels["label"])
    assert (
        "title_column=label names a column"
        in run_cli(*command, "--overwrite", "--set", "title_column=label").complaint()
    )
    with pytest.raises(SettingsError, match="did you mean 'title_column'"):
        ELCRec(title_colum="label")


def test_without_a_title_the_most_specific_text_is_shown(log: pl.DataFrame, items: pl.DataFrame) -> None:
    ids = items["item_id"].to_list()
    named = pl.DataFrame(
        {"item_id": ids, "shelf": items["shelf"], "kind": [f"Kind {chr(97 + n % 20)}" for n in range(len(ids))]}
    )
    model = ELCRec(seed=1, **{**SMALL, "epochs": 1}).fit(log, items=named, progress=False)
    assert model.titles == dict(named.select("item_id", "kind").iter_rows())
    assert "kind is shown as the title" in model.fitted.dataset.said_features()[-1]
    assert model.recommend(model.users.ids[:1])["title"].str.starts_with("Kind").all()


def test_a_catalogue_of_another_shop_is_refused(model: ELCRec, run: Path, log: pl.DataFrame, tmp_path: Path) -> None:
    other = pl.DataFrame({"item_id": [f"x{item}" for item in range(3000)], "title": ["x"] * 3000})
    almost = other.with_columns(
        item_id=pl.Series([model.items.ids[0], *other["item_id"][1:]], dtype=pl.String, strict=False)
    )
    almost.write_csv(tmp_path / "other.csv")
    for give in (
        lambda: model.describe_items(almost),
        lambda: ELCRec(**SMALL).fit(log, items=almost, progress=False),
    ):
        with pytest.raises(DataError, match="describes only 1 of"):
            give()
    assert "describes only 1 of" in run_cli("intents", run, "--items", tmp_path / "other.csv").complaint()
    assert model.titles
