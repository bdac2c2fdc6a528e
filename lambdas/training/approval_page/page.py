"""The page behind an approval link: the metrics side by side, two buttons. Opening it changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

from lambdas.config.data import Language
from lambdas.stores.reports import of_what
from lambdas.stores.sample_lists import SampleLists, SampleUser, side_by_side
from lambdas.training.approval_page.korean import KOREAN
from lambdas.training.approvals import Approval
from lambdas.training.languages import Say, speaking
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


def _document(title: str, body: str, language: Language) -> str:
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>"
    )


def _notice(title: str, text: str, language: Language) -> str:
    """A page of one sentence."""
    return _document(speaking(language, KOREAN)(title), f"<p>{escape(text)}</p>", language)


def question(approval: Approval, language: Language = "en") -> str:
    """The page that asks."""
    verdict, say = approval.verdict, speaking(language, KOREAN)
    rows = "".join(
        f"<tr><td>{escape(metric_label(name))}</td><td>{value:.4f}</td><td>{shown(verdict.deployed_metrics.get(name))}</td>"
        f"<td>{_difference(value, verdict.deployed_metrics.get(name))}</td></tr>"
        for name, value in sorted(verdict.metrics.items())
    )
    until = f"{datetime.fromtimestamp(approval.expires, UTC):%Y-%m-%d %H:%M} UTC"
    asks = say("The campaign serves the old version until you decide; without an answer until {until} the old version stays.")
    told = [
        of_what(approval.model_dump(), say) or say("Deployment {name}.").format(name=approval.deployment),
        say("The new version was trained by run {run} and passed its gate.").format(run=approval.run_id),
        asks.format(until=until),
    ]
    heads = "".join(f"<th>{say(head)}</th>" for head in ("metric", "new", "serving now", "difference"))
    return _document(
        say("May the new version of {name} go live?").format(name=verdict.name),
        f"<p>{escape(' '.join(told))}</p><p>{say('The figures lie between 0 and 1; more is better.')}</p>"
        f"<table><tr>{heads}</tr>{rows}</table>"
        f"{_samples(approval.samples, say)}"
        f'<form method="post"><button name="decision" value="approve">{say("Approve")}</button>'
        f'<button name="decision" value="reject">{say("Reject")}</button></form>',
        language,
    )


def _samples(lists: SampleLists, say: Say) -> str:
    """Both lists of each user, side by side, above the buttons."""
    note = f"<p>{escape(lists.note)}</p>" if lists.note else ""
    if not lists.users:
        return note
    about = say("What a few users would get, before filters and business rules. Marked with +: new in the list.")
    caption = say("User {number}, {events} events in the CSVs")
    return f"<h2>{say('Sample lists')}</h2><p>{about}</p>{note}" + "".join(
        f'<table class="lists"><caption>{caption.format(number=number, events=f"{user.events:,}")}</caption>'
        f"<tr><th>#</th><th>{say('serving now')}</th><th>{say('new')}</th></tr>{_places(user)}</table>"
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


def decided(approval: Approval, approved: bool, language: Language = "en") -> str:
    said = "The new version of {name} goes live." if approved else "The new version of {name} was rejected; the old one stays."
    return _notice("Thank you", speaking(language, KOREAN)(said).format(name=approval.solution), language)


def not_understood(language: Language = "en") -> str:
    return _notice("Not understood", speaking(language, KOREAN)("decision must be approve or reject."), language)


def gone(language: Language = "en") -> str:
    said = "This link is unknown, was used already, or is out of time, or the run that asked is over."
    return _notice("Nothing to decide", speaking(language, KOREAN)(said), language)
