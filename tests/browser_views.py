"""Pages in a browser: opened in both sizes and themes, pictured and checked.

    python tests/browser_views.py report.html --out pictures
    python tests/browser_views.py http://127.0.0.1:8000/ --at "" --at "#user-u1" --wait "body[data-ready]"

A picture is made of the page's header and of each of its sections, at desktop and phone width, light and dark:
``pictures/AT-SIZE-THEME-SECTION.png``. What the browser complains about, what sticks out sideways and what axe finds
is printed; the exit status is 1 if there is anything. axe, which checks accessibility, is read from ``$ELCREC_AXE`` or
from ``node_modules`` here (``npm install --no-save axe-core``).
"""

import argparse
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if os.environ.get("CI") or __name__ == "__main__":
    from playwright.sync_api import Browser, Page, sync_playwright
else:
    pytest.importorskip("playwright", reason="pages are tested in a browser: pip install playwright")
    from playwright.sync_api import Browser, Page, sync_playwright

    if CHROMIUM is None:
        pytest.skip("pages are tested in a browser: no chromium on the PATH", allow_module_level=True)

SIZES = {"desktop": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
THEMES = ("light", "dark")
VIEWS = list(product(SIZES, THEMES))
AXE = Path(os.environ.get("ELCREC_AXE", Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"))
NO_AXE = f"no axe at {AXE}: npm install --no-save axe-core, or set ELCREC_AXE"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page with everything it complained about and asked for."""

    def __init__(self, browser: Browser, address: str, viewport: dict[str, int] = SIZES["desktop"], **options: Any):
        self.address = address
        self.context = browser.new_context(viewport=viewport, **options)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(120_000)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def go(self, fragment: str = "") -> Page:
        self.page.goto(self.address + fragment)
        return self.page

    def pictured(self, name: str) -> None:
        """Leave a picture of the whole page, if asked for."""
        if folder := os.environ.get("ELCREC_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def opened_as(browser: Browser, address: str, size: str, theme: str) -> Opened:
    """A page at one of the sizes, in one of the themes."""
    phone = {"is_mobile": True, "has_touch": True, "device_scale_factor": 2} if size == "phone" else {}
    return Opened(browser, address, SIZES[size], color_scheme=theme, reduced_motion="reduce", **phone)


def settle(page: Page) -> None:
    """Wait until what was asked for is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def sticking_out(page: Page) -> list[str]:
    """Visible elements that make the page scroll sideways."""
    return page.evaluate(
        """() => {
          const wide = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= wide) return [];
          const beyond = (node) => node.getBoundingClientRect().right > wide + 1;
          const scrolls = (node) => node && node !== document.body
            && (getComputedStyle(node).overflowX !== "visible" || scrolls(node.parentElement));
          const out = [...document.querySelectorAll("body *")]
            .filter((node) => beyond(node) && !scrolls(node.parentElement)).slice(0, 5);
          return ["the page scrolls sideways", ...out.map((node) => node.outerHTML.slice(0, 120))];
        }"""
    )


def inaccessible(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA: the rule, why, and the element."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("rules => axe.run(document, { runOnly: rules })", RULES)
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary'].splitlines()[1].strip()}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def faults(opened: Opened) -> list[str]:
    """Everything that is wrong with a page as it stands; axe's part where there is axe."""
    settle(opened.page)
    return [*opened.complaints, *sticking_out(opened.page), *(inaccessible(opened.page) if AXE.is_file() else [])]


def take_pictures(page: Page, name: str, folder: Path) -> None:
    """A picture of the header and of each section."""
    folder.mkdir(parents=True, exist_ok=True)
    page.evaluate("document.querySelector('nav')?.style.setProperty('position', 'static')")  # else it covers the top
    for part in page.locator("header:visible, main > section:visible").all():
        part.scroll_into_view_if_needed()
        settle(page)
        part.screenshot(path=folder / f"{name}-{part.get_attribute('id')}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", help="an HTML file or an address")
    parser.add_argument("--out", type=Path, default=Path("pictures"), help="folder for the pictures")
    parser.add_argument("--at", action="append", help="where on the page: '#intent-3' (repeatable)")
    parser.add_argument("--wait", default="main", help="selector of what is there once the page is ready")
    given = parser.parse_args()
    address = given.page if "://" in given.page else Path(given.page).resolve().as_uri()
    if not AXE.is_file():
        print(NO_AXE, file=sys.stderr)
    wrong = 0
    with launched() as browser:
        for (size, theme), at in product(VIEWS, given.at or [""]):
            opened = opened_as(browser, address, size, theme)
            page = opened.go(at)
            page.wait_for_selector(given.wait)
            found = faults(opened)
            take_pictures(page, "-".join([re.sub(r"\W+", "", at) or "start", size, theme]), given.out)
            opened.context.close()
            for fault in found:
                print(f"{at} {size} {theme}: {fault}")
            wrong += len(found)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
