"""The server's pages as they are first seen: in both sizes and themes, with pictures, and the API's documentation."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from browser_views import VIEWS, Opened, faults, opened_as, settle
from cli_runner import SMALL, shop_log
from elcrec import ELCRec
from served import Served, shop_run

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ELSEWHERE = "https://pictures.example/"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    run = tmp_path_factory.mktemp("views") / "shop"
    shop_run(run)
    with Served(run) as server:
        yield server


def in_first_screen(page: Any, selector: str) -> bool:
    box = page.locator(selector).first.bounding_box()
    return bool(box and 0 <= box["y"] < page.viewport_size["height"] - 40)


def ready(opened: Opened, fragment: str = "") -> Any:
    """The page, once the list and the intents of the user are there."""
    page = opened.go(f"/{fragment}")
    page.wait_for_selector("body[data-ready]")
    page.wait_for_selector("#list .why")
    page.wait_for_selector("#mix .bars a")
    return page


@pytest.mark.parametrize(("size", "theme"), VIEWS)
def test_it_opens_with_an_example_and_their_list(browser: Any, served: Served, size: str, theme: str) -> None:
    opened = opened_as(browser, served.url, size, theme)
    page = ready(opened)
    [first, *_] = served.get("/v1/examples")["examples"]
    assert page.inner_text("#person-name") == f"Example: user {first['user_id']}"
    assert page.inner_text("#next-heading") == f"Recommended for user {first['user_id']}"
    assert page.get_attribute("#example-list a >> nth=0", "aria-current") is not None
    assert in_first_screen(page, "#list h3")
    if size == "desktop":
        assert in_first_screen(page, "#history .chip")
        assert in_first_screen(page, "#mix .bars a")
        assert page.locator("#list > li:visible").count() == 12
    else:
        assert page.locator("#list").bounding_box()["y"] < page.locator("#person").bounding_box()["y"]
        assert page.locator("#list > li:visible").count() == 5
        page.click("#list-more")
        assert page.locator("#list > li:visible").count() == 12
        assert page.evaluate("document.activeElement.closest('#list > li:nth-child(6)') !== null")
    assert faults(opened) == []
    assert all(asked.startswith((served.url, "data:")) for asked in opened.requests)
    opened.pictured(f"explore-{size}-{theme}")
    opened.context.close()


@pytest.mark.parametrize(("size", "theme"), VIEWS)
def test_all_states_are_seen_without_a_fault(browser: Any, served: Served, size: str, theme: str) -> None:
    opened = opened_as(browser, served.url, size, theme)
    page = ready(opened)
    if size == "phone":
        page.click("#steering > summary")

    def sound(state: str, expected: str | None = None) -> None:
        opened.pictured(f"explore-{state}-{size}-{theme}")
        assert [fault for fault in faults(opened) if expected is None or expected not in fault] == [], state

    page.click("#steer-search")
    page.wait_for_selector("#steer-found:visible")
    sound("search")
    page.click("#steer-found [data-steer='boost'] >> nth=1")
    page.click("#steer-found [data-steer='less'] >> nth=2")
    page.keyboard.press("Escape")
    page.wait_for_selector("#list:not(.waiting) .moved")
    page.click("#list .exact summary >> nth=0")
    sound("steered")
    page.click("#person-clear")
    page.wait_for_selector("#nobody:visible")
    sound("nobody")
    page.fill("#item-search", "tent")
    page.wait_for_selector("#item-found button")
    sound("items")
    page.press("#item-search", "Enter")
    page.wait_for_selector("#person-items .chip")
    page.wait_for_selector("#list:not(.waiting) .why")
    sound("history")
    page.evaluate("location.hash = '#intent-1'")
    page.wait_for_selector("#intent-page[data-intent='1']")
    page.wait_for_selector("#map-wait", state="hidden")
    sound("intent")
    page.evaluate("location.hash = '#user-unknown'")
    page.wait_for_selector("#problem:visible")
    sound("unknown", expected="404 (Not Found)")  # the browser notes each
    opened.context.close()


def test_bones_stand_where_answers_will(browser: Any, served: Served) -> None:
    opened = opened_as(browser, served.url, "phone", "dark")
    waiting: list[Any] = []
    opened.page.route("**/v1/intents?*", lambda route: waiting.append(route))
    page = opened.go("/")
    page.wait_for_selector("#list .bone")
    page.wait_for_selector("#mix .bone", state="attached")
    assert page.get_attribute("#list", "aria-busy") == "true"
    page.wait_for_function("() => document.querySelector('#list-note').textContent.includes('describing the intents')")
    assert faults(opened) == []
    for route in waiting:
        route.continue_()
    page.wait_for_selector("#list .why")
    assert page.locator(".bone:visible").count() == 0
    assert page.get_attribute("#list", "aria-busy") == "false"
    assert page.inner_text("#list-note") == ""
    opened.context.close()


@pytest.mark.parametrize(("size", "theme"), VIEWS)
def test_the_api_is_documented_without_the_internet(browser: Any, served: Served, size: str, theme: str) -> None:
    opened = opened_as(browser, served.url, size, theme)
    page = opened.go("/docs")
    page.wait_for_selector("body[data-ready]")
    document = served.get("/openapi/openapi.json")
    endpoints = sum(len(methods) for methods in document["paths"].values())
    assert page.locator("#endpoints details").count() == endpoints
    assert page.locator("#types .type").count() == len(document["components"]["schemas"])
    page.click("#endpoints details:has-text('/v1/recommend/batch') summary")
    targets = page.eval_on_selector_all("main a[href^='#']", "links => links.map(link => link.getAttribute('href'))")
    assert targets
    assert all(page.locator(f"[id='{target[1:]}']").count() == 1 for target in set(targets))
    assert faults(opened) == []
    assert all(asked.startswith((served.url, "data:")) for asked in opened.requests)
    opened.pictured(f"docs-{size}-{theme}")
    opened.context.close()


def test_all_intents_are_found_and_steered_with_the_keyboard(browser: Any, served: Served) -> None:
    opened = opened_as(browser, served.url, "desktop", "light")
    page = opened.go("/")
    page.wait_for_selector("#list .why")
    page.focus("#steer-search")
    page.wait_for_selector("#steer-found:visible")
    n_intents = served.get("/v1/model")["n_intents"]
    assert page.locator("#steer-found li").count() == n_intents
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#steered button:has-text('Boost')")
    page.keyboard.press("Escape")
    assert page.is_hidden("#steer-found")
    assert page.get_attribute("#strength", "aria-valuetext") == "strong"
    assert faults(opened) == []
    opened.context.close()


def test_the_map_fills_its_card(browser: Any, served: Served) -> None:
    for size in ("desktop", "phone"):
        opened = opened_as(browser, served.url, size, "light")
        page = opened.go("/#intents")
        page.wait_for_selector("body[data-ready]")
        page.locator("#intents").scroll_into_view_if_needed()
        page.wait_for_selector("#map-wait", state="hidden")
        settle(page)
        card, drawn = (page.locator(one).bounding_box() for one in ("#map-card", "#map"))
        assert abs(drawn["width"] - drawn["height"]) <= 2, "the map is square, as its places are"
        assert abs(card["height"] - drawn["height"]) <= 4
        assert faults(opened) == []
        opened.context.close()


def lines(page: Any, **reason: Any) -> list[str]:
    """The sentences of a card whose answer is replaced."""
    parts = {"parts": [{"intent": 0, "part": 0.9}], "residual": 0.1, "steering": 0.0, "repeat": 0.0}
    why = {"intent": 0, "intent_name": "Night", "intent_share": 0.9, "because": ["a"], "because_titles": ["Casablanca"]}
    like = {"like": "b", "like_title": "Gilda", "shared": ["film noir"], "rank_without": 9}
    row = {"item_id": "x", "title": "X", "score": 1.0, "rank": 1, "reason": {**why, **parts, **like, **reason}}
    answer = {"user_id": None, "items": [row], "fallback": None, "model": "m"}
    page.route("**/v1/recommend", lambda route: route.fulfill(json=answer))
    page.reload()
    page.wait_for_selector("#list .why")
    return [str(text) for text in page.locator("#list .why").all_inner_texts()]


def test_a_reason_is_plain_and_its_exact_parts_are_one_click_away(browser: Any, served: Served) -> None:
    opened = opened_as(browser, served.url, "desktop", "light")
    page = opened.go("/")
    name = served.get("/v1/intents/0")["name"]
    fits = f"Fits “{name}”."
    assert lines(page) == ["film noir: like Gilda, which they had.", fits]
    assert page.locator("#list .parts").is_hidden()
    page.click("#list .exact summary")
    exact = page.inner_text("#list .exact")
    assert f"“{name}” rests most on Casablanca." in exact
    assert f"Without “{name}” it would be at rank 9 instead of 1." in exact
    assert "everything else\n0.10" in exact
    assert lines(page, shared=[]) == ["Like Gilda, which they had.", fits]
    assert lines(page, like=None, like_title=None, shared=[]) == [fits]
    over = lines(page, intent_share=1.07, parts=[{"intent": 0, "part": 1.07}], residual=-0.07)
    assert not any("%" in line for line in over)
    nothing = {"intent_share": 0.0, "parts": [{"intent": 0, "part": 0.001}], "residual": 1.0}
    assert lines(page, **nothing)[1] == "Not explained by the intents."
    assert lines(page, intent=None, intent_share=None, parts=[], residual=1.0)[1] == "Not explained by the intents."
    assert lines(page, repeat=0.95, residual=0.0)[0] == "Taken before, and often taken again."
    opened.context.close()


def test_a_steered_card_says_where_it_was_and_what_moved_it(browser: Any, served: Served) -> None:
    opened = opened_as(browser, served.url, "desktop", "light")
    page = ready(opened)
    before = [text.strip() for text in page.locator("#list h3").all_inner_texts()]
    page.click("#steer-search")
    boosted = page.locator("#steer-found [data-steer='boost']").nth(4)
    intent = int(boosted.get_attribute("data-intent"))
    boosted.click()
    page.keyboard.press("Escape")
    page.wait_for_selector("#list:not(.waiting) .moved")
    name = served.get(f"/v1/intents/{intent}")["name"]
    assert page.locator(f"#list .why:has-text('Fits “{name}”, which you boosted.')").count() > 0
    for rank, card in enumerate(page.locator("#list > li").all(), start=1):
        title, [moved] = card.locator("h3").inner_text().strip(), card.locator(".moved").all_inner_texts()
        if title in before:
            was = before.index(title) + 1
            assert moved == "same place as before" if was == rank else moved.endswith(f"from rank {was}")
        else:
            assert moved.startswith("↑ ")
            assert int(moved.split()[-1]) > len(before)
    page.click("#list .exact summary >> nth=0")
    assert "Without" not in page.inner_text("#list"), "a steered card compares with one list only"
    opened.context.close()


def test_pictures_of_the_catalogue_are_shown(browser: Any, tmp_path: Path) -> None:
    log = shop_log()
    items = log["item_id"].unique(maintain_order=True).sort().to_frame()
    address = [f"{ELSEWHERE}{place}.png" for place in range(len(items))]
    catalogue = items.with_columns(title=pl.col("item_id").cast(pl.String), image_url=pl.Series(address))
    ELCRec(seed=1, **{**SMALL, "item_features": False}).fit(log, tmp_path / "run", progress=False, items=catalogue)
    with Served(tmp_path / "run") as server:
        opened = opened_as(browser, server.url, "desktop", "light")
        opened.page.route(f"{ELSEWHERE}**", lambda route: route.fulfill(body=PIXEL, content_type="image/png"))
        page = ready(opened)
        picture = page.locator("#list img.picture").first
        assert picture.get_attribute("alt").startswith("Picture of ")
        page.wait_for_function("() => document.querySelector('#list img.picture')?.naturalWidth === 1")
        assert faults(opened) == []
        assert all(asked.startswith((server.url, "data:", ELSEWHERE)) for asked in opened.requests)
        opened.page.unroute(f"{ELSEWHERE}**")
        opened.page.route(f"{ELSEWHERE}**", lambda route: route.abort())
        page.click("#example-list a >> nth=1")
        page.wait_for_selector("#list:not(.waiting) .why")
        page.wait_for_selector("#list img.picture", state="detached")
        opened.context.close()
