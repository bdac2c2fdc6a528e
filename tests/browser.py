"""A real browser for tests, and small sites for it to look at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from personalize_emulator.http_server import HttpServer
from tools import browser as brought

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium. Where none can be had, its tests are skipped."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = brought.launched(playwright)
        if launched is None:
            pytest.skip("there is no Chromium: `python -m tools.browser` says why")
        yield launched
        launched.close()


@contextlib.contextmanager
def site(html: str = "<!doctype html><title>a page</title>") -> Iterator[str]:
    """A site of its own origin on this machine, all of whose addresses show this page."""

    def page(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [html.encode()]

    server = HttpServer(page)
    server.start()
    yield server.url
    server.stop()
