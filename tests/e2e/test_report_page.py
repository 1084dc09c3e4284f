"""The report page in a real browser: what people see, click and read, at desktop and phone width."""

import base64
import json
import math
import random
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from browser_views import AXE, NO_AXE, SIZES, VIEWS, Browser, Opened, Page, faults, opened_as, settle
from cli_runner import SMALL, shop_log
from elcrec import ELCRec
from elcrec.report.document import report_document
from elcrec.report.page import render_report

DESKTOP = {"width": 1280, "height": 900}
PHONE = SIZES["phone"]
THINGS = ["Nail Polish", "Hair Care", "Fragrance", "Sun Care", "Make-up", "Beard", "Bath", "Tools", "Skin", "Lashes"]
MAKERS = ["Opal", "Nordlys", "Kestrel", "Maison Brume", "Juniper & Co", "Fjord", "Tamarind"]
KINDS = [
    "Top Coat",
    "Glitter Lacquer 15 ml",
    "Repair Shampoo for Coloured Hair",
    "Eau de Toilette",
    "SPF 50 Lotion",
    "Brush Set",
]
AWKWARD = {
    3: "<b>bold</b> & \"quoted\" 'single'",
    4: "<img src=x onerror=\"document.title='hacked'\">",
    5: "メイク · アイライナー",
    6: "عطور فاخرة · مسك",
    7: "💅 glitter ✨ party",
    8: "a name that goes on and on about products for dry and damaged hair without ever coming to an end " * 2,
    9: "</script><script>document.title='hacked'</script><!-- {{document}}",
}


def uint16(values: list[float]) -> str:
    return base64.b64encode(array("H", [round(65535 * value) for value in values]).tobytes()).decode()


def clamp(value: float) -> float:
    return min(1.0, max(0.0, value))


def item(rng: random.Random, number: int) -> dict[str, Any]:
    title = f"{rng.choice(MAKERS)} {rng.choice(KINDS)}, {rng.choice(THINGS)}" if rng.random() < 0.85 else None
    return {"item": f"i{number}", "title": title}


def intent(rng: random.Random, number: int, n: int, users: int, n_users: int, x: float, y: float) -> dict[str, Any]:
    things = rng.sample(THINGS, 3)
    top = sorted((rng.uniform(3, 60) for _ in range(8)), reverse=True)
    return {
        "intent": number,
        "name": AWKWARD.get(number, f"{things[0].lower()} · {things[1].lower()}"),
        "users": users,
        "share": users / n_users,
        "x": x,
        "y": y,
        "items": [
            {**item(rng, 100 * number + k), "users": rng.randint(3, 60), "lift": lift} for k, lift in enumerate(top)
        ],
        "attributes": [
            {"attribute": name, "share": 0.6 / (k + 1), "lift": 20 / (k + 1)} for k, name in enumerate(things)
        ],
        "nearest": [{"intent": (number + k) % n, "cosine": 0.85 - 0.05 * k} for k in range(1, 5)],
        "trend": [clamp(0.01 + 0.008 * math.sin(t / 3 + number) + rng.uniform(0, 0.003)) for t in range(24)],
        "cosine": rng.uniform(0.5, 0.9) if users else None,
        "margin": rng.uniform(0.0, 0.15) if users else None,
        "flags": (["dead"] if not users else []) + (["duplicate"] if number in (10, 11) else []),
        "examples": [f"u{rng.randrange(40)}" for _ in range(2)] + [f"user {number} <i>"],
    }


