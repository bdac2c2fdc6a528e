"""How soon the storefront shows its first list, and how soon it has changed after a click: in Chromium, on a shop here.

    python -m bench.storefront --json storefront.json

Each of ten visitors has a browser context of its own, so that nothing is cached. The first list is there when the page has drawn
its first card; a change counts from the click on an item to the list that the page shows as changed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Response, sync_playwright
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
_CHANGED = "[data-testid=steps] b[data-ms]"


def visit(browser: Browser, shop: Target) -> dict[str, float]:
    """Milliseconds to the first list, and from a click to a changed one; kilobytes of the page."""
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
    page.locator("[data-testid=card-link]").nth(2).click()
    page.wait_for_selector(_CHANGED, state="attached")
    changed = float(page.locator(_CHANGED).last.get_attribute("data-ms") or 0)
    context.close()
    return {"first": first, "changed": changed, "kb": sum(n for url, n in sizes.items() if "/storefront/" in url) / 1024}


def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place, deployed(Path(place), speed=2000) as shop:
        load.upload(shop, load.find_csvs(shop_csvs.write(Path(place) / "csvs")), lambda count: None)
        train.require_success(train.follow(shop, train.start(shop), lambda state: None))
        with sync_playwright() as playwright:
            browser = brought.launched(playwright)
            if browser is None:
                sys.exit("There is no Chromium: `python -m tools.browser` says why.")
            visits = [visit(browser, shop) for _ in range(VISITS + 1)][1:]  # at the first, functions and browser start
            browser.close()
    return {
        "first_list_ms": spread(visits, "first"),
        "changed_ms": spread(visits, "changed"),
        "page_kb": max(one["kb"] for one in visits),
    }


def spread(visits: list[dict[str, float]], name: str) -> dict[str, float]:
    values = [one[name] for one in visits]
    return {"p50": statistics.median(values), "max": max(values)}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.storefront", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    found = measure()
    table = Table("", "p50", "slowest", title=f"The storefront, {VISITS} visits")
    for name, what in (("first_list_ms", "first list, ms"), ("changed_ms", "click to changed list, ms")):
        table.add_row(what, f"{found[name]['p50']:.0f}", f"{found[name]['max']:.0f}")
    table.add_row("a page, KB", f"{found['page_kb']:.0f}", "")
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
