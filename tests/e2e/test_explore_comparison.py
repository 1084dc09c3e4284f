"""The explore page with a second run: two lists of the same user or history, next to each other."""

import re
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from browser_views import VIEWS, Opened, faults, opened_as
from cli_runner import SMALL, shop_log
from elcrec import ELCRec
from served import Served, shop_run

GONE, NEW = "tent pegs", "sun sail"
LIST = 12


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The second run learned from another log: it lacks an item, and has one of its own."""
    runs = tmp_path_factory.mktemp("compared")
    shop_run(runs / "shop")
    log = shop_log().with_columns(pl.col("item_id").replace(GONE, NEW))
    ELCRec(seed=2, **{**SMALL, "n_intents": 5, "baselines": False}).fit(log, runs / "later", progress=False)
    with Served(runs / "shop", "--against", runs / "later") as server:
        yield server


def ready(opened: Opened, fragment: str = "") -> Any:
    page = opened.go(f"/{fragment}")
    page.wait_for_selector("body[data-ready]")
    page.wait_for_selector("#list:not(.waiting) .why")
    return page


def compared(page: Any) -> None:
    """Wait until both lists are there."""
    for name in ("list", "list-there"):
        page.wait_for_selector(f"#{name}[aria-busy='false']:not(.waiting) > li", state="attached")


def cards(page: Any, name: str) -> list[tuple[str, str]]:
    """Title and standing of each card, whether it is shown or not."""
    found = page.locator(f"#{name} > li").evaluate_all(
        "cards => cards.map(card => [card.querySelector('h3').textContent, card.querySelector('.standing').innerText])"
    )
    return [(title, standing.split(",")[0].strip()) for title, standing in found]


@pytest.mark.parametrize(("size", "theme"), VIEWS)
def test_two_lists_stand_next_to_each_other(browser: Any, served: Served, size: str, theme: str) -> None:
    opened = opened_as(browser, served.url, size, theme)
    page = ready(opened)
    assert page.inner_text("#compare-switch") == "Compare with later"
    assert not page.is_checked("#compare"), "off at first"
    assert page.locator(".standing").count() == 0
    assert page.is_hidden("#there")
    assert faults(opened) == []
    page.click("#compare-switch")
    compared(page)
    assert faults(opened) == []
    opened.pictured(f"compared-{size}-{theme}")
    here, there = page.locator("#here"), page.locator("#there")
    if size == "desktop":
        assert page.is_hidden("#shown-run")
        for one, other in zip(page.locator("#list > li").all(), page.locator("#list-there > li").all(), strict=True):
            left, right = one.bounding_box(), other.bounding_box()
            assert left["y"] == right["y"], "cards of a rank stand next to each other"
            assert left["x"] + left["width"] < right["x"]
    else:
        assert (here.is_visible(), there.is_visible()) == (True, False)
        page.click("#shown-run label:has-text('later')")
        assert (here.is_visible(), there.is_visible()) == (False, True)
        assert page.locator("#list-there > li:visible").count() == 5
        page.click("#list-more")
        assert page.evaluate("document.activeElement.closest('#list-there > li:nth-child(6)') !== null")
        assert page.locator("#list-there > li:visible").count() == LIST
    assert faults(opened) == []
    page.click("#compare-switch")
    page.wait_for_selector("#list:not(.waiting) > li")
    page.wait_for_function("() => !document.querySelector('#list .standing')")
    assert (here.is_visible(), there.is_visible()) == (True, False)
    assert page.inner_text("#list-note") == ""
    opened.context.close()


def test_a_card_says_where_the_other_list_has_it(browser: Any, served: Served) -> None:
    opened = opened_as(browser, served.url, "desktop", "light")
    user = served.get("/v1/examples")["examples"][1]["user_id"]
    page = ready(opened, f"#user-{user}")
    page.check("#compare")
    compared(page)
    request = {"user_id": user, "k": LIST, "exclude_seen": served.get("/v1/model")["exclude_seen"]}
    one, other = (
        [row["item_id"] for row in served.post("/v1/recommend", {**request, "against": against})["items"]]
        for against in (False, True)
    )
    titles = [f"The {item}" if item != NEW else NEW for item in other]
    assert [title for title, _ in cards(page, "list-there")] == titles
    for mine, theirs, name in ((one, other, "list"), (other, one, "list-there")):
        for item, (_, standing) in zip(mine, cards(page, name), strict=True):
            if item in theirs:
                assert re.fullmatch(rf"{theirs.index(item) + 1}(st|nd|rd|th) there", standing)
            else:
                assert standing == "not there" or (item in (GONE, NEW) and "catalogue" in standing)
    both = len(set(one) & set(other))
    assert 1 < both < LIST
    assert page.inner_text("#list-note") == f"{both} of {LIST} items are in both lists."
    for name, run in (("here", "shop"), ("there", "later")):
        about = page.inner_text(f"#{name} .run-about")
        assert about.startswith(run)
        assert "of 300 users find their next item in the first 10" in about
    assert "not comparable" in page.inner_text("#there-about")
    assert "not comparable" not in page.inner_text("#here-about")
    assert page.locator("#list-there .why").count() > 0
    assert faults(opened) == []
    opened.context.close()


def test_what_only_one_run_knows_is_said(browser: Any, served: Served) -> None:
    opened = opened_as(browser, served.url, "desktop", "dark")
    page = ready(opened)
    page.fill("#item-search", GONE)
    page.wait_for_selector("#item-found button")
    page.press("#item-search", "Enter")
    page.wait_for_selector("#person-items .chip")
    page.check("#compare")
    compared(page)
    about = page.inner_text("#there-about")
    assert f"Not in later’s catalogue, and left out of the history: The {GONE}." in about
    assert "these are the most popular items" in about
    assert "left out" not in page.inner_text("#here-about")
    answer = {"items": [], "fallback": None, "model": "m", "user_id": None}
    row = {"score": 1.0, "rank": 1, "only_here": True}

    def alone(route: Any) -> None:
        item = NEW if route.request.post_data_json.get("against") else GONE
        route.fulfill(json={**answer, "items": [{**row, "item_id": item}]})

    page.route("**/v1/recommend", alone)
    page.click("#seen label >> nth=0")
    page.wait_for_function("() => document.querySelectorAll('#list-there > li').length === 1")
    assert cards(page, "list") == [(GONE, "not in later’s catalogue")]
    assert cards(page, "list-there") == [(NEW, "not in shop’s catalogue")]
    assert page.locator("#list .add").count() == 1
    assert page.locator("#list-there .add").count() == 0, "the served run cannot read a history with it"
    assert page.inner_text("#list-note") == "No item is in both lists."
    assert faults(opened) == []
    opened.context.close()


def test_steering_moves_both_lists(browser: Any, served: Served) -> None:
    opened = opened_as(browser, served.url, "desktop", "light")
    page = ready(opened)
    page.check("#compare")
    compared(page)
    sent: list[dict[str, Any]] = []
    page.on("request", lambda one: sent.append(one.post_data_json) if one.url.endswith("/v1/recommend") else None)
    pairs = {
        one["counterpart"]["intent"]: one["intent"]
        for one in served.get("/v1/intents", against=True)["intents"]
        if "counterpart" in one
    }
    names = [{one["intent"]: one["name"] for one in served.get("/v1/intents", against=a)["intents"]} for a in (0, 1)]
    like, unlike = next(iter(pairs)), next(intent for intent in names[0] if intent not in pairs)
    page.click("#steer-search")
    for intent in (like, unlike):
        page.click(f"#steer-found [data-steer='boost'][data-intent='{intent}']")
    page.keyboard.press("Escape")
    page.wait_for_function("() => document.querySelector('#there-about').textContent.includes('nothing stands for it')")
    compared(page)
    last = {bool(one.get("against")): one for one in sent if "intents" in one}
    assert last[False]["intents"] == [like, unlike]
    assert last[True]["intents"] == [pairs[like]], "numbers of the run that answers"
    about = page.inner_text("#there-about")
    assert f"In this run “{names[1][pairs[like]]}” is most like “{names[0][like]}”, and stands for it." in about
    assert f"This run has no intent like “{names[0][unlike]}”: nothing stands for it." in about
    assert page.locator("#list-there .moved").count() == LIST
    assert page.locator(f"#list-there .why:has-text('“{names[1][pairs[like]]}”, closest to')").count() > 0
    page.click("#seen label:has-text('Only again')")
    page.wait_for_function("() => document.querySelectorAll('#list-there .again').length > 0")
    compared(page)
    assert {bool(one.get("against")) for one in sent if one.get("only_seen")} == {True, False}
    assert faults(opened) == []
    opened.context.close()


def test_the_switch_works_with_the_keyboard(browser: Any, served: Served) -> None:
    opened = opened_as(browser, served.url, "phone", "light")
    page = ready(opened)
    page.focus("#compare")
    assert page.get_attribute("#compare", "role") == "switch"
    page.keyboard.press("Space")
    compared(page)
    assert page.get_attribute("#list-note", "role") == "status"
    page.focus("#shown-run input:checked")
    page.keyboard.press("ArrowRight")
    assert page.is_visible("#list-there")
    assert page.is_hidden("#list")
    heading = page.inner_text("#next-heading")
    assert page.get_by_role("list", name=f"{heading} later", exact=True).count() == 1
    page.click("#person-clear")
    page.wait_for_selector("#nobody:visible")
    assert page.is_hidden("#compare-switch")
    assert page.is_hidden("#shown-run")
    assert page.is_hidden("#list-there")
    opened.context.close()


def test_a_server_of_one_run_has_no_switch(browser: Any, served: Served) -> None:
    opened = opened_as(browser, served.url, "desktop", "light")
    card = {**served.get("/v1/model"), "against": None}
    opened.page.route("**/v1/model", lambda route: route.fulfill(json=card))
    page = ready(opened)
    assert page.is_hidden("#compare-switch")
    assert faults(opened) == []
    opened.context.close()