def journey(rng: random.Random, user: str, n: int) -> dict[str, Any]:
    mine = rng.sample(range(n - 1), min(4, n - 1))
    now, events = mine[0], []
    for step in range(rng.randint(6, 40)):
        now = rng.choice(mine) if rng.random() < 0.3 else now
        events.append(
            {
                **item(rng, step),
                "time": f"2017-{1 + step // 4:02}-{1 + 7 * (step % 4):02}",
                "intent": now,
                "weight": 0.6,
            }
        )
    recommendations = [
        {
            **item(rng, 900 + rank),
            "rank": rank,
            "rank_without": rank + rng.choice([0, 4, 36]),
            "score": 8.0 - 0.2 * rank,
            "intent": mine[0],
            "intent_share": 0.41,
            "because": [events[0]["item"], events[-1]["item"]],
            "because_titles": [events[0]["title"], events[-1]["title"]],
            "like": {name: events[rank % len(events)][name] for name in ("item", "title")},
            "shared": THINGS[rank : rank + 2],
            "parts": [{"intent": mine[0], "part": 3.2 - 0.1 * rank}, {"intent": mine[1], "part": 0.9}],
            "residual": 3.9 - 0.1 * rank,
        }
        for rank in range(1, 7)
    ]
    weights = [0.61, 0.2, 0.12, 0.07][: len(mine)]
    mix = [{"intent": number, "weight": weight} for number, weight in zip(mine, weights, strict=True)]
    counts = {number: sum(event["intent"] == number for event in events) / len(events) for number in mine}
    shares = [{"intent": number, "share": share} for number, share in sorted(counts.items(), key=lambda one: -one[1])]
    return {"user": user, "intents": mix, "shares": shares, "events": events, "recommendations": recommendations}


def make_document(n: int = 64, users: int = 5_000, seed: int = 7) -> dict[str, Any]:
    """A report like a real one: clusters of users on a map, the last intent dead, some names nobody should trust."""
    rng = random.Random(seed)
    spots = [(clamp(rng.gauss(0.5, 0.2)), clamp(rng.gauss(0.5, 0.2))) for _ in range(n)]
    weights = [rng.paretovariate(1.6) for _ in range(n - 1)]
    owner = rng.choices(range(n - 1), weights, k=users)
    sizes = [owner.count(number) for number in range(n)]
    dots = [[clamp(rng.gauss(centre, 0.025)) for centre in spots[number]] for number in owner]
    curves = [
        {
            "epoch": epoch,
            "losses": {
                "total": 5 + 4.3 * 0.9**epoch,
                "next_item": 4.9 + 4.2 * 0.9**epoch,
                "cluster": 0.1 * 0.97**epoch,
            },
            "valid": 0.08 * (1 - 0.87**epoch) - 0.0004 * max(0, epoch - 24),
            "used": n - 1,
            "effective": n * (0.85 - 0.4 * 0.8**epoch),
            "largest_share": 0.02,
        }
        for epoch in range(1, 33)
    ]
    metrics = {"ndcg@5": 0.0512, "hit_rate@5": 0.0721, "ndcg@10": 0.0612, "hit_rate@10": 0.112, "ndcg@20": 0.0745}
    simple = {"item-knn": 0.8, "markov": 0.7, "popularity": 0.3}
    baselines = [{"name": name, **{one: of * value for one, value in metrics.items()}} for name, of in simple.items()]
    return {
        "title": "beauty",
        "made": "2026-11-23",
        "elcrec": "0.1.0",
        "model": {
            "recipe": "default",
            "seed": 1,
            "n_users": 22_363,
            "n_items": 12_101,
            "n_events": 198_502,
            "best_epoch": 24,
            "epochs": 32,
            "imported_from": None,
            "first": "2017-01-01",
            "last": "2018-12-30",
            "metrics": {"valid": {name: 1.08 * value for name, value in metrics.items()}, "test": metrics},
            "of_baskets": False,
            "baselines": {"test": baselines},
        },
        "health": {
            "n_intents": n,
            "used": n - 1,
            "effective": 0.82 * n,
            "largest_share": max(sizes) / users,
            "dead": 1,
            "duplicates": 2,
            "cosine": 0.74,
            "margin": 0.052,
            "warning": None,
        },
        "curves": curves,
        "trend_labels": [f"{2017 + t // 12}-{1 + t % 12:02}" for t in range(24)],
        "intents": [intent(rng, number, n, sizes[number], users, *spots[number]) for number in range(n)],
        "map": {
            "n": users,
            "x": uint16([x for x, _ in dots]),
            "y": uint16([y for _, y in dots]),
            "intent": uint16([number / 65535 for number in owner]),
        },
        "journeys": [journey(rng, f"u{number}", n) for number in range(12)] + [journey(rng, "Zoë <b>& '9' 💄", n)],
    }


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    opened = []

    def show_document(document: dict[str, Any], viewport: dict[str, int] = DESKTOP, **options: Any) -> Opened:
        opened.append(Opened(browser, written(document, tmp_path), viewport, **options))
        return opened[-1]

    yield show_document
    for one in opened:
        one.context.close()


