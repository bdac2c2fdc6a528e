"""The report page: what an operator reads in it, that it stands alone, and that no text of a run becomes markup."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser

from lambdas.stores.runs import VersionRecord
from lambdas.stores.sample_lists import Item, SampleLists, SampleUser
from lambdas.training.approval_page.page import question
from lambdas.training.approvals import Approval
from lambdas.training.report.korean import KOREAN
from lambdas.training.report.page import report_page

NDCG, MRR, COVERAGE = "normalized_discounted_cumulative_gain_at_25", "mean_reciprocal_rank_at_25", "coverage"
START = datetime(2026, 3, 1, 3, tzinfo=UTC)
HOSTILE = "<script>alert('\"&')</script>"


def record(week: int, ndcg: float, decision: str = "deploy", deployed: bool = True, **changed: Any) -> VersionRecord:
    fields: dict[str, Any] = {
        "solution": "for-you",
        "version_arn": f"arn:aws:personalize:us-east-1:123456789012:solution/shop_for-you/{week:08x}",
        "run_id": f"run-{week}",
        "trained_at": START + timedelta(weeks=week),
        "metrics": {NDCG: ndcg, MRR: ndcg * 1.5, COVERAGE: 0.4},
        "decision": decision,
        "deployed": deployed,
    }
    return VersionRecord(**fields | changed)


def report(**changed: Any) -> dict[str, Any]:
    solution = {
        "name": "for-you",
        "recipe": "aws-user-personalization-v2",
        "solution_version_arn": "arn:version",
        "metrics": {NDCG: 0.21344, MRR: 0.31, COVERAGE: 0.42},
        "verdict": {"decision": "refuse", "reasons": ["NDCG@25 fell by 23 %, 10 % are allowed"]},
    }
    base = {"run_id": "run-9", "status": "SUCCEEDED", "problems": [], "solutions": [solution], "campaigns": ["for-you"]}
    return base | changed


class Page(HTMLParser):
    """The elements and the text of a page; an element that is closed in the wrong order fails the test."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def charts(html: str) -> list[ElementTree.Element]:
    found = re.findall(r'<svg [^>]*role="img".*?</svg>', html, re.DOTALL)
    return [ElementTree.fromstring(svg) for svg in found]  # noqa: S314  our own page


def marks(chart: ElementTree.Element) -> list[tuple[str, float, float]]:
    """The kind, x and y of each marked version of a chart."""
    found = []
    for group in chart.iter("g"):
        circle, cross = group.find("circle"), group.find("path")
        if circle is not None:
            x, y = float(circle.attrib["cx"]), float(circle.attrib["cy"])
        else:
            assert cross is not None
            x, y = (float(n) + 3.5 for n in re.findall(r"[\d.]+", cross.attrib["d"])[:2])
        found.append((group.attrib["class"], x, y))
    return found


@pytest.mark.parametrize(
    ("status", "said"), [("SUCCEEDED", "Succeeded"), ("PARTLY_FAILED", "Partly failed"), ("FAILED", "Failed")]
)
def test_the_status_is_said(status: str, said: str) -> None:
    assert any(text.startswith(said) for text in Page(report_page(report(status=status), {})).text)


def test_a_problem_is_shown_with_what_to_do() -> None:
    problem = {
        "part": "solution related",
        "error": "ResourceFailed",
        "message": "CREATE FAILED: too few",
        "what_to_do": "Add data.",
    }
    text = Page(report_page(report(problems=[problem], solutions=[], campaigns=[]), {})).text
    at = text.index("solution related")
    assert [part.strip() for part in text[at:] if part.strip()][:5] == [
        "solution related", "ResourceFailed", "CREATE FAILED: too few", "What to do:", "Add data.",
    ]  # fmt: skip


