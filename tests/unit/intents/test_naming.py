"""Names of intents: the score by hand, what may be said, and that no two intents are called the same."""

import unicodedata
from collections.abc import Sequence
from math import log
from typing import Any

import numpy as np
import polars as pl
import pytest

from elcrec.data.catalogue import Catalogue
from elcrec.intents.intent_table import typical_items
from elcrec.intents.naming import class_tf_idf, name_intents

USERS = 6  # an intent


def catalogue(**columns: Any) -> Catalogue:
    return Catalogue.read(pl.DataFrame(columns))


def names_of(baskets: Sequence[Sequence[Any]], known: Catalogue | None, k: int = 10) -> list[str]:
    """Names of intents each of whose users took the same basket."""
    users = [(f"u{intent}-{user}", intent) for intent, _ in enumerate(baskets) for user in range(USERS)]
    events = [(user, item) for user, intent in users for item in baskets[intent]]
    return names(users, events, known, len(baskets), k)


def names(users: list[Any], events: list[Any], known: Catalogue | None, n_intents: int, k: int = 10) -> list[str]:
    intent_of_user = pl.DataFrame(users, schema={"user_id": pl.String, "intent": pl.Int64}, orient="row")
    log = pl.DataFrame(events, schema=["user_id", "item_id"], orient="row")
    found = name_intents(intent_of_user, log, known, n_intents, typical_items(intent_of_user, log, k))
    assert all(0 < len(name) <= 60 for name in found)
    return found


def parts(name: str) -> list[str]:
    return name.split(" · ")


def random_shop(seed: int, n_intents: int = 6, titles: bool = True) -> tuple[list[Any], list[Any], Catalogue]:
    random = np.random.default_rng(seed)
    shelves = [["bread", "cake", "flour"], ["Tent", "tents", "stove"], ["soap", "night cream"], ["lead", "collar"]]
    rows = []
    for item in range(60):
        shelf = shelves[item % 4]
        picked = random.choice(shelf, 2)
        rows.append((item, f"{picked[0]} {random.choice(['red', 'blue'])} {item}" if titles else None, [picked[1]]))
    known = catalogue(**dict(zip(("item_id", "title", "kind"), map(list, zip(*rows, strict=True)), strict=True)))
    users = [(f"u{user}", int(random.integers(n_intents))) for user in range(80)]
    events = [
        (user, 4 * int(random.integers(15)) + (intent if random.random() < 0.7 else int(random.integers(4))) % 4)
        for user, intent in users
        for _ in range(8)
    ]
    return users, events, known


def test_class_tf_idf_by_hand() -> None:
    counts = pl.DataFrame({"intent": [0, 0, 1, 1, 1], "term": ["a", "b", "a", "c", "d"], "count": [6, 2, 3, 4, 5]})
    scored = class_tf_idf(counts)
    mean = (6 + 2 + 3 + 4 + 5) / 2
    assert scored["total"].to_list() == [9, 2, 9, 4, 5]
    expected = [6 * log(1 + mean / 9), 2 * log(1 + mean / 2), 3 * log(1 + mean / 9), 4 * log(3.5), 5 * log(3)]
    assert scored["score"].to_list() == pytest.approx(expected)


def test_terms_come_by_score() -> None:
    known = catalogue(item_id=range(8), kind=["bread", "bread", "cake", "cake", "tent", "tent", "stove", "stove"])
    users = [("a", 0), ("b", 0), ("c", 1), ("d", 1)]
    # Users and items: bread 2, cake 3 in the first intent; tent 4, stove 2 in the second.
    first = [("a", 0), ("a", 1), ("a", 2), ("a", 3), ("b", 2)]
    second = [("c", 4), ("c", 5), ("d", 4), ("d", 5), ("c", 6), ("d", 7)]
    assert names(users, first + second, known, 2) == ["cake · bread", "tent · stove"]


def test_taking_a_thing_again_counts_once() -> None:
    known = catalogue(item_id=range(4), kind=["bread", "bread", "cake", "cake"])
    users = [("a", 0), ("b", 0), ("c", 1)]
    events = [*[("a", 0)] * 20, ("a", 1), ("a", 2), ("a", 3), ("b", 2), ("c", 9)]
    assert names(users, events, known, 2)[0] == "cake · bread"


def test_an_attribute_that_is_alone_is_followed_by_an_item_not_by_a_word() -> None:
    titles, kinds = ["pot", "red pot", "red tent", "tent"], ["Coffee", "Coffee", "Camping", "Camping"]
    known = catalogue(item_id=range(4), title=titles, kind=kinds)
    assert names_of([[0, 1], [2, 3]], known) == ["Coffee · pot", "Camping · red tent"]


def test_phrases_are_named_where_their_words_go_together() -> None:
    titles = ["Face cream 50 ml", "Face cream, new", "Running shoes", "running vest", "running shorts"]
    found = names_of([[0, 1], [2, 3, 4]], catalogue(item_id=range(5), title=titles))
    assert found == ["Face cream", "running"]


