"""The server's pages as they are first seen: in both sizes and themes, with pictures, and the API's documentation."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from browser_views import VIEWS, Opened, faults, launched, opened_as, settle
from cli_runner import SMALL, shop_log
from elcrec import ELCRec
from served import Served, shop_run

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ELSEWHERE = "https://pictures.example/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as started:
        yield started


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    run = tmp_path_factory.mktemp("views") / "shop"
    shop_run(run)
    with Served(run) as server:
        yield server


def pictured(opened: Opened, name: str) -> None:
    """Leave a picture of the whole page, if asked for."""
    if folder := os.environ.get("ELCREC_SCREENSHOTS"):
        opened.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def in_first_screen(page: Any, selector: str) -> bool:
    box = page.locator(selector).first.bounding_box()
    return bool(box and 0 <= box["y"] < page.viewport_size["height"] - 40)


@pytest.mark.parametrize(("size", "theme"), VIEWS)
def test_it_opens_with_an_example_and_their_list(browser: Any, served: Served, size: str, theme: str) -> None:
    opened = opened_as(browser, served.url, size, theme)
    page = opened.go("/")
    page.wait_for_selector("#list .why")
    page.wait_for_selector("#mix .bars")
    [first, *_] = served.get("/v1/examples")["examples"]
    assert page.inner_text("#person-name") == f"Example: user {first['user_id']}"
    assert in_first_screen(page, "#list h3")
    if size == "desktop":
        assert in_first_screen(page, "#history .chip")
        assert in_first_screen(page, "#mix .bars a")
    else:
        assert page.locator("#list").bounding_box()["y"] < page.locator("#person").bounding_box()["y"]
    assert faults(opened) == []
    assert all(asked.startswith((served.url, "data:")) for asked in opened.requests)
    pictured(opened, f"explore-{size}-{theme}")
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
    pictured(opened, f"docs-{size}-{theme}")
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


def sentence(page: Any, **reason: Any) -> str:
    """The sentence of a card whose answer is replaced."""
    told = {"intent": 0, "intent_name": "Night", "because": ["a"], "because_titles": ["Casablanca"]}
    told |= {"rank_without": 9}
    told |= {"intent_share": 0.9}
    told |= {"parts": [{"intent": 0, "part": 0.9}], "residual": 0.1, "steering": 0.0, "repeat": 0.0}
    row = {"item_id": "x", "title": "X", "score": 1.0, "rank": 1, "reason": {**told, **reason}}
    answer = {"user_id": None, "items": [row], "fallback": None, "model": "m"}
    page.route("**/v1/recommend", lambda route: route.fulfill(json=answer))
    page.reload()
    page.wait_for_selector("#list .why")
    return str(page.inner_text("#list .why"))


def test_a_reason_is_a_sentence_and_never_a_wrong_share(browser: Any, served: Served) -> None:
    opened = opened_as(browser, served.url, "desktop", "light")
    page = opened.go("/")
    name = served.get("/v1/intents/0")["name"]
    assert sentence(page) == f"Because of Casablanca: fits “{name}”."
    assert sentence(page, because=[], because_titles=[]) == f"Fits “{name}”."
    over = sentence(page, intent_share=1.07, parts=[{"intent": 0, "part": 1.07}], residual=-0.07)
    assert "%" not in over
    nothing = {"intent_share": 0.0, "parts": [{"intent": 0, "part": 0.001}], "residual": 1.0}
    assert sentence(page, **nothing) == "Not explained by the intents."
    assert sentence(page, intent=None, intent_share=None, parts=[], residual=1.0) == "Not explained by the intents."
    assert sentence(page, repeat=0.95, residual=0.0).startswith("Taken before")
    opened.context.close()


def test_pictures_of_the_catalogue_are_shown_and_only_those_of_the_web(browser: Any, tmp_path: Path) -> None:
    log = shop_log()
    items = log["item_id"].unique(maintain_order=True).sort().to_frame()
    address = [f"{ELSEWHERE}{place}.png" if place % 2 else "javascript:alert(1)" for place in range(len(items))]
    settings = {**SMALL, "item_features": False}
    catalogue = items.with_columns(title=pl.col("item_id").cast(pl.String), image_url=pl.Series(address))
    model = ELCRec(seed=1, **settings).fit(log, tmp_path / "run", progress=False, items=catalogue)
    assert not any(ELSEWHERE in name for name in model.intent_names)
    with Served(tmp_path / "run") as server:
        answer = server.post("/v1/recommend", {"user_id": model.users.ids[0], "k": 20})
        shown = [row.get("image_url") for row in answer["items"]]
        assert any(shown)
        assert all(one is None or one.startswith(ELSEWHERE) for one in shown)
        opened = opened_as(browser, server.url, "desktop", "light")
        opened.page.route(f"{ELSEWHERE}**", lambda route: route.fulfill(body=PIXEL, content_type="image/png"))
        page = opened.go("/")
        page.wait_for_selector("#list .why")
        picture = page.locator("#list img.picture").first
        assert picture.get_attribute("alt", timeout=5000).startswith("Picture of ")
        page.wait_for_function("() => document.querySelector('#list img.picture')?.naturalWidth === 1")
        assert faults(opened) == []
        opened.context.close()