def test_one_table_holds_the_metrics_and_the_verdict_of_each_solution() -> None:
    segments = {"name": "fans", "recipe": "aws-item-affinity", "solution_version_arn": "a", "metrics": {"hits_at_1_percent": 2.5}}
    made = report(solutions=[*report()["solutions"], segments])
    page = Page(report_page(made, {}))
    assert page.count("table") == 1
    heads = re.findall(r"<th(?: [^>]*)?>(.*?)</th>", report_page(made, {}))
    assert heads == ["Solution", "Verdict", "NDCG@25", "MRR@25", "coverage", "hits@1 percent"]
    rows = [re.findall(r"<td.*?>(.*?)</td>", row) for row in re.findall(r"<tr>(<td.*?)</tr>", report_page(made, {}))]
    assert rows[0][2:] == ["0.2134", "0.3100", "0.4200", ""]
    assert rows[1][1:] == ["", "", "", "", "2.5000"]
    assert "refused" in page.text
    assert "NDCG@25 fell by 23 %, 10 % are allowed" in page.text


def test_it_says_of_what_it_is_and_what_came_of_it_in_plain_words() -> None:
    made = report(deployment="shop-prod", started="2026-03-01T03:00:00+00:00", seconds=754)
    text = " ".join(Page(report_page(made, {})).text)
    assert "Deployment shop-prod, started 2026-03-01 03:00:00 UTC, took 13 minutes." in text
    assert "1 solution was trained. The new version of for-you is not used: its old version goes on serving." in text


def test_the_page_in_korean() -> None:
    """All words of the page; what a run says itself stays as it is."""
    made = report(deployment="shop", started="2026-03-01T03:00:00+00:00", seconds=754)
    html = report_page(made, {"for-you": [record(0, 0.1)]}, "ko", {"for-you": lists()})
    text = " ".join(Page(html).text)
    assert '<html lang="ko">' in html
    assert "솔루션 1개를 학습했습니다. for-you의 새 버전은 사용하지 않고, 기존 버전이 계속 서비스됩니다." in text
    assert "소요 시간 13분" in text
    assert not [words for words in KOREAN if "{" not in words and len(words) > 6 and words in text]


def test_a_figure_has_its_difference_from_the_version_that_serves() -> None:
    solution = report()["solutions"][0] | {"deployed_metrics": {NDCG: 0.2}}
    assert "+0.0134" in Page(report_page(report(solutions=[solution]), {})).text


def lists(title: str = "Tent for two", note: str = "", users: int = 5) -> SampleLists:
    """Of each user ten items; the new version has one that the old one lacks."""
    old = [Item(item_id=f"i{n}", title=title) for n in range(1, 11)]
    made = [SampleUser(events=1234 - n, new=[Item(item_id="i0", title=title), *old[:9]], serving=old) for n in range(users)]
    return SampleLists(users=made, note=note)


def test_sample_lists_stand_side_by_side_and_what_is_new_is_marked() -> None:
    html = report_page(report(), {}, samples={"for-you": lists(), "related": SampleLists(), "ranking": SampleLists(note="No.")})
    page = Page(html)
    assert page.count("table") == 1 + 5
    assert html.count('<td class="good">+ Tent for two</td>') == 5
    assert "User 5, 1,230 events in the CSVs" in page.text
    assert [text for text in page.text if text in ("for-you", "related", "ranking", "No.")] == [
        "for-you",
        "for-you",
        "ranking",
        "No.",
    ]
    assert "Sample lists" not in Page(report_page(report(), {}, samples={"related": SampleLists()})).text


def test_a_user_of_a_first_version_has_only_its_list() -> None:
    only = SampleUser(events=3, new=[Item(item_id="i1")])
    html = report_page(report(), {}, samples={"for-you": SampleLists(users=[only], note="No version serves yet.")})
    assert '<td>–</td><td class="">i1</td>' in html