def written(document: dict[str, Any], folder: Path) -> str:
    """The address of its page."""
    path = folder / "report.html"
    path.write_text(render_report(document), encoding="utf-8")
    return path.as_uri()


def colours_on_map(page: Page) -> int:
    """Different colours among the canvas's opaque pixels."""
    return page.evaluate(
        """() => {
          const canvas = document.querySelector("#map");
          const image = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const pixels = new Uint32Array(image.data.buffer);
          return new Set(pixels.filter((pixel) => pixel >>> 24 === 255)).size;
        }"""
    )


def picture(page: Page) -> str:
    settle(page)
    return page.evaluate("document.querySelector('#map').toDataURL()")


def until_map(page: Page, how: str, other: str) -> None:
    """Wait until the map is (``===``) or is no longer (``!==``) a picture."""
    page.wait_for_function(f"other => document.querySelector('#map').toDataURL() {how} other", arg=other)


def screen_place(page: Page, document: dict[str, Any], number: int) -> tuple[float, float]:
    """Where the centre of an intent lies on the canvas of an untouched map."""
    box = page.locator("#map").bounding_box()
    assert box is not None
    spot = document["intents"][number]
    return 28 + spot["x"] * (box["width"] - 56), 28 + spot["y"] * (box["height"] - 56)


def largest(document: dict[str, Any]) -> dict[str, Any]:
    return max(document["intents"], key=lambda one: one["users"])


def test_the_page_is_complete_in_itself_and_quiet(show: Any) -> None:
    opened = show(make_document())
    page = opened.go()
    settle(page)
    assert opened.requests == [opened.address]
    assert opened.complaints == []
    assert page.title() == "beauty · intents"
    assert page.locator("#figures .value").all_inner_texts() == ["11.2%", "63", "52", "13.7%"]
    assert "with 12,101 items, from 1 January 2017 to 30 December 2018." in page.inner_text("header")
    assert "Shown are 5,000 of the 22,363 users." in page.inner_text("#explore")
    assert "0.1.0" in page.inner_text("footer")


def test_the_document_survives_the_page_whatever_its_strings_hold() -> None:
    document = make_document()
    html = render_report(document)
    start = html.index('id="report-data">') + len('id="report-data">')
    text = html[start : html.index("</script>", start)]
    assert json.loads(text) == document
    assert "<!--" not in text


