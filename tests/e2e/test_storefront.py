"""The storefront in a real Chromium, on a shop that is deployed and trained on this machine.

STOREFRONT_PICTURES=docs/images writes the README's pictures anew.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from bench import faults
from lambdas.config.file import load_config
from lambdas.stores.user_tokens import sign
from personalize_emulator.http_server import HttpServer
from reco.data import load
from reco.deployment import train
from reco.target import Target
from tests.browser import site
from tests.harness import shop_csvs
from tests.harness.deployment import CONFIG, deployed, until
from tests.harness.waiting import eventually
from tools.browser import axe

WAIT = 60_000  # milliseconds, for a busy machine
#: What an invented shop sells: by category, as in tests/harness/shop_csvs.py.
GOODS = {
    "garden": "Terracotta pot|Watering can|Bamboo trellis|Seed tin|Pruning shears|Linen gloves|Bird bath|Lantern|Compost bin|Rain gauge|"
    "Herb planter|Garden twine|Wicker basket|Hammock|Stone bench|Solar lamp|Potting bench|Leaf rake|Hose reel|Wind chime",
    "kitchen": "Cast iron pan|Oak board|Linen apron|Stoneware bowl|Copper kettle|Salt cellar|Pepper mill|Rolling pin|Glass carafe|Bread bin|"
    "Ceramic knife|Spice rack|Tea strainer|Olive dish|Cake stand|Whisk|Measuring jug|Butter dish|Egg cups|Moka pot",
    "toys": "Wooden train|Kite|Marble run|Puppet theatre|Rocking horse|Spinning top|Paper lanterns|Building bricks|Yo-yo|Doll's house|"
    "Star chart|Toy piano|Skipping rope|Chess set|Sailing boat|Kaleidoscope|Balance board|Finger paints|Card game|Music box",
}
CARDS = "[data-testid=rail-home] [data-testid=card]"
CHANGED, UNCHANGED = "[data-testid=moves][data-state=changed]", "[data-testid=moves][data-state=unchanged]"


def items() -> list[str]:
    names = {category: text.split("|") for category, text in GOODS.items()}
    found = []
    for n, row in enumerate(shop_csvs.rows()["items"]):
        _, _, category, brand, price, stock, _, created = row.split(",")
        title = names[category][n // 3]
        about = f"{title} of a small workshop; made to be used every day"
        found.append(f'i{n},{title},{category},{brand},{price},{stock},"{about}",{created}')
    return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("storefront")
    with deployed(folder, speed=2000) as target:
        load.upload(target, load.find_csvs(shop_csvs.write(folder / "csvs", items=items())), lambda count: None)
        train.require_success(train.follow(target, train.start(target), lambda state: None))
        until(lambda: faults.has_snapshot(target))
        yield target


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en", color_scheme="light")
    made.set_default_timeout(WAIT)
    yield made
    made.close()


def opened(context: BrowserContext, shop: Target, path: str = "", visitor: str | None = None) -> Page:
    """A page of the storefront, once its lists are there."""
    page = context.new_page()
    page.goto(f"{shop.storefront_url}#/{path}")
    if visitor:
        page.get_by_test_id(f"visitor-{visitor}").click()
    page.wait_for_selector("[data-testid=card]")
    return page


def cards(page: Page) -> list[str]:
    return [str(card.get_attribute("data-item")) for card in page.locator(CARDS).all()]


def test_three_clicks_change_the_list_and_the_panel_says_why(context: BrowserContext, shop: Target) -> None:
    page = opened(context, shop, visitor="u1")
    before = cards(page)
    for category in ("toys",) * 3:
        page.get_by_test_id("search").fill(category)
        page.get_by_test_id("search").press("Enter")
        page.wait_for_selector("[data-testid=rail-search] [data-testid=card]")
        page.locator("[data-testid=rail-search] [data-testid=card-link]").nth(1).click()
        page.wait_for_selector(CARDS)
    page.wait_for_selector(CHANGED, state="attached")
    assert float(page.locator("[data-testid=steps] b[data-ms]").last.get_attribute("data-ms") or 0) > 0
    assert page.locator("[data-testid=moves] .moved li").count() > 0
    assert cards(page) != before
    why = page.get_by_test_id("why-home")
    why.locator("summary").click()
    expect(why.get_by_test_id("source")).to_have_text("for-you")
    for rule in ("sold_out", "just_bought", "few_of_a_brand", "brands_apart"):
        assert rule in why.inner_text()
    assert page.locator("[data-testid=events] li").count() == 3


def test_a_new_visitor_s_list_becomes_the_visitor_s_own(context: BrowserContext, shop: Target) -> None:
    page = opened(context, shop, visitor="new")
    before = cards(page)
    assert page.get_by_test_id("session").inner_text().startswith("visitor-")
    page.locator(CARDS).nth(4).get_by_test_id("card-link").click()
    page.wait_for_selector(CHANGED, state="attached")
    assert cards(page) != before


class Filtered:
    """What Personalize itself recommends with a filter that has both expressions: nothing that the user has bought, all in stock."""

    def __init__(self, shop: Target) -> None:
        personalize, expressions = shop.client("personalize"), load_config(CONFIG).filters
        self._runtime = shop.client("personalize-runtime")
        (group,) = [one["datasetGroupArn"] for one in personalize.list_dataset_groups()["datasetGroups"]]
        both = f"{expressions['not_bought']} | {expressions['in_stock']}"
        self._filter = personalize.create_filter(name="both", datasetGroupArn=group, filterExpression=both)["filterArn"]
        until(lambda: personalize.describe_filter(filterArn=self._filter)["filter"]["status"] == "ACTIVE")
        names = {one["name"]: one["campaignArn"] for one in personalize.list_campaigns()["campaigns"]}
        (self._campaign,) = [arn for name, arn in names.items() if "for-you" in name]

    def items(self, user: str) -> list[str]:
        asked = {"campaignArn": self._campaign, "filterArn": self._filter, "userId": user, "numResults": 60}
        return [item["itemId"] for item in self._runtime.get_recommendations(**asked)["itemList"]]


def test_what_is_bought_leaves_the_list_by_its_rule_and_a_filter_excludes_it(context: BrowserContext, shop: Target) -> None:
    page = opened(context, shop, visitor="u2")
    filtered = Filtered(shop)
    new = filtered.items("u2")
    item = next(item for item in cards(page) if item in new)
    card = page.locator(f"{CARDS}[data-item={item}]")
    card.hover()
    card.get_by_test_id("quick").click()
    page.get_by_test_id("cart").click()
    page.get_by_test_id("buy").click()
    page.wait_for_selector(f"{CARDS}:not([data-item={item}])")
    eventually(lambda: item not in cards(page))
    eventually(lambda: item not in filtered.items("u2"))
    page.get_by_test_id("brand").click()
    page.wait_for_selector(CARDS)
    assert item not in cards(page)


def test_search_is_ranked_for_the_visitor_and_the_category_page_lists_one_category(context: BrowserContext, shop: Target) -> None:
    page = opened(context, shop, "search/kitchen", visitor=None)
    expect(page.get_by_role("heading", level=1)).to_have_text("20 found for “kitchen”")
    page.goto(f"{shop.storefront_url}#/category/toys")
    page.wait_for_selector("[data-testid=rail-category] [data-testid=card]")
    named = page.locator("[data-testid=rail-category] .about span:first-child").all_inner_texts()
    assert {*named} == {"toys"}


def test_the_same_search_is_ordered_anew_for_each_visitor(context: BrowserContext, shop: Target) -> None:
    orders = {}
    for visitor in ("u1", "u2"):  # who like the kitchen, and toys
        page = opened(context, shop, visitor=visitor)
        page.get_by_test_id("search").fill("brand1")  # which has goods of all categories
        page.get_by_test_id("search").press("Enter")
        expect(page.get_by_test_id("why-search").get_by_test_id("source")).to_have_text("ranking", timeout=WAIT)
        found = page.locator("[data-testid=rail-search] [data-testid=card]").all()
        orders[visitor] = [str(card.get_attribute("data-item")) for card in found]
    assert orders["u1"] != orders["u2"]
    assert {*orders["u1"]} == {*orders["u2"]}


def test_what_one_types_stays_while_the_page_draws_itself_again(context: BrowserContext, shop: Target) -> None:
    page = opened(context, shop, visitor="u1")
    page.get_by_test_id("search").fill("mar")
    page.locator(CARDS).nth(0).get_by_test_id("quick").click(force=True)
    page.wait_for_selector("[data-testid=steps]", state="attached")
    expect(page.get_by_test_id("search")).to_have_value("mar")


def test_events_of_a_page_that_was_closed_offline_arrive_after_it_opens_again(context: BrowserContext, shop: Target) -> None:
    page = opened(context, shop, visitor="u1")
    item = cards(page)[3]
    context.set_offline(True)
    page.locator(CARDS).nth(3).get_by_test_id("quick").click(force=True)
    eventually(lambda: "cart" in waiting(page))
    page.close()
    context.set_offline(False)
    again = opened(context, shop)
    eventually(lambda: waiting(again) == "[]")
    eventually(lambda: item in archived(shop))


def waiting(page: Page) -> str:
    found: str = page.evaluate("localStorage.getItem(Object.keys(localStorage).find((key) => key.endsWith(' queue'))) ?? '[]'")
    return found


def archived(shop: Target) -> str:
    """The carts in the stream, as the archive gets them."""
    kinesis, stream = shop.client("kinesis"), f"{shop.deployment}_events"
    found = []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
        records = kinesis.get_records(ShardIterator=iterator["ShardIterator"], Limit=10_000)["Records"]
        found += [json.loads(record["Data"])["body"] for record in records]
    return json.dumps([event.get("item_id") for event in found if event["event_type"] == "cart"])


def ask(shop: Target, origin: str | None = None, **query: str) -> int:
    """The status of a call of the browsers' API."""
    headers = {"x-api-key": shop.browser_key, **({"Origin": origin} if origin else {})}
    request = urllib.request.Request(f"{shop.browser_api_url}/recommendations/home?{urlencode(query)}", headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_only_a_good_token_opens_a_user_s_list(shop: Target) -> None:
    secret = shop.client("secretsmanager").get_secret_value(SecretId=f"{shop.deployment}_token-secrets")["SecretString"]
    now = int(time.time())
    good = sign(shop.deployment, "u1", now + 60, secret)
    assert ask(shop, user_token=good) == 200
    assert ask(shop, session_id="visitor-0123456789abcdef") == 200
    assert ask(shop, origin="https://shop.example", user_token=good) == 200
    assert ask(shop) == 400
    assert ask(shop, user_id="u1") == 400
    assert ask(shop, session_id="u1") == 400
    assert ask(shop, user_token=sign(shop.deployment, "u1", now - 1, secret)) == 403
    assert ask(shop, user_token=good.replace(".u1", ".u2")) == 403
    assert ask(shop, user_token=sign("other", "u1", now + 60, secret)) == 403
    assert ask(shop, origin="https://evil.example", user_token=good) == 403


def test_a_page_of_a_foreign_origin_gets_nothing(context: BrowserContext, shop: Target) -> None:
    page = context.new_page()
    with site() as foreign:
        page.goto(foreign)
        for method in ("GET", "POST"):
            path = "/recommendations/home?session_id=visitor-0123456789abcdef" if method == "GET" else "/events"
            body = (
                None if method == "GET" else json.dumps({"events": [{"event_type": "view", "session_id": "s", "item_id": "i1"}]})
            )
            call = {
                "method": method,
                "headers": {"x-api-key": shop.browser_key, "Content-Type": "application/json"},
                "body": body,
            }
            script = "([url, call]) => fetch(url, call).then((answer) => answer.status, (error) => String(error))"
            assert "Failed to fetch" in page.evaluate(script, [shop.browser_api_url + path, call])
        simple = {"method": "POST", "mode": "no-cors", "headers": {"Content-Type": "text/plain"}, "body": body}
        with page.expect_response("**/events") as refused:  # of which the page itself learns nothing
            page.evaluate("([url, call]) => fetch(url, call).then(() => null)", [f"{shop.browser_api_url}/events", simple])
        assert refused.value.status == 403


PATHS = ["", "item/i4", "category/toys", "search/garden", "cart"]


def assert_accessible(page: Page) -> None:
    """axe-core finds nothing serious on the page as it stands."""
    script = axe()
    if script is None:
        pytest.skip("there is no axe-core: `python -m tools.browser` says why")
    page.add_script_tag(path=script)
    found = page.evaluate("axe.run().then(({violations}) => violations)")
    said = [(one["id"], one["impact"], [node["html"][:120] for node in one["nodes"]][:3]) for one in found]
    assert [one for one in said if one[1] in ("serious", "critical")] == []


def everybody(browser: Browser, **options: Any) -> BrowserContext:
    """A context whose pages axe-core may be put into."""
    made = browser.new_context(reduced_motion="reduce", bypass_csp=True, **({"locale": "en"} | options))
    made.set_default_timeout(WAIT)
    return made


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(browser: Browser, shop: Target, path: str, scheme: Any) -> None:
    context = everybody(browser, color_scheme=scheme)
    page = opened(context, shop, path)
    eventually(lambda: page.locator("[aria-busy=true]").count() == 0)
    assert_accessible(page)
    context.close()


@pytest.mark.parametrize("path", PATHS)
def test_a_narrow_screen_in_korean_scrolls_in_one_direction_and_shows_the_panel(
    browser: Browser, shop: Target, path: str
) -> None:
    context = everybody(browser, viewport={"width": 390, "height": 844}, locale="ko", has_touch=True)
    page = opened(context, shop, path)
    eventually(lambda: page.locator("[aria-busy=true]").count() == 0)
    too_wide = """() => document.documentElement.scrollWidth > innerWidth
      ? [...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > innerWidth).map((one) => one.className)
      : []"""
    assert page.evaluate(too_wide) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for name in page.locator("[aria-label]").evaluate_all("all => all.map((one) => one.getAttribute('aria-label'))"):
        assert name != "categories"
    assert_accessible(page)
    panel = page.get_by_test_id("panel")
    expect(panel).to_be_hidden()
    page.get_by_test_id("open-panel").click()
    expect(panel).to_be_visible()
    expect(panel).to_be_in_viewport()
    assert_accessible(page)
    panel.get_by_role("button", name="닫기").click()
    expect(panel).to_be_hidden()
    context.close()


def test_everybody_can_read_the_description_of_the_api(browser: Browser, shop: Target) -> None:
    for options in ({"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}):
        context = everybody(browser, **options)
        page = context.new_page()
        page.goto(f"{shop.api_url}/docs")
        page.wait_for_selector("#getRecommendations")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert_accessible(page)
        context.close()


def tab_to(page: Page, testid: str) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement?.dataset.testid") == testid:
            return
    pytest.fail(f"Tab does not reach {testid}")


def test_the_keyboard_suffices(context: BrowserContext, shop: Target) -> None:
    page = opened(context, shop)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    tab_to(page, "visitor-u1")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("visitor-u1")).to_have_attribute("aria-pressed", "true")
    page.reload()
    page.wait_for_selector(CARDS)
    tab_to(page, "search")
    page.keyboard.type("kitchen")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-testid=rail-search] [data-testid=card]")
    tab_to(page, "card-link")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-testid=item]")
    tab_to(page, "add")
    page.keyboard.press("Space")
    page.wait_for_selector("[data-testid=add]:disabled")


