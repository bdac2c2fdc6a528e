"""The page behind an approval link: the metrics side by side, two buttons. Opening it changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

from lambdas.stores.sample_lists import SampleLists, SampleUser, side_by_side
from lambdas.training.approvals import Approval
from lambdas.training.metric_labels import metric_label

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 44rem; margin: 3rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: 1.5rem 0 }
table { table-layout: fixed }
th, td { padding: .35rem .6rem; border-bottom: 1px solid #8885; text-align: right }
th:first-child, td:first-child { text-align: left }
.lists th, .lists td { text-align: left; overflow-wrap: anywhere }
.lists th:first-child { width: 1.5rem }
caption { text-align: left; font-weight: 600 }
button { font: inherit; padding: .5rem 1.2rem; margin-right: .8rem }
"""


def document(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>"
    )


def question(approval: Approval) -> str:
    """The page that asks."""
    verdict = approval.verdict
    rows = "".join(
        f"<tr><td>{escape(metric_label(name))}</td><td>{value:.4f}</td><td>{shown(verdict.deployed_metrics.get(name))}</td>"
        f"<td>{_difference(value, verdict.deployed_metrics.get(name))}</td></tr>"
        for name, value in sorted(verdict.metrics.items())
    )
    return document(
        f"May the new version of {verdict.name} go live?",
        f"<p>Deployment {escape(approval.deployment)}. The new version was trained by run {escape(approval.run_id)} and passed "
        f"its gate. The campaign serves the old version until you decide; without an answer until "
        f"{datetime.fromtimestamp(approval.expires, UTC):%Y-%m-%d %H:%M} UTC the old version stays.</p>"
        f"<p>The figures lie between 0 and 1; more is better.</p>"
        f"<table><tr><th>metric</th><th>new</th><th>serving now</th><th>difference</th></tr>{rows}</table>"
        f"{_samples(approval.samples)}"
        f'<form method="post"><button name="decision" value="approve">Approve</button>'
        f'<button name="decision" value="reject">Reject</button></form>',
    )


def _samples(lists: SampleLists) -> str:
    """Both lists of each user, side by side, above the buttons."""
    note = f"<p>{escape(lists.note)}</p>" if lists.note else ""
    if not lists.users:
        return note
    about = "What a few users would get, before filters and business rules. Marked with +: new in the list."
    return f"<h2>Sample lists</h2><p>{about}</p>{note}" + "".join(
        f'<table class="lists"><caption>User {number}, {user.events:,} events in the CSVs</caption>'
        f"<tr><th>#</th><th>serving now</th><th>new</th></tr>{_places(user)}</table>"
        for number, user in enumerate(lists.users, 1)
    )


def _places(user: SampleUser) -> str:
    return "".join(
        f"<tr><td>{place}</td><td>{escape(row.serving)}</td><td>{'+ ' if row.is_new else ''}{escape(row.new)}</td></tr>"
        for place, row in enumerate(side_by_side(user), 1)
    )


def _difference(value: float, before: float | None) -> str:
    return "–" if before is None else f"{value - before:+.4f}"


def shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def decided(approval: Approval, approved: bool) -> str:
    what = "goes live" if approved else "was rejected; the old one stays"
    return document("Thank you", f"<p>The new version of {escape(approval.solution)} {what}.</p>")


def gone() -> str:
    return document(
        "Nothing to decide", "<p>This link is unknown, was used already, or is out of time, or the run that asked is over.</p>"
    )