def test_numbers_that_are_none_are_refused() -> None:
    document = make_document()
    document["health"]["cosine"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        render_report(document)


def test_the_map_shows_dots_of_many_colours_and_greys_out_all_but_the_chosen_intent(show: Any) -> None:
    document = make_document()
    page = show(document).go()
    settle(page)
    before = colours_on_map(page)
    assert before > 100
    number = largest(document)["intent"]
    x, y = screen_place(page, document, number)
    page.locator("#map").hover(position={"x": x, "y": y})
    assert document["intents"][number]["name"] in page.inner_text("#map-tip")
    assert f"{document['intents'][number]['users']:,} users" in page.inner_text("#map-tip")
    page.locator("#map").click(position={"x": x, "y": y})
    page.wait_for_selector(f'#intent-page[data-intent="{number}"]')
    settle(page)
    assert page.evaluate("location.hash") == f"#intent-{number}"
    assert 3 < colours_on_map(page) < before / 2
    chosen = picture(page)
    page.mouse.wheel(0, -400)
    until_map(page, "!==", chosen)  # the wheel zooms on after a click


def test_the_wheel_scrolls_the_page_over_a_map_nobody_clicked(show: Any) -> None:
    page = show(make_document()).go()
    page.locator("#map").hover()
    start, before = picture(page), page.evaluate("scrollY")
    page.mouse.wheel(0, 300)
    page.wait_for_function("before => scrollY > before", arg=before)
    assert picture(page) == start


def test_two_fingers_zoom_the_map(show: Any) -> None:
    page = show(make_document(), PHONE, has_touch=True, is_mobile=True).go()
    page.locator("#map").scroll_into_view_if_needed()
    start = picture(page)
    box = page.locator("#map").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    fingers = page.context.new_cdp_session(page)
    for kind, apart in [
        ("touchStart", 30),
        ("touchMove", 50),
        ("touchMove", 80),
        ("touchMove", 120),
        ("touchEnd", None),
    ]:
        points = [] if apart is None else [{"x": x - apart, "y": y, "id": 1}, {"x": x + apart, "y": y, "id": 2}]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    until_map(page, "!==", start)
    assert page.evaluate("visualViewport.scale") == 1, "the map zooms, not the page"
    page.tap("#map-reset")
    until_map(page, "===", start)


def test_the_map_zooms_moves_and_resets(show: Any) -> None:
    page = show(make_document()).go()
    start = picture(page)
    page.locator("#map").focus()
    page.locator("#map").hover()
    page.mouse.wheel(0, -400)
    until_map(page, "!==", start)
    zoomed = picture(page)
    page.mouse.down()
    page.mouse.move(300, 300, steps=4)
    page.mouse.up()
    moved = picture(page)
    assert moved != zoomed
    assert page.evaluate("location.hash") == "", "a drag is no click"
    page.keyboard.press("ArrowLeft")
    assert picture(page) != moved
    page.click("#map-reset")
    assert picture(page) == start


def test_the_map_is_sharp_on_dense_screens(show: Any) -> None:
    page = show(make_document(), device_scale_factor=2).go()
    assert page.evaluate("(map => map.width === 2 * map.clientWidth)(document.querySelector('#map'))")


def test_search_finds_names_numbers_items_and_attributes(show: Any) -> None:
    document = make_document()
    document["intents"][20]["items"][0]["title"] = "Zirconium Comb"
    document["intents"][21]["attributes"][0]["attribute"] = "Zirconium Things"
    page = show(document).go()
    rows = page.locator("#intent-table tbody tr")
    assert rows.count() == 50
    page.fill("#intent-search", "zirconium")
    assert sorted(row.get_attribute("data-intent") for row in rows.all()) == ["20", "21"]
    assert page.inner_text("#intent-count") == "2 of 64 intents"
    page.fill("#intent-search", "COMB zirc")
    assert rows.count() == 1
    page.fill("#intent-search", "#63")
    assert rows.first.get_attribute("data-intent") == "63"
    page.fill("#intent-search", "アイライナー")
    assert [row.get_attribute("data-intent") for row in rows.all()] == ["5"]
    page.fill("#intent-search", "no such thing")
    assert rows.count() == 0
    assert page.is_visible("#intent-none")


def test_more_rows_come_when_asked_for(show: Any) -> None:
    page = show(make_document()).go()
    page.click("#intent-more")
    assert page.locator("#intent-table tbody tr").count() == 64
    assert page.is_hidden("#intent-more")


def test_headers_sort_and_say_so(show: Any) -> None:
    page = show(make_document()).go()

    def users() -> list[int]:
        return [int(text.replace(",", "")) for text in page.locator("#intent-table td.c-users").all_inner_texts()]

    header = page.locator("#intent-table th", has_text="Users")
    assert header.get_attribute("aria-sort") == "descending"
    assert users() == sorted(users(), reverse=True)
    bars = [bar.bounding_box()["width"] for bar in page.locator("#intent-table .fill").all()]
    assert bars == sorted(bars, reverse=True)
    assert bars[0] > 5 * bars[-1]
    header.locator("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert users() == sorted(users())
    assert page.is_hidden("#intent-table th button:has-text('Cosine')"), (
        "names come first, exact figures when asked for"
    )
    page.check("#intent-exact")
    page.click("#intent-table th button:has-text('Cosine')")
    assert page.locator("#intent-table th[aria-sort]").count() == 1
    cosines = page.locator("#intent-table td.c-cosine").all_inner_texts()
    assert cosines == sorted(cosines, reverse=True)
    page.click("#intent-table th button:has-text('Cosine')")
    page.click("#intent-more")
    assert page.locator("#intent-table td.c-cosine").last.inner_text() == "–", "no value comes last either way"
    page.click("#intent-table th button:has-text('Flags')")
    assert page.locator("#intent-table tbody tr .flag").count() == 3


def test_a_row_opens_its_intent_by_click_and_by_enter(show: Any) -> None:
    document = make_document()
    page = show(document).go()
    page.click('#intent-table tbody tr[data-intent="12"] td.c-items')
    page.wait_for_selector('#intent-page[data-intent="12"]')
    shown = page.locator("#intent-items li").all_inner_texts()
    assert len(shown) == 8
    for text, one in zip(shown, document["intents"][12]["items"], strict=True):
        assert (one["title"] or one["item"]) in text
    assert page.evaluate("document.activeElement.id") == "intent-name"
    assert page.locator("#intent-name").bounding_box()["y"] < DESKTOP["height"]
    page.focus('#intent-table tbody tr[data-intent="13"] a')
    page.keyboard.press("Enter")
    page.wait_for_selector('#intent-page[data-intent="13"]')
    page.click("#intent-page summary")
    assert "Mean cosine" in page.inner_text("#intent-page")


def test_addresses_lead_to_intents_and_the_back_button_works(show: Any) -> None:
    document = make_document()
    page = show(document).go("#intent-12")
    assert page.get_attribute("#intent-page", "data-intent") == "12"
    page.click("#intent-page .links a >> nth=0")
    page.wait_for_selector('#intent-page[data-intent="13"]')
    page.go_back()
    page.wait_for_selector('#intent-page[data-intent="12"]')
    page.click("#intent-page a:has-text('Close')")
    page.wait_for_selector("#intent-page", state="hidden")
    assert page.is_visible("#largest")
    page.go_back()
    page.wait_for_selector('#intent-page[data-intent="12"]')
    page.click("nav a:has-text('Training')")
    settle(page)
    assert page.is_visible("#intent-page"), "moving about the page closes nothing"


@pytest.mark.parametrize("fragment", ["#intent-9999", "#user-nobody", "#intent-x", "#user-%E0%A4%A"])
def test_addresses_that_lead_nowhere_do_no_harm(show: Any, fragment: str) -> None:
    opened = show(make_document())
    page = opened.go(fragment)
    assert page.is_hidden("#intent-page")
    assert opened.complaints == []


def test_journeys_show_history_mix_and_explained_recommendations(show: Any) -> None:
    document = make_document()
    document["journeys"][5]["recommendations"][0].update(
        {
            "rank": 1,
            "rank_without": 37,
            "because": ["i0", "i77"],
            "because_titles": ["First Cream", None],
            "intent": 7,
            "parts": [{"intent": 7, "part": 3.1}],
            "residual": -0.4,
            "like": {"item": "i0", "title": "First Cream"},
            "shared": ["Skin", "Sun Care"],
        }
    )
    page = show(document).go()
    assert page.get_attribute("#journey", "data-user") == "u0"
    page.select_option("#journey-user", "u5")
    page.wait_for_selector('#journey[data-user="u5"]')
    assert page.locator("#journey .chip").count() == len(document["journeys"][5]["events"])
    assert page.locator("#journey .recommendation").count() == 6
    first = page.locator("#journey .recommendation").first
    assert first.locator(".why").all_inner_texts() == [
        "Skin, Sun Care: like First Cream, which they had.",
        "Fits “💅 glitter ✨ party”; without it the rank would be 37 instead of 1.",
    ]
    assert "“💅 glitter ✨ party” rests most on First Cream and i77." in page.inner_text("#journey")
    assert first.locator(".stack").is_hidden(), "exact parts are one click away"
    first.locator("summary").click()
    assert first.locator(".stack").is_visible()
    assert page.locator("#journey .recommendation .stack").first.locator(".minus").count() == 1
    page.click("#journey-next")
    page.wait_for_selector('#journey[data-user="u6"]')
    page.go_back()
    page.wait_for_selector('#journey[data-user="u5"]')


def test_examples_lead_to_their_journeys_where_there_is_one(show: Any) -> None:
    document = make_document()
    strange = document["journeys"][-1]["user"]
    document["intents"][12]["examples"] = [strange, "u39"]
    page = show(document).go("#intent-12")
    assert page.locator("#intent-page .people a").count() == 1
    page.click("#intent-page .people a")
    page.wait_for_function("user => document.querySelector('#journey').dataset.user === user", arg=strange)
    assert page.input_value("#journey-user") == strange


def test_the_warning_is_there_only_when_there_is_one(show: Any) -> None:
    document = make_document()
    assert show(document).go().is_hidden("#warning")
    document["health"]["warning"] = "Collapsed: one intent holds <b>most</b> users."
    page = show(document).go()
    assert page.is_visible("#warning")
    assert "holds <b>most</b> users" in page.inner_text("#warning")


def test_names_with_markup_are_text(show: Any) -> None:
    opened = show(make_document())
    for number in AWKWARD:
        page = opened.go(f"#intent-{number}")
        page.reload()
        assert page.inner_text("#intent-name").strip() == " ".join(AWKWARD[number].split())
    ours = page.locator("#health b, #metrics b").count()
    assert page.locator("main img, main b, main script, main i").count() == ours
    assert page.title() == "beauty · intents"
    assert opened.complaints == []


@pytest.mark.parametrize("width", [320, 390, 768, 1024])
def test_nothing_sticks_out_sideways(show: Any, width: int) -> None:
    document = make_document()
    document["health"]["warning"] = "Averylongwordwithoutanyspace" * 5
    page = show(document, {"width": width, "height": 844}).go()
    for fragment in ("intent-8", "intent-4", "user-u3"):
        page.evaluate("fragment => { location.hash = fragment; }", fragment)
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), fragment


def test_a_tap_on_a_phone_opens_an_intent(show: Any) -> None:
    document = make_document()
    page = show(document, PHONE, has_touch=True, is_mobile=True).go()
    number = largest(document)["intent"]
    page.locator("#map").scroll_into_view_if_needed()
    x, y = screen_place(page, document, number)
    page.locator("#map").tap(position={"x": x, "y": y})
    page.wait_for_selector(f'#intent-page[data-intent="{number}"]')


def test_a_report_with_little_to_show(show: Any) -> None:
    document = make_document(n=4, users=30)
    document["curves"], document["trend_labels"], document["journeys"] = [], None, []
    document["model"]["baselines"] = {}
    document["model"].update({"imported_from": "weights.pt", "first": None, "last": None, "metrics": {}})
    for one in document["intents"]:
        one.update({"trend": None, "attributes": [], "examples": [], "nearest": []})
    document["intents"][2].update({"attributes": None, "items": []})
    opened = show(document)
    page = opened.go("#intent-2")
    assert page.inner_text("#curves") == "Imported weights: no training curves."
    assert "weights imported from weights.pt" in page.inner_text("header")
    assert page.locator("#intent-page h4").all_inner_texts() == ["COHESION"]
    assert page.is_hidden("#journey-choice")
    assert page.locator("#figures li").count() == 3
    assert opened.complaints == []


def test_curves_mark_the_best_epoch(show: Any) -> None:
    page = show(make_document()).go()
    assert page.locator("#curves figure").count() == 3
    assert "best: epoch 24, 0.0772" in page.text_content("#curves figure >> nth=0")
    assert "logarithmic" in page.inner_text("#curves figcaption >> nth=1")
    lines = page.locator("#curves figure >> nth=1").locator(".stroke")
    assert len({line.get_attribute("stroke-dasharray") for line in lines.all()}) == lines.count() / 2 == 3
    assert page.locator("#curves figure >> nth=1").locator(".end").all_text_contents() == [
        "total",
        "next item",
        "cluster",
    ]
    assert page.locator("#health div").count() == 7


def test_both_themes_draw_their_own_map(show: Any) -> None:
    page = show(make_document(), color_scheme="light").go()
    light = picture(page)
    page.emulate_media(color_scheme="dark")
    assert picture(page) != light
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 17, 21)"


