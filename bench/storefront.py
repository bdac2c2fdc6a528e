"""How soon the storefront shows its first list, and how soon it has changed after a click: in Chromium, on a shop here.

    python -m bench.storefront --json storefront.json

Each of ten visitors has a browser context of its own, so that nothing is cached. The first list is there when the page has
drawn its first card. Every other visitor is new and clicks an item of the list; the others are a persona who searches for a
category and clicks three of its items. A change counts from the click on an item to the list that the page shows as changed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, Page, Response, sync_playwright
from rich.console import Console
from rich.table import Table

from reco.data import load
from reco.deployment import train
from reco.target import Target
from tests.harness import shop_csvs
from tests.harness.deployment import deployed
from tools import browser as brought

VISITS, PATIENCE_MS = 10, 60_000
#: Notes when the first card is drawn, in milliseconds from the beginning of the navigation.
_FIRST_CARD = """new MutationObserver((_, observer) => {
  if (document.querySelector('[data-testid=card]')) { window.firstCard = performance.now(); observer.disconnect() }
}).observe(document, {childList: true, subtree: true})"""
_OWN, _FOUND = "[data-testid=rail-home]", "[data-testid=rail-search]"
#: Whether the page shows what became of the click of this number.
_SETTLED = """n => document.querySelectorAll('[data-testid=events] li').length === n
  && document.querySelector('[data-testid=moves]').dataset.state !== 'waiting'"""
#: The last of a click's steps: sent, taken, changed.
_CHANGED = "[data-testid=steps] li:nth-child(3) b[data-ms]"
_PERSONA, _CATEGORY, _CLICKS = "u1", "toys", 3


class Visit(NamedTuple):
    """Milliseconds to the first list, and from each click to the list that it has changed; kilobytes of the page."""

    first: float
    changed: list[float | None]
    kb: float


def visit(browser: Browser, shop: Target, persona: str | None) -> Visit:
    """A new visitor clicks once, a persona three times."""
    context, sizes = browser.new_context(), dict[str, int]()
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(_FIRST_CARD)
    page = context.new_page()

    def note(answer: Response) -> None:
        sizes[answer.url] = len(answer.body())

    page.on("response", note)
    page.goto(f"{shop.storefront_url}#/")
    page.wait_for_selector("[data-testid=card]")
    first = float(page.evaluate("window.firstCard"))
    page.wait_for_load_state("networkidle")
    page.remove_listener("response", note)
    if persona:
        page.get_by_test_id(f"visitor-{persona}").click()
    page.wait_for_selector(f"{_OWN} [data-testid=card]")
    changed = [_click(page, n, _CATEGORY) for n in range(_CLICKS)] if persona else [_click(page, 0, None)]
    context.close()
    return Visit(first, changed, sum(n for url, n in sizes.items() if "/storefront/" in url) / 1024)


def _click(page: Page, n: int, searched: str | None) -> float | None:
    """A click on an item of the own list, or on the nth that the search finds; milliseconds until the own list has changed.

    None where it stays as it was: after two clicks in one category it may hold little else.
    """
    if searched:
        page.get_by_test_id("search").fill(searched)
        page.get_by_test_id("search").press("Enter")
    page.locator(f"{_FOUND if searched else _OWN} [data-testid=card-link]").nth(2 + n).click()
    page.wait_for_function(_SETTLED, arg=n + 1)
    page.wait_for_selector(f"{_OWN} [data-testid=card]")
    changed = page.locator(_CHANGED)
    return float(changed.get_attribute("data-ms") or 0) if changed.count() else None


def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place, deployed(Path(place), speed=2000) as shop:
        load.upload(shop, load.find_csvs(shop_csvs.write(Path(place) / "csvs")), lambda count: None)
        train.require_success(train.follow(shop, train.start(shop), lambda state: None))
        with sync_playwright() as playwright:
            browser = brought.launched(playwright)
            if browser is None:
                sys.exit("There is no Chromium: `python -m tools.browser` says why.")
            visit(browser, shop, _PERSONA)  # functions and browser start
            visits = [visit(browser, shop, _PERSONA if n % 2 else None) for n in range(VISITS)]
            browser.close()
    return {
        "first_list_ms": _spread([one.first for one in visits]),
        "changed_ms": _spread([ms for one in visits[::2] for ms in one.changed if ms]),
        "journey_ms": _spread([ms for one in visits[1::2] for ms in one.changed if ms]),
        "visits_unchanged": sum(not any(one.changed) for one in visits),
        "clicks_unchanged": sum(not ms for one in visits[1::2] for ms in one.changed),
        "page_kb": max(one.kb for one in visits),
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {"p50": statistics.median(values), "max": max(values)}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.storefront", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    found = measure()
    table = Table("", "p50", "slowest", title=f"The storefront, {VISITS} visits")
    for name, what in (
        ("first_list_ms", "first list, ms"),
        ("changed_ms", "a new visitor's click to changed list, ms"),
        ("journey_ms", "each of a persona's three clicks to changed list, ms"),
    ):
        table.add_row(what, f"{found[name]['p50']:.0f}", f"{found[name]['max']:.0f}")
    table.add_row("a page, KB", f"{found['page_kb']:.0f}", "")
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
