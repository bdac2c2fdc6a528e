"""The report of a train run as one HTML page: no script, nothing loaded from elsewhere, so it opens from S3, a mail or a disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import Any

from lambdas.config.data import Language
from lambdas.stores.reports import of_what
from lambdas.stores.runs import VersionRecord
from lambdas.stores.sample_lists import SampleLists, SampleUser, side_by_side
from lambdas.training.languages import Say, speaking
from lambdas.training.metric_labels import metric_label
from lambdas.training.report.chart import Mark, Point, line_chart
from lambdas.training.report.korean import KOREAN

#: The metrics that are drawn, and that lead the table.
_LEADING = ("normalized_discounted_cumulative_gain_at_25", "mean_reciprocal_rank_at_25", "coverage")
_STATUS = {
    "SUCCEEDED": ("good", "Succeeded"),
    "PARTLY_FAILED": ("warning", "Partly failed: what was deployed stays in service"),
    "FAILED": ("bad", "Failed"),
}
_VERDICTS = {
    "deploy": ("good", "passed"),
    "ask": ("warning", "needs approval"),
    "refuse": ("bad", "refused"),
    "keep": ("plain", "kept as it is"),
    "rejected": ("bad", "rejected by a person"),
    "unanswered": ("warning", "nobody answered"),
    "rolled_back": ("bad", "rolled back"),
}
#: How a version is marked and described in a chart, by its decision unless it was deployed.
_OUTCOMES: dict[str, tuple[Mark, str]] = {
    "deployed": ("deployed", "came into service"),
    "refuse": ("refused", "refused"),
    "rejected": ("refused", "rejected by a person"),
    "unanswered": ("other", "not deployed: nobody answered"),
    "rolled_back": ("refused", "rolled back"),
    "deploy": ("other", "not deployed"),
    "ask": ("other", "not deployed"),
    "keep": ("other", "not deployed"),
}
_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --dim: #5b6675; --paper: #fff; --rule: #d9dee5; --panel: #f5f7f9;
  --line: #2f6fb5; --good: #17733f; --warning: #8a5a00; --bad: #b3261e; --plain: #5b6675; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --dim: #9aa5b4; --paper: #14181e; --rule: #333b46;
  --panel: #1c222a; --line: #77aee8; --good: #5cc98a; --warning: #e0aa4c; --bad: #f2877f; --plain: #9aa5b4; } }
body { margin: 0 auto; max-width: 84rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
.good { color: var(--good); } .warning { color: var(--warning); } .bad { color: var(--bad); } .plain { color: var(--plain); }
.status, .verdict { font-weight: 600; } .dim { color: var(--dim); }
.problem { border-left: 4px solid var(--bad); background: var(--panel); padding: .6rem .9rem; margin: .6rem 0; }
.problem p { margin: .3rem 0 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .4rem .45rem; border-bottom: 1px solid var(--rule); }
th { font-size: .85rem; font-weight: 600; overflow-wrap: anywhere; } th.number { width: 5rem; } .number { text-align: right; }
td:first-child { overflow-wrap: anywhere; min-width: 9rem; } .reasons { min-width: 11rem; }
td ul { margin: .2rem 0 0; padding-left: 1.1rem; } code { font-size: .85em; overflow-wrap: anywhere; }
.lists { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); gap: 1.2rem 2rem; }
.lists table { table-layout: fixed; } .lists td:first-child { min-width: 0; } th.place { width: 1.5rem; text-align: right; }
.lists td { overflow-wrap: anywhere; } caption { text-align: left; font-weight: 600; padding-bottom: .2rem; }
.charts { display: flex; flex-wrap: wrap; gap: .8rem; }
svg { flex: 1 1 16rem; max-width: 22rem; background: var(--panel); border-radius: 6px; }
svg text { fill: var(--dim); font-size: 10px; } svg .title { fill: var(--ink); font-size: 12px; font-weight: 600; }
svg polyline { fill: none; stroke: var(--line); stroke-width: 1.5; stroke-opacity: .6; } svg .grid { stroke: var(--rule); }
.deployed circle { fill: var(--line); stroke: var(--line); } .other circle { fill: var(--panel); stroke: var(--line); }
.refused path { stroke: var(--bad); stroke-width: 2; } svg.key { flex: none; width: 12px; height: 12px; background: none; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; align-items: center; } .legend svg { margin-right: .3rem; }
"""
_LEGEND = (
    ("deployed", '<circle cx="6" cy="6" r="4"/>', "came into service"),
    ("refused", '<path d="M2 2l8 8m0-8l-8 8"/>', "refused, rejected or rolled back"),
    ("other", '<circle cx="6" cy="6" r="4"/>', "not deployed"),
)