def test_a_large_report_begins_with_few_rows_and_the_whole_map(show: Any) -> None:
    page = show(make_document(n=512, users=30_000)).go()
    settle(page)
    assert colours_on_map(page) > 100
    assert page.locator("#intent-table tbody tr").count() == 50


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_the_report_of_a_real_model_with_whole_numbers_for_ids(show: Any, recipe: str) -> None:
    log = shop_log().with_columns(
        user_id=pl.col("user_id").rank("dense").cast(pl.Int64), item_id=pl.col("item_id").rank("dense").cast(pl.Int64)
    )
    model = ELCRec(recipe, seed=1, **SMALL).fit(log, progress=False)
    page = show(report_document(model, "A real shop", n_journeys=6)).go()
    rows = page.locator("#intent-table tbody tr")
    assert rows.count() == 8
    number = int(rows.first.get_attribute("data-intent"))
    rows.first.click()
    page.wait_for_selector(f'#intent-page[data-intent="{number}"]')
    typical = model.intents(3).filter(pl.col("intent") == number)["items"].to_list()[0]
    shown = page.locator("#intent-items li").all_inner_texts()
    assert [text.split("\n")[0] for text in shown[:3]] == [f"Item {item}" for item in typical]
    user = report_document(model, "again", n_journeys=6)["journeys"][2]["user"]
    page.evaluate(f"location.hash = '#user-{user}'")
    page.wait_for_selector(f'#journey[data-user="{user}"]')
    listed = model.recommend([user], k=5)["item_id"].to_list()
    assert page.locator("#journey .recommendation h3").all_inner_texts() == [f"Item {item}" for item in listed]


