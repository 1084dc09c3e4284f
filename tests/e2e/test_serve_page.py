"""The server's page in a real browser: look somebody up, build a history, steer, look at intents."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser_views import SIZES, Browser, Opened, Page
from cli_runner import QUICK, baskets_log
from elcrec import ELCRec
from served import Served, shop_run

DESKTOP = {"width": 1280, "height": 900}
KEY = "a-key-for-the-page"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "shop"
    shop_run(path, epochs=4)
    return path


@pytest.fixture(scope="module")
def model(run: Path) -> ELCRec:
    return ELCRec.load(run, "cpu")


@pytest.fixture(scope="module")
def served(run: Path) -> Iterator[Served]:
    with Served(run) as server:
        yield server


def ready(opened: Opened) -> Page:
    opened.page.wait_for_selector("body[data-ready]")
    return opened.page


@pytest.fixture
def show(browser: Browser, served: Served) -> Iterator[Any]:
    opened: list[Opened] = []

    def go(fragment: str = "", **context: Any) -> Page:
        opened.append(Opened(browser, served.url, **{"viewport": DESKTOP, **context}))
        opened[-1].go(f"/{fragment}")
        return ready(opened[-1])

    yield go
    for one in opened:
        assert one.complaints == []
        assert all(asked.startswith(served.url) for asked in one.requests)
        one.context.close()


def titles(page: Page) -> list[str]:
    return [text.strip() for text in page.locator("#list h3").all_inner_texts()]


def lists(page: Page, expected: list[Any]) -> None:
    """Wait until these items are listed."""
    wanted = [f"The {item}" for item in expected]
    page.wait_for_function(
        "wanted => JSON.stringify([...document.querySelectorAll('#list h3')].map(h => h.textContent)) === wanted",
        arg=json.dumps(wanted, separators=(",", ":"), ensure_ascii=False),
    )


def test_a_user_is_looked_up_and_explained(show: Any, model: ELCRec) -> None:
    page = show()
    user = model.users.ids[17]
    page.fill("#user-search", user)
    page.wait_for_selector(f"#user-found button:has-text('{user}')")
    page.press("#user-search", "Enter")
    expected = model.recommend([user], k=12)["item_id"].to_list()
    lists(page, expected)
    assert page.evaluate("location.hash") == f"#user-{user}"
    assert page.locator("#person-name").inner_text() == f"User {user}"
    history = model.log.frame.filter(user_id=user)["item_id"].to_list()
    page.wait_for_selector("#history .timeline .chip")  # intents are another question than the list
    assert page.locator("#history .timeline .chip").count() == len(history)
    mine = model.user_intents([user], top=5)["intent"].to_list()
    shown = page.locator("#mix .bars a").all_inner_texts()
    assert shown == [model.intent_names[intent] for intent in mine][: len(shown)]
    assert shown
    assert page.locator("#list .stack").count() == 12
    assert page.locator("#list .why").first.inner_text() != ""


def test_a_history_is_built_by_choosing_items(show: Any, model: ELCRec) -> None:
    page = show()
    chosen = ["tent pegs", "cool box"]
    for item in chosen:
        page.fill("#item-search", item)
        page.click(f"#item-found button:has-text('The {item}')")
    lists(page, model.recommend_from_history([chosen], k=12)["item_id"].to_list())
    assert page.locator("#person-items .chip").count() == 2
    first = titles(page)[0].removeprefix("The ")
    page.locator("#list .add").first.click()
    lists(page, model.recommend_from_history([[*chosen, first]], k=12)["item_id"].to_list())
    page.click("#person-items .chip button >> nth=0")
    lists(page, model.recommend_from_history([[chosen[1], first]], k=12)["item_id"].to_list())
    page.click("#person-clear")
    page.wait_for_selector("#nobody:visible")
    assert page.is_hidden("#list")


def test_adding_goes_on_from_the_whole_history(show: Any, served: Served, model: ELCRec) -> None:
    history = [model.items.ids[number % 12] for number in range(70)]
    events = [
        {"user_id": "heavy", "item_id": item, "event_id": f"heavy-{at}", "timestamp": at}
        for at, item in enumerate(history)
    ]
    served.post("/v1/events", {"events": events})
    page = show("#user-heavy")
    page.wait_for_selector("#history h3:has-text('the newest 50 of 70 events')")
    lists(page, model.recommend_from_history([history], k=12)["item_id"].to_list())
    first = titles(page)[0].removeprefix("The ")
    page.locator("#list .add").first.click()
    lists(page, model.recommend_from_history([[*history, first]], k=12)["item_id"].to_list())
    assert page.locator("#person-items .chip").count() == 71


def test_steering_moves_the_list_at_once(show: Any, model: ELCRec) -> None:
    user = model.users.ids[3]
    page = show(f"#user-{user}")
    lists(page, model.recommend([user], k=12)["item_id"].to_list())
    own = model.user_intents([user])["intent"][0]
    other = next(number for number in model.intents()["intent"] if number != own)
    page.fill("#steer-search", f"#{other}")
    page.click(f"#steer-found button[data-steer='boost'][data-intent='{other}']")
    lists(page, model.recommend([user], k=12, intents=[other])["item_id"].to_list())
    assert "moved" in page.inner_text("#list-note")
    assert page.locator("#list .moved.up").count() > 0
    page.locator("#list .exact summary").first.click()
    assert "Without" not in page.inner_text("#list"), "a steered card compares with one list only"
    page.evaluate("s => { s.value = 0.3; s.dispatchEvent(new Event('input')); }", page.query_selector("#strength"))
    lists(page, model.recommend([user], k=12, intents=[other], strength=0.3)["item_id"].to_list())
    page.click("#steered button")
    lists(page, model.recommend([user], k=12)["item_id"].to_list())
    page.click(f"#mix button[data-steer='less'][data-intent='{own}']")
    lists(page, model.recommend([user], k=12, exclude_intents=[own])["item_id"].to_list())
    assert page.get_attribute(f"#mix [data-steer='less'][data-intent='{own}']", "aria-pressed") == "true"
    page.click(f"#mix button[data-steer='boost'][data-intent='{own}']")
    lists(page, model.recommend([user], k=12, intents=[own], strength=0.3)["item_id"].to_list())


def test_new_again_or_both_of_a_log_with_repeats(browser: Browser, tmp_path: Path) -> None:
    model = ELCRec(seed=1, **QUICK).fit(baskets_log(), tmp_path / "run", progress=False)
    with Served(tmp_path / "run") as served:
        opened = Opened(browser, served.url, DESKTOP)
        opened.go("/#user-u3")
        page = ready(opened)

        def listed(**how: Any) -> None:
            expected = model.recommend(["u3"], k=12, **how)["item_id"].to_list()
            shown = "() => [...document.querySelectorAll('#list:not(.waiting) h3')].map(h => h.textContent).join()"
            page.wait_for_function(f"wanted => ({shown})() === wanted", arg=",".join(expected))

        listed()
        assert page.is_checked("#seen input[value=both]")
        again = page.locator("#list .parts li:has-text('taken before')")
        assert again.count() >= page.locator("#list .why:has-text('Taken before')").count()
        assert again.count() > 0
        page.check("#seen input[value=new]", force=True)
        listed(exclude_seen=True)
        assert again.count() == 0
        page.check("#seen input[value=again]", force=True)
        listed(only_seen=True)
        assert opened.complaints == []
        assert all(asked.startswith(served.url) for asked in opened.requests)
        opened.context.close()


def test_intents_are_searched_opened_and_named(show: Any, model: ELCRec, run: Path) -> None:
    page = show()
    rows = page.locator("#intent-list li:visible")
    assert rows.count() == 8
    table = model.intents(5)
    number, item = table["intent"][1], table["items"][1][0]
    page.fill("#intent-search", f"#{number}")
    assert rows.count() == 1
    rows.first.locator("a").click()
    page.wait_for_selector(f"#intent-page[data-intent='{number}']")
    assert f"The {item}" in page.inner_text("#intent-items")
    assert page.locator("#intent-page svg.spark").count() == 1
    page.fill("#rename input", "Things <b>for</b> “rain”")
    page.click("#rename button")
    page.wait_for_function("() => document.querySelector('#intent-name')?.textContent === 'Things <b>for</b> “rain”'")
    assert "Things <b>for</b>" in page.locator("#intent-list li:visible").first.inner_text()
    assert ELCRec.load(run).intent_names[number] == "Things <b>for</b> “rain”"
    page.fill("#rename input", "")
    page.click("#rename button")
    page.wait_for_function("name => document.querySelector('#intent-name')?.textContent === name", arg=table["name"][1])


def test_the_map_shows_users_and_opens_intents(show: Any, model: ELCRec) -> None:
    page = show("#intents")
    page.locator("#intents").scroll_into_view_if_needed()
    page.wait_for_selector("#map-wait", state="hidden", timeout=60_000)
    number = model.intents()["intent"][0]
    page.click(f"#intent-list li[data-intent='{number}'] a")
    page.wait_for_selector(f"#intent-page[data-intent='{number}']")
    colours = """() => { const map = document.querySelector('#map'), found = new Set();
        const data = map.getContext('2d').getImageData(0, 0, map.width, map.height).data;
        for (let at = 0; at < data.length; at += 4) if (data[at + 3] === 255) found.add(data.slice(at, at + 3).join());
        return found.size; }"""
    page.wait_for_function("() => " + f"({colours})() > 3")
    page.click("#intent-page a:has-text('Close')")
    page.wait_for_selector("#intent-page", state="hidden")


def test_the_keyboard_is_enough(show: Any, model: ELCRec) -> None:
    page = show()
    page.focus("#item-search")
    page.keyboard.insert_text("tent peg")
    page.wait_for_selector("#item-found button:has-text('The tent pegs')")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.closest('#item-found') !== null")
    page.keyboard.press("Enter")
    lists(page, model.recommend_from_history([["tent pegs"]], k=12)["item_id"].to_list())
    page.wait_for_selector("#mix [data-steer='less']")
    page.focus("#mix [data-steer='less']")
    page.keyboard.press("Space")
    page.wait_for_selector("#steered button")


@pytest.mark.parametrize(("context", "scheme"), [({}, "light"), ({}, "dark"), ({"viewport": SIZES["phone"]}, "dark")])
def test_nothing_sticks_out_and_everything_has_a_name(show: Any, model: ELCRec, context: Any, scheme: str) -> None:
    page = show(f"#user-{model.users.ids[5]}", color_scheme=scheme, **context)
    page.wait_for_selector("#list .recommendation")
    page.wait_for_selector("#history .chip")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(245, 245, 242)" if scheme == "light" else "rgb(15, 17, 21)")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a")].filter((node) => node.offsetParent !== null
            && !(node.ariaLabel || node.labels?.length || node.textContent.trim())).map((node) => node.outerHTML)"""
    )
    assert nameless == []