def report_page(
    report: Mapping[str, Any],
    history: Mapping[str, Sequence[VersionRecord]],
    language: Language = "en",
    samples: Mapping[str, SampleLists] = MappingProxyType({}),
) -> str:
    """The whole page. `history` holds the versions of each solution; solutions are charted in its order.

    `samples` are the lists by solution that a person was shown who decided about its new version.
    """
    say = speaking(language, KOREAN)
    colour, status = _STATUS.get(report["status"], ("plain", report["status"]))
    title = say("Train run {run}").format(run=report["run_id"])
    body = [
        f'<h1>{escape(title)}</h1><p class="status {colour}">{escape(say(status))}</p>',
        f'<p>{escape(_first_sentence(report, say))}</p><p class="dim">{escape(of_what(report, say))}</p>',
        _problems_section(report["problems"], say),
        _warnings_section(report.get("warnings", ()), say),
        _metrics_section(report["solutions"], report["campaigns"], say),
        _samples_section(samples, say),
        _history_section(history, say),
    ]
    return (
        f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(filter(None, body))
        + "\n</body></html>\n"
    )


def _first_sentence(report: Mapping[str, Any], say: Say) -> str:
    """What came of the run, for somebody who knows none of the words below."""
    solutions = report["solutions"]
    if not solutions:
        return say("Nothing was trained; what served before goes on serving.")
    decided = [(s["name"], s.get("verdict", {}).get("decision")) for s in solutions]
    new = [name for name, decision in decided if decision == "deploy"]
    held = [name for name, decision in decided if decision in ("refuse", "rejected", "unanswered", "rolled_back")]
    said = [say("1 solution was trained." if len(solutions) == 1 else "{n} solutions were trained.").format(n=len(solutions))]
    if new:
        said.append(say("Shops' pages now get recommendations of the new version of {names}.").format(names=", ".join(new)))
    if held:
        template = say("The new version of {names} is not used: its old version goes on serving.")
        said.append(template.format(names=", ".join(held)))
    if not new and not held:
        said.append(say("No campaign got another version."))
    return " ".join(said)


def _problems_section(problems: Sequence[Mapping[str, str]], say: Say) -> str:
    if not problems:
        return ""
    shown = [
        f'<div class="problem"><strong>{escape(p["part"])}</strong> <span class="dim">{escape(p["error"])}</span>'
        f"<p>{escape(p['message'])}</p><p><strong>{say('What to do:')}</strong> {escape(p['what_to_do'])}</p></div>"
        for p in problems
    ]
    return f"<h2>{say('Problems')}</h2>\n" + "\n".join(shown)


def _warnings_section(warnings: Sequence[str], say: Say) -> str:
    if not warnings:
        return ""
    listed = "".join(f"<li>{escape(warning)}</li>" for warning in warnings)
    return f"<h2>{say('Noticed in the CSVs')}</h2>\n<ul>{listed}</ul>"


def _metrics_section(solutions: Sequence[Mapping[str, Any]], campaigns: Sequence[str], say: Say) -> str:
    """One row a solution, one column a metric; what a recipe does not measure stays empty."""
    if not solutions:
        return ""
    metrics = columns(solutions)
    heads = "".join(f'<th class="number">{escape(metric_label(metric))}</th>' for metric in metrics)
    rows = [_solution_row(solution, metrics, solution["name"] in campaigns, say) for solution in solutions]
    notes = (
        "NDCG, MRR, precision and coverage lie between 0 and 1; more is better.",
        "Below a figure: its difference from the version that served when the run began.",
    )
    note = " ".join(map(say, notes))
    return (
        f'<h2>{say("Solutions of this run")}</h2>\n<p class="dim">{note}</p><div class="wide"><table>'
        f"<thead><tr><th>{say('Solution')}</th><th>{say('Verdict')}</th>{heads}</tr></thead>\n<tbody>\n"
        + "\n".join(rows)
        + "\n</tbody></table></div>"
    )


def columns(solutions: Sequence[Mapping[str, Any]]) -> list[str]:
    """All metrics that any of the solutions has, the leading ones first."""
    present = {metric for solution in solutions for metric in solution["metrics"]}
    return [m for m in _LEADING if m in present] + sorted(present.difference(_LEADING), key=_by_name_and_cut_off)