def overlapping(boxes: list[dict[str, float]]) -> list[tuple[int, int]]:
    """Pairs of boxes that share an area."""
    return [
        (i, j)
        for i, a in enumerate(boxes)
        for j, b in enumerate(boxes[:i])
        if a["left"] < b["right"] and b["left"] < a["right"] and a["top"] < b["bottom"] and b["top"] < a["bottom"]
    ]


@pytest.mark.parametrize("viewport", SIZES.values(), ids=SIZES)
def test_labels_on_the_map_are_whole_apart_and_distinct(show: Any, viewport: dict[str, int]) -> None:
    document = make_document()
    for number in (20, 21, 22):
        document["intents"][number]["name"] = "twins · of one name"
    page = show(document, viewport).go()
    settle(page)
    labels = json.loads(page.get_attribute("#map", "data-labels") or "[]")
    size = page.locator("#map").bounding_box()
    assert size is not None
    assert len(labels) >= 3
    assert overlapping(labels) == []
    assert all(one["left"] >= 0 and one["right"] <= size["width"] for one in labels)
    assert all(one["top"] >= 0 and one["bottom"] <= size["height"] for one in labels)
    texts = [" ".join(one["lines"]) for one in labels]
    assert len(set(texts)) == len(texts)
    assert not any("…" in text for text in texts)