def test_somebody_unknown_and_a_dead_server_are_said(browser: Browser, served: Served) -> None:
    opened = Opened(browser, served.url, DESKTOP)
    opened.go("/#user-nobody%20<b>")
    page = ready(opened)
    page.wait_for_selector("#problem:visible")
    assert "nothing is known of user 'nobody <b>'" in page.inner_text("#problem")
    page.wait_for_function("() => document.querySelector('#list-note').textContent.includes('most popular')")
    page.route("**/v1/**", lambda route: route.abort())
    page.fill("#item-search", "tent")
    page.wait_for_function("() => document.querySelector('#problem').textContent.includes('cannot be reached')")
    opened.context.close()


def test_a_guarded_server_asks_for_its_key(browser: Browser, run: Path, tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_text(KEY)
    with Served(run, "--api-key-file", tmp_path / "keys.txt", "--read-only") as server:
        opened = Opened(browser, server.url, DESKTOP)
        opened.go("/")
        opened.page.wait_for_selector("#key-form:visible")
        opened.page.fill("#key", KEY)
        opened.page.press("#key", "Enter")
        page = ready(opened)
        assert page.is_hidden("#key-form")
        page.locator("#intent-list a").first.click()
        page.wait_for_selector("#intent-name")
        assert page.locator("#rename").count() == 0, "a read-only server takes no names"
        opened.context.close()