def test_it_speaks_korean_and_remembers_it(context: BrowserContext, shop: Target) -> None:
    page = opened(context, shop)
    page.get_by_test_id("language").click()
    expect(page.get_by_test_id("visitor-new")).to_have_text("새 방문자")
    page.reload()
    expect(page.get_by_test_id("visitor-new")).to_have_text("새 방문자")
    assert page.evaluate("document.documentElement.lang") == "ko"


def test_a_page_is_small_needs_nobody_else_and_obeys_its_policy(context: BrowserContext, shop: Target) -> None:
    page, sizes, said = context.new_page(), dict[str, int](), list[str]()
    page.on("response", lambda answer: sizes.update({answer.url: len(answer.body())}))
    page.on("console", lambda message: said.append(message.text))
    page.goto(shop.storefront_url)
    page.wait_for_selector("[data-testid=card]")
    page.wait_for_load_state("networkidle")
    assert said == []
    assert {url for url in sizes if not url.startswith((shop.browser_api_url, "data:"))} == set()
    assert sum(size for url, size in sizes.items() if "/storefront/" in url) < 150 * 1024
    policy = page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content") or ""
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    inline = (
        "const s = document.createElement('script'); s.textContent = 'window.ran = true'; document.head.append(s); window.ran"
    )
    assert page.evaluate(inline) is None