def _by_name_and_cut_off(metric: str) -> tuple[str, int]:
    """`precision_at_5` before `precision_at_10`."""
    name, _, cut_off = metric.partition("_at_")
    return name, int(cut_off) if cut_off.isdecimal() else 0


def _solution_row(solution: Mapping[str, Any], metrics: Sequence[str], served: bool, say: Say) -> str:
    before = solution.get("deployed_metrics", {})
    cells = "".join(f'<td class="number">{_figure(solution["metrics"].get(m), before.get(m))}</td>' for m in metrics)
    campaign = f'<div class="dim">{say("campaign in service")}</div>' if served else ""
    return (
        f"<tr><td><strong>{escape(solution['name'])}</strong><br>{escape(solution['recipe'].removeprefix('aws-'))}"
        f'{campaign}</td><td class="reasons">{_verdict_cell(solution.get("verdict"), say)}</td>{cells}</tr>'
    )


def _figure(value: float | None, before: float | None) -> str:
    """A figure, and how far it is from that of the version that served."""
    if value is None:
        return ""
    return f"{value:.4f}" + ("" if before is None else f'<div class="dim">{value - before:+.4f}</div>')


def _verdict_cell(verdict: Mapping[str, Any] | None, say: Say) -> str:
    if not verdict:
        return ""
    colour, word = _VERDICTS.get(verdict["decision"], ("plain", verdict["decision"]))
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict["reasons"])
    return f'<span class="verdict {colour}">{escape(say(word))}</span>' + (f"<ul>{reasons}</ul>" if reasons else "")


def _samples_section(samples: Mapping[str, SampleLists], say: Say) -> str:
    """Of each solution, of each user: both lists side by side."""
    shown = [
        f"<h3>{escape(name)}</h3>"
        + (f'<p class="dim">{escape(lists.note)}</p>' if lists.note else "")
        + f'<div class="lists">{"".join(_user_lists(n, user, say) for n, user in enumerate(lists.users, 1))}</div>'
        for name, lists in samples.items()
        if lists.users or lists.note
    ]
    about = say("What a few users would get, before filters and business rules. Marked with +: new in the list.")
    return f'<h2>{say("Sample lists")}</h2>\n<p class="dim">{about}</p>' + "\n".join(shown) if shown else ""


def _user_lists(number: int, user: SampleUser, say: Say) -> str:
    caption = say("User {number}, {events} events in the CSVs").format(number=number, events=f"{user.events:,}")
    places = "".join(
        f'<tr><td class="number">{place}</td><td>{escape(row.serving)}</td>'
        f'<td class="{"good" if row.is_new else ""}">{"+ " if row.is_new else ""}{escape(row.new)}</td></tr>'
        for place, row in enumerate(side_by_side(user), 1)
    )
    heads = f'<th class="place">#</th><th>{say("served before")}</th><th>{say("new version")}</th>'
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>{places}</tbody></table>"


def _history_section(history: Mapping[str, Sequence[VersionRecord]], say: Say) -> str:
    charts = {name: _solution_charts(records, say) for name, records in history.items()}
    shown = [f'<h3>{escape(name)}</h3><div class="charts">{drawn}</div>' for name, drawn in charts.items() if drawn]
    legend = "".join(
        f'<span><svg class="key" viewBox="0 0 12 12" aria-hidden="true"><g class="{mark}">{shape}</g></svg>{say(text)}</span>'
        for mark, shape, text in _LEGEND
    )
    return (
        f'<h2>{say("All versions over time")}</h2>\n<div class="legend dim">{legend}</div>\n' + "\n".join(shown) if shown else ""
    )


def _solution_charts(records: Sequence[VersionRecord], say: Say) -> str:
    """A chart for each leading metric that the solution's recipe measures."""
    return "".join(
        line_chart(metric_label(metric), [_point(record, metric, say) for record in records if metric in record.metrics])
        for metric in _LEADING
    )


def _point(record: VersionRecord, metric: str, say: Say) -> Point:
    """A version that was refused, rejected or rolled back is marked as such; its title says which."""
    mark, outcome = _OUTCOMES["deployed" if record.deployed else record.decision]
    value = record.metrics[metric]
    about = f"{record.trained_at:%Y-%m-%d %H:%M}, {say(outcome)}: {value:.4f}\n{record.version_arn}\nrun {record.run_id}"
    return Point(record.trained_at, value, mark, about)