@pytest.mark.parametrize("width", [400, 1400])
def test_sample_lists_fit_a_window(browser: Browser, width: int) -> None:
    """On an approval's page, too, whose buttons come after the lists."""
    shown = lists("추천 목록 " * 20 + "x" * 60, "A note." * 20)
    verdict = {"name": "for-you", "metrics": {NDCG: 0.3}}
    asked = {"solution": "for-you", "run_id": "run-9", "verdict": verdict, "task_token": "t", "expires": 0, "samples": shown}
    page = browser.new_page(viewport={"width": width, "height": 900})
    for html in (report_page(report(), {}, samples={"for-you": shown}), question(Approval.model_validate(asked))):
        page.set_content(html)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_ten_solutions_fit_a_window_without_scrolling(browser: Browser) -> None:
    """1,400 points wide, with all metrics that recipes have."""
    names = ["coverage", MRR, *(f"{kind}_at_{k}" for kind in ("precision", NDCG.removesuffix("_at_25")) for k in (5, 10, 25))]
    metrics = dict.fromkeys([*names, "hits_at_1_percent", "recall_at_1_percent"], 0.1234)
    one = report()["solutions"][0] | {"metrics": metrics, "deployed_metrics": metrics, "recipe": "aws-personalized-ranking-v2"}
    made = report(solutions=[one | {"name": f"trending-this-week-{n}"} for n in range(10)])
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_content(report_page(made, {}))
    assert page.evaluate("document.documentElement.scrollWidth") <= 1400
    assert page.evaluate("(wide => wide.scrollWidth <= wide.clientWidth)(document.querySelector('.wide'))")
    page.close()


def test_versions_are_drawn_over_time_by_what_became_of_them() -> None:
    history = [
        record(0, 0.1),
        record(1, 0.2),
        record(3, 0.05, "refuse", False),
        record(4, 0.15, "ask", False),
        record(5, 0.3, "rolled_back", False),
    ]
    drawn = charts(report_page(report(), {"for-you": history}))
    assert [chart.attrib["aria-label"].split(" of ")[0] for chart in drawn] == ["NDCG@25", "MRR@25", "coverage"]
    (kinds, xs, ys) = zip(*marks(drawn[0]), strict=True)
    assert kinds == ("deployed", "deployed", "refused", "other", "refused")
    assert xs[1] - xs[0] == pytest.approx((xs[2] - xs[1]) / 2, abs=0.2)
    assert sorted(range(5), key=lambda n: -ys[n]) == [2, 0, 3, 1, 4]
    assert len({y for _, _, y in marks(drawn[2])}) == 1


def test_a_lone_version_and_one_without_a_metric_can_be_drawn() -> None:
    only = record(0, 0.0, metrics={COVERAGE: 0.0})
    odd = record(1, 0.1, metrics={NDCG: float("nan"), MRR: 0.2})
    drawn = charts(report_page(report(), {"for-you": [only], "odd": [odd], "none": []}))
    assert [chart.attrib["aria-label"] for chart in drawn] == [
        "coverage of one version, the last 0.0000",
        "MRR@25 of one version, the last 0.2000",
    ]


def test_texts_of_a_run_stay_texts() -> None:
    made = report(
        run_id=HOSTILE,
        status=HOSTILE,
        problems=[dict.fromkeys(("part", "error", "message", "what_to_do"), HOSTILE)],
        solutions=[
            {
                "name": HOSTILE,
                "recipe": HOSTILE,
                "solution_version_arn": HOSTILE,
                "metrics": {HOSTILE: 0.1},
                "verdict": {"decision": HOSTILE, "reasons": [HOSTILE]},
            }
        ],
    )
    history = {HOSTILE: [record(0, 0.1, run_id=HOSTILE, version_arn=HOSTILE)]}
    page = Page(report_page(made, history, samples={HOSTILE: lists(HOSTILE, HOSTILE)}))
    assert page.count("script") == 0
    assert sum("alert" in text for text in page.text) >= 11


def test_the_page_stands_alone() -> None:
    html = report_page(report(), {"for-you": [record(0, 0.1)]})
    page = Page(html)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.elements}
    assert not {name for _, attributes in page.elements for name in attributes} & {"src", "href", "xlink:href"}
    assert not re.search(r"url\(|@import|\bon\w+=", html)
    assert "prefers-color-scheme: dark" in html