def test_only_the_largest_intents_have_a_colour(show: Any) -> None:
    document = make_document()
    page = show(document).go()
    ordered = sorted(document["intents"], key=lambda one: (-one["users"], one["intent"]))
    colour = "row => getComputedStyle(row.querySelector('.swatch')).backgroundColor"
    page.click("#intent-more")
    shown = [page.eval_on_selector(f'tr[data-intent="{one["intent"]}"]', colour) for one in ordered]
    assert len(set(shown[:8])) == 8
    assert len(set(shown[8:])) == 1
    assert shown[8] not in shown[:8]
    mine = (
        page.locator("#journey .wants .bars")
        .first.locator(".swatch")
        .evaluate_all("all => all.map((one) => getComputedStyle(one).backgroundColor)")
    )
    assert len(set(mine)) == len(mine), "what one person wants can be told apart"


def test_weights_that_say_nothing_are_not_shown(show: Any) -> None:
    document = make_document()
    first, second = document["journeys"][:2]
    for each, weight in zip(first["intents"], (0.997, 0.002, 0.001, 0.0), strict=True):
        each["weight"] = weight
    for each in second["intents"]:
        each["weight"] = 1 / 64
    page = show(document).go()
    now = page.locator("#journey .wants .bars").first.locator("li")
    assert now.count() == 1
    assert "No other intent comes near." in page.inner_text("#journey .wants")
    page.click("#journey-next")
    page.wait_for_selector('#journey[data-user="u1"]')
    assert "No intent stands out" in page.inner_text("#journey .wants")
    assert "0%" not in page.locator("#journey .wants .number").all_inner_texts()