def test_what_is_away_is_said(context: BrowserContext, shop: Target) -> None:
    context.route(
        "**/recommendations/**", lambda route: route.fulfill(status=503, json={"error": {"code": "unavailable", "message": "m"}})
    )
    page = context.new_page()
    page.goto(shop.storefront_url)
    expect(page.get_by_role("alert").first).to_contain_text("unavailable")
    context.unroute("**/recommendations/**")
    page.wait_for_selector("[data-testid=card]")


def test_the_description_of_the_api_is_a_page(context: BrowserContext, shop: Target) -> None:
    page, said = context.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{shop.api_url}/docs")
    page.wait_for_selector("#getRecommendations")
    assert page.locator(".operation").count() > 10
    assert [text for text in said if "favicon" not in text] == []


@pytest.mark.parametrize("name", ["light", "dark", "phone"])
def test_pictures(browser: Browser, shop: Target, tmp_path: Path, name: str) -> None:
    size = {"width": 390, "height": 844} if name == "phone" else {"width": 1440, "height": 900}
    scheme: Any = "dark" if name == "dark" else "light"
    context = browser.new_context(
        viewport=size, device_scale_factor=1.5, color_scheme=scheme, locale="en", has_touch=name == "phone"
    )  # type: ignore[arg-type]
    context.set_default_timeout(WAIT)
    page = opened(context, shop, visitor="u1")
    buyable = page.locator(f"{CARDS}:not(:has(.done))")  # what is in the cart may stand anywhere once the list has changed
    for place in (2, 4, 6, 8):  # not every click changes the list of somebody who has clicked before
        buyable.nth(place).hover()
        buyable.nth(place).get_by_test_id("quick").click()
        page.wait_for_selector(f"{CHANGED}, {UNCHANGED}", state="attached")
        if place > 2 and page.locator(CHANGED).count():
            break
    page.wait_for_selector(CHANGED, state="attached")
    page.mouse.move(0, 0)
    eventually(
        lambda: page.evaluate(
            "document.getAnimations().every((one) => one.playState !== 'running' || one.effect.getTiming().iterations !== 1)"
        )
    )
    page.evaluate("scrollTo(0, 0)")
    folder = Path(os.environ.get("STOREFRONT_PICTURES", tmp_path))
    page.screenshot(path=folder / f"storefront-{name}.png")
    assert (folder / f"storefront-{name}.png").stat().st_size > 20_000
    context.close()


def test_an_unreachable_shop_says_so(browser: Browser) -> None:
    """The pages alone, with nothing behind them."""
    root = Path(__file__).parents[2]

    def answer(environ: Any, start_response: Any) -> list[bytes]:
        name = environ["PATH_INFO"].removeprefix("/v1/storefront/")
        file = root / ("client" if name == "recostack.js" else "storefront") / name
        known = file.is_file()
        kind = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}.get(file.suffix, "text/plain")
        start_response("200 OK" if known else "503 X", [("Content-Type", kind)])
        return [file.read_bytes() if known else b"{}"]

    server = HttpServer(answer)
    server.start()
    page = browser.new_page()
    page.goto(f"{server.url}/v1/storefront/index.html")
    expect(page.get_by_role("heading", level=1)).to_have_text("The list can't be shown right now", timeout=WAIT)
    page.close()
    server.stop()