def test_stop_words_numbers_and_amounts_are_no_words() -> None:
    titles = ["The 1995 and 12oz of 500 ml x 3 lamp"] * 2 + ["A 1995 pen"] * 2
    assert names_of([[0, 1], [2, 3]], catalogue(item_id=range(4), title=titles)) == ["lamp", "pen"]


@pytest.mark.parametrize("dull", ["12 OZ", "300 CT(1)", "2.5 oz", "22", "Unknown", "n/a", "1/2 gal", "x" * 41])
def test_attributes_that_say_nothing_are_left_out(dull: str) -> None:
    known = catalogue(item_id=range(4), kind=[[dull, "tea"], [dull, "tea"], ["mugs"], ["mugs"]])
    assert names_of([[0, 1], [2, 3]], known) == ["tea", "mugs"]


def test_numbers_are_named_where_there_is_nothing_else() -> None:
    assert names_of([[0, 1], [2, 3]], catalogue(item_id=range(4), kind=[[12], [12, 7], [123], [123]])) == ["12", "123"]
    titled = catalogue(item_id=range(4), kind=[[12], [12], [123], [123]], title=["a pot", "pot", "tent", "tent"])
    assert names_of([[0, 1], [2, 3]], titled) == ["pot", "tent"]


def test_the_usual_spelling_is_shown() -> None:
    known = catalogue(item_id=range(5), kind=["TEA", "Tea", "Tea", "mug", "mug"])
    assert names_of([[0, 1, 2], [3, 4]], known) == ["Tea", "mug"]


@pytest.mark.parametrize("other", ["Candles", "CANDLE", "scented candle", "candlelight", "  Candle"])
def test_near_repeats_are_not_named_twice(other: str) -> None:
    known = catalogue(item_id=range(4), kind=[["candle", other]] * 2 + [["pot"]] * 2)
    assert len(parts(names_of([[0, 1], [2, 3]], known)[0])) == 1


@pytest.mark.parametrize("other", ["matches", "can", "wax candle holder"])
def test_other_terms_are_named_too(other: str) -> None:
    known = catalogue(item_id=range(4), kind=[["wax lamp", other]] * 2 + [["pot"]] * 2)
    assert sorted(parts(names_of([[0, 1], [2, 3]], known)[0])) == sorted(["wax lamp", other])


def test_what_everybody_takes_is_not_named() -> None:
    known = catalogue(item_id=range(4), kind=[["grocery", "tea"]] * 2 + [["grocery", "pot"]] * 2)
    assert names_of([[0, 1], [2, 3]], known) == ["tea", "pot"]


def test_a_single_intent_is_named_too() -> None:
    assert names_of([[0, 1, 2]], catalogue(item_id=range(3), kind=["tea", "tea", "tea"])) == ["tea"]


def test_a_term_of_one_item_is_not_named() -> None:
    known = catalogue(item_id=range(4), kind=[["tea", "sku-1"], ["tea", "sku-2"], ["pot", "sku-3"], ["pot", "sku-4"]])
    assert names_of([[0, 1], [2, 3]], known) == ["tea", "pot"]


MARKED = [
    ("बड़ी किताब", "छोटी टोपी"),
    ("தமிழ் புத்தகம்", "சிறிய தொப்பி"),
    ("বাংলা বই", "ছোট টুপি"),
    ("crème brûlée", "Ẹ̀bá ọ̀gẹ̀dẹ̀"),
]


@pytest.mark.parametrize("titles", MARKED)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_words_of_names_have_their_marks_in_every_spelling(titles: tuple[str, str], form: Any) -> None:
    both = [unicodedata.normalize("NFC", title) for title in titles]
    other = [unicodedata.normalize(form, title) for title in titles]
    known = catalogue(item_id=[1, 2, 3, 4], title=[both[0], other[0], both[1], other[1]])
    for name, title in zip(names_of([[1, 2], [3, 4]], known), both, strict=True):
        assert parts(name)[0] == title


def test_intents_of_the_same_terms_get_a_further_one() -> None:
    kinds = [["tea", "mug", "hot", "green"]] * 8 + [["tea", "mug", "hot", "black"]] * 8 + [["tent"]] * 20
    found = names_of([range(8), range(8, 16), range(16, 36)], catalogue(item_id=range(36), kind=kinds))
    assert len(set(found)) == 3
    assert "green" in found[0]
    assert "black" in found[1]
    assert found[2] == "tent"


def test_intents_of_the_same_terms_alone_get_an_item() -> None:
    known = catalogue(item_id=range(8), title=[*"PQRS", *"WXYZ"], kind=["tea"] * 4 + ["tent"] * 4)
    found = names_of([[0, 1], [2, 3], [4, 5], [6, 7]], known)
    assert found == ["tea · P", "tea · R", "tent · W", "tent · Y"]