def test_the_first_tile_has_a_yardstick(show: Any) -> None:
    document = make_document()
    page = show(document).go()
    assert "of people’s next items are among their ten" in page.inner_text("#figures .accuracy")
    assert "hit_rate@10, test" in page.inner_text("#figures .accuracy")
    lines = [text.split("\n") for text in page.locator("#figures .accuracy .bars li").all_inner_texts()]
    assert [line[0] for line in lines] == [
        "this model",
        "items that go together (item-knn)",
        "most popular items (popularity)",
        "ten items at random",
    ]
    assert [line[-1] for line in lines] == ["11.2%", "9.0%", "3.4%", "< 0.1%"]
    document["model"]["of_baskets"] = True
    page = show(document).go()
    assert "next baskets hold one of their ten items" in page.inner_text("#figures .accuracy")
    assert page.locator("#figures .accuracy .bars li").count() == 3, "chance is of single items"


def test_numbers_are_no_titles(show: Any) -> None:
    document = make_document()
    document["intents"][12]["items"][0].update({"item": 4711, "title": None})
    document["intents"][12]["items"][1].update({"item": 4712, "title": "300"})
    page = show(document).go("#intent-12")
    shown = [text.split("\n")[0] for text in page.locator("#intent-items li").all_inner_texts()]
    assert shown[:2] == ["Item 4711", "“300”"]


@pytest.mark.skipif(not AXE.is_file(), reason=NO_AXE)
@pytest.mark.parametrize(("size", "theme"), VIEWS)
def test_every_view_is_quiet_whole_and_accessible(browser: Browser, tmp_path: Path, size: str, theme: str) -> None:
    opened = opened_as(browser, written(make_document(), tmp_path), size, theme)
    for fragment in ("", "#intent-12", "#user-u3"):
        page = opened.go(fragment)
        page.reload()
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert faults(opened) == []
    opened.context.close()
