"""Shows what a simulation of growth found, in tables of 80 columns."""

from __future__ import annotations

from typing import Any

from lambdas.config.api import Api
from reco.console import results, show_table

_TITLES = {"as_shipped": "as shipped", "throttle_raised": "with api.throttle as high as the config takes it"}
_INGESTION = ["size", "events\n/s", "shards", "lag s\np50/p99", "posts\nrefused", "PutEvents\nthrottled", "bottleneck"]
_SERVING = ["size", "answers\n/s", "ms\np50/p99", "concur-\nrency", "API\n429", "no\nworker", "fall-\nbacks", "bottleneck"]
_NEEDS = ["size", "API\ncalls/s", "busiest\ncampaign/s", "all\ncampaigns/s", "PutEvents\n/s", "concur-\nrency", "lag s\np99"]
_BATCH = ["size", "lists", "input", "files", "state\nKiB", "write\nunits", "minutes:\nloaders/\nnew table/\nquota", "dollars"]

_PAGES = ["size", "calls\n/s", "API 429\n(throttle)", "calls a day", "of browser_calls_per_day"]


def show(made: dict[str, Any]) -> None:
    """The tables, and what they were made of."""
    for name, title in _TITLES.items():
        show_table(f"Ingestion, {title}", _INGESTION, [_ingestion(size, of) for size, of in made[name].items()])
        show_table(f"Serving, {title}", _SERVING, [_serving(size, of) for size, of in made[name].items()])
    show_table(
        "With the browsers' defaults, where pages make all calls", _PAGES, [_pages(*one) for one in made["from_pages"].items()]
    )
    needs = [_needs(size, of) for size, of in made["without_quotas"].items()]
    show_table("The most of a second, without quotas", _NEEDS, needs)
    show_table("A batch run", _BATCH, [_batch(size, of) for size, of in made["batch_run"].items()])
    heads = ["size", "events kept", "hours of the four Spark jobs together"]
    show_table("The archive", heads, [_archive(size, of) for size, of in made["archive"].items()])
    figures = [[name, f"{of['value']:,g} {of['unit']}", of["source"]] for name, of in made["figures"].items()]
    show_table("Made with", ["figure", "value", "from"], figures)
    results.print("A lag with +: posts still wait five seconds after the end, and it grows on.")
    results.print("The bottleneck is what is asked for most, beside what there is of it.")


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"


def _narrowest(of: dict[str, Any], names: tuple[str, ...]) -> str:
    used = {name: share for name, share in of["used"].items() if name.startswith(names)}
    most = max(used, key=used.__getitem__)
    return f"{most} {_percent(used[most])}"


def _ingestion(size: str, of: dict[str, Any]) -> list[str]:
    lag, more = of["lag_s"], "+" if of["lag_grows"] else ""
    return [
        f"{int(size):,}x",
        f"{of['events_per_s']:,.0f}",
        f"{of['shards']}",
        f"{lag['p50']:.1f}/{lag['p99']:.1f}{more}",
        _percent(of["posts_refused"]),
        _percent(of["put_events_throttled"]),
        _narrowest(of, ("throttle", "API", "PutEvents", "shards")),
    ]


def _serving(size: str, of: dict[str, Any]) -> list[str]:
    return [
        f"{int(size):,}x",
        f"{of['answers_per_s']:,.0f}",
        f"{of['answer_ms']['p50']:.0f}/{of['answer_ms']['p99']:.0f}",
        f"{of['concurrency']['most']:,}",
        _percent(of["answers_refused"]),
        _percent(of["answers_without_a_worker"]),
        _percent(of["answers_of_fallbacks"]),
        _narrowest(of, ("throttle", "API", "Lambda", "campaign", "all")),
    ]


def _pages(size: str, of: dict[str, Any]) -> list[str]:
    return [
        f"{int(size):,}x",
        f"{of['answers_per_s'] + of['posts_per_s']:,.0f}",
        _percent(of["answers_refused"]),
        f"{of['calls_per_day']:,.0f}",
        _percent(of["calls_per_day"] / Api().browser_calls_per_day),
    ]


def _needs(size: str, of: dict[str, Any]) -> list[str]:
    calls = of["most_calls_per_s"]
    busiest = max((count for name, count in calls.items() if name.startswith("campaign ")), default=0)
    return [
        f"{int(size):,}x",
        f"{calls.get('API', 0):,}",
        f"{busiest:,}",
        f"{calls.get('campaigns', 0):,}",
        f"{calls.get('PutEvents', 0):,}",
        f"{of['concurrency']['most']:,}",
        f"{of['lag_s']['p99']:.1f}",
    ]


def _batch(size: str, of: dict[str, Any]) -> list[str]:
    return [
        f"{int(size):,}x",
        f"{of['lists'] / 1e6:g}M",
        f"{1000 * of['input_gb']:,.0f} MB" + (", refused" if of["refused"] else ""),
        f"{of['files']:,}",
        f"{of['state_bytes'] / 1024:.0f}",
        f"{of['write_units'] / 1e6:g}M",
        "/".join(f"{of[f'minutes_of_{name}']:,.0f}" for name in ("loaders", "a_new_table", "the_tables_quota")),
        f"{of['dollars']:,.2f}",
    ]


def _archive(size: str, of: dict[str, Any]) -> list[str]:
    return [
        f"{int(size):,}x",
        f"{of['events'] / 1e6:,.0f}M",
        f"{of['hours_at_least']:,.1f} to {of['hours_at_most']:,.1f}",
    ]