def test_intents_that_are_the_same_get_their_number() -> None:
    known = catalogue(item_id=range(4), kind=["tea", "tea", "tent", "tent"])
    found = names_of([[0, 1], [0, 1], [2, 3]], known)
    assert found == ["tea · intent 0", "tea · intent 1", "tent"]


def test_without_a_catalogue_typical_items_are_named() -> None:
    found = names_of([["i1", "i2", "i3", "i4"], ["i4", "i10"]], None)
    assert found == ["i1 · i2 · i3", "i10 · i4"]


def test_titles_of_typical_items_are_named_where_no_term_is_shared() -> None:
    long = "a title that goes on for much longer than a name may be"
    known = catalogue(item_id=["i1", "i2", "i3"], title=["Moka pot", long, "Tent"])
    assert names_of([["i1", "i2"], ["i3", "i4"]], known) == [
        "Moka pot · a title that goes on for mu…",
        "Tent · i4",
    ]


def test_an_intent_nothing_is_known_of_falls_back_alone() -> None:
    known = catalogue(item_id=["a", "b"], kind=["tea", "tea"])
    assert names_of([["a", "b"], ["x", "y"]], known) == ["tea", "x · y"]
    assert names_of([["p"], ["x", "y"]], known) == ["p", "x · y"]


def test_unused_intents_are_unused_and_those_without_items_numbered() -> None:
    assert names([("a", 1), ("b", 3)], [("a", "i1")], None, 5) == ["unused", "i1", "unused", "intent 3", "unused"]


def test_ids_are_matched_by_their_text() -> None:
    known = catalogue(item_id=["1", "2", "3", "4"], kind=["tea", "tea", "pot", "pot"])
    assert names_of([[1, 2], [3, 4]], known) == ["tea", "pot"]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("titles", [True, False])
def test_names_are_distinct_short_and_repeatable(seed: int, titles: bool) -> None:
    users, events, known = random_shop(seed, n_intents=12, titles=titles)
    for description in (known, None):
        found = names(users, events, description, 12)
        assert len(set(found)) == 12
        assert all(1 <= len(parts(name)) <= 4 for name in found)
        mixed = np.random.default_rng(seed).permutation(len(events))
        assert names(users[::-1], [events[at] for at in mixed], description, 12) == found


@pytest.mark.parametrize("seed", range(6))
def test_renumbering_intents_renumbers_names(seed: int) -> None:
    users, events, known = random_shop(seed)
    number = np.random.default_rng(seed).permutation(6).tolist()
    renumbered = [(user, number[intent]) for user, intent in users]
    found, again = names(users, events, known, 6), names(renumbered, events, known, 6)
    assert [again[number[intent]] for intent in range(6)] == found


def test_texts_in_capitals_are_shown_in_sentence_case() -> None:
    known = catalogue(
        item_id=range(4),
        kind=["SOFT DRINKS", "SOFT DRINKS", *["CANDY BARS (SINGLES)(INCL"] * 2],
    )
    assert names_of([[0, 1], [2, 3]], known) == ["Soft drinks", "Candy bars (singles)"]


def test_acronyms_among_other_texts_stay() -> None:
    known = catalogue(item_id=range(6), kind=["IMAX", "IMAX", "Horror", "Horror", "Western", "Western"])
    assert names_of([[0, 1], [2, 3], [4, 5]], known) == ["IMAX", "Horror", "Western"]


@pytest.mark.parametrize("hard", ["SFT DRNK", "FRZN PIZZA", "CANS 12/18 LARGE", "Sft Drnk"])
def test_labels_that_are_easy_to_read_come_first(hard: str) -> None:
    easy = "COLA DRINKS" if hard.isupper() else "Cola drinks"
    kinds = [[hard, easy], [hard, easy], [hard], ["POTS"], ["POTS"]]
    named = names_of([[0, 1, 2], [3, 4]], catalogue(item_id=range(5), kind=kinds))[0]
    assert parts(named)[0] == "Cola drinks"


@pytest.mark.parametrize("mark", [":", " -", ",", " &", " ("])
def test_phrases_end_at_marks(mark: str) -> None:
    titles = [f"star wars{mark} dark hope", f"star wars{mark} dark side", "night train", "night train"]
    assert "wars dark" not in " · ".join(names_of([[0, 1], [2, 3]], catalogue(item_id=range(4), title=titles)))


def test_parts_of_series_are_not_named() -> None:
    titles = ["Alien Part II", "Jaws Part II", "Alpha", "Omega"]
    found = names_of([[0, 1], [2, 3]], catalogue(item_id=range(4), title=titles))
    assert found[0] == "Alien Part II · Jaws Part II"


def test_remarks_in_brackets_are_not_named() -> None:
    known = catalogue(item_id=range(4), kind=[["(no genres listed)", "tea"]] * 2 + [["pot"]] * 2)
    assert names_of([[0, 1], [2, 3]], known) == ["tea", "pot"]
