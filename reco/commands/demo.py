"""The main job in one go: MovieLens from CSVs to recommendations over HTTP, before and after a few events."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lambdas.config import Config
from reco.console import Steps, results, say, show_table
from reco.data import load, movielens
from reco.data.csv_folder import columns_of
from reco.data.event_file import Event
from reco.deployment import batch, events, serving, train
from reco.deployment.metrics import metrics_rows, recipes
from reco.errors import RecoError
from reco.local.running import start_local, step
from reco.local.synth import ENVIRONMENT
from reco.remembered import remember
from reco.target import DATA, Target

_CACHE = Path(".cache/movielens")
_PLACEMENT = "home"
#: The films that the user of the demo watches while we look on.
GENRE, WATCHED = "Horror", 5
#: Items of a batch list that are shown.
_SHOWN = 10
#: Seconds for which the events may be on their way.
_PATIENCE = 30.0


def run(
    config_path: Path, config: Config, source: Path | None, speed: float, *, keep: bool = False, fresh: bool = False
) -> dict[str, Any]:
    """All steps; returns what `reco demo --json` writes. Raises RecoError when a step did not do what it should.

    `keep` keeps it running where `reco status`, `recommend` and `down` find it; `fresh` starts it empty.
    """
    began = time.monotonic()
    data = DATA if keep else DATA / "demo"
    if keep and not fresh and (data / "deployments" / config.name).exists():
        raise RecoError(
            f"The deployment {config.name} holds data of an earlier run: `reco up --detach` starts it with them, "
            "`reco demo --keep --fresh` forgets them."
        )
    with step("Get MovieLens 100k"):
        folder = _CACHE / "csv"
        counts = movielens.write_csvs(source or movielens.fetch(_CACHE), folder)
    _show_data(counts)
    ports = {"port": 0, "api_port": 0, "personalize_port": 0}
    environment, seconds = start_local(config, config_path, data, detach=keep, speed=speed, ports=ports, fresh=True)
    with contextlib.ExitStack() as until_the_end:
        until_the_end.enter_context(environment)
        target = Target(config.name, environment)
        with step("Upload the CSVs to S3") as clock:
            load.upload(target, load.find_csvs(folder))
            load_seconds = clock()
        outcome, report = _train_all(target)
        show_table("Metrics on held-out users", *metrics_rows(report["solutions"]))
        results.print(recipes(report["solutions"]), markup=False)
        recommendations = _before_and_after(target, folder, config.title_column)
        made = _batch_lists(target, folder, config.title_column) if config.batch else None
        storefront = _invite(target, config, keep)
        if keep:
            remember(config_path, os.environ.get(ENVIRONMENT) or None, "reco demo --keep")
            until_the_end.pop_all()
    return {
        "storefront_url": storefront,
        "dataset": counts.as_dict(),
        "train": {
            "status": outcome.status,
            "seconds": round(outcome.seconds, 1),
            "solutions": [{key: s[key] for key in ("name", "recipe", "metrics")} for s in report["solutions"]],
        },
        "recommendations": recommendations,
        "batch": made,
        "seconds": {
            name: round(value, 1)
            for name, value in {
                **vars(seconds),
                "load": load_seconds,
                "train": outcome.seconds,
                "batch": made["seconds"] if made else 0,
                "total": time.monotonic() - began,
            }.items()
        },
    }


def _invite(target: Target, config: Config, kept: bool) -> str | None:
    """Say how to see it; the address, if it stays."""
    if kept:
        say("The deployment keeps running: `reco status` shows its addresses, `reco down` stops it.")
    if config.storefront is None:
        return None
    if not kept:
        say("See the lists change as you click: `.venv/bin/reco demo --keep` keeps all of this running, with a storefront.")
        return None
    results.print(f"The storefront: {target.storefront_url}")
    return target.storefront_url


def _show_data(counts: movielens.Counts) -> None:
    show_table("Data", ["users", "items", "interactions"], [[counts.users, counts.items, counts.interactions]])


def _train_all(target: Target) -> tuple[train.Outcome, dict[str, Any]]:
    """One train run, followed to its end."""
    with step("Run the train state machine"):
        tell = Steps(lambda line: say(f"    {line}"))
        outcome = train.follow(target, train.start(target), tell, every=0.3)
        tell.end()
    results.print(f"Train state machine: {outcome.status}")
    return outcome, train.require_success(outcome)


def _before_and_after(target: Target, folder: Path, title: str | None) -> dict[str, list[str]]:
    """One user's recommendations, then again after a few events. Raises RecoError when nothing changed."""
    user, watched = _user_and_films(folder)
    before = _answer_that(target, user, lambda items: True, "The API gave no whole answer.")
    with step(f"Send {WATCHED} events: user {user} watches {WATCHED} films of the genre {GENRE}"):
        sent = [
            Event.model_validate({"event_type": "Watch", "item_id": film, "user_id": user, "event_value": 5}) for film in watched
        ]
        events.send(target, sent)
        old, seen = ids(before), set(watched)
        after = _answer_that(
            target,
            user,
            lambda items: ids(items) != old and not seen.intersection(ids(items)),
            "The events did not change the recommendations, or films that the user has just watched are still among them.",
        )
    _show_change(user, before, after, title)
    return {"before": old, "after": ids(after)}


def _batch_lists(target: Target, folder: Path, title: str | None) -> dict[str, Any]:
    """A list for every user, made ahead of time; one of them is shown. Raises RecoError when a run did not make them.

    Returns what `reco demo --json` says of them.
    """
    with step("Run the batch state machine: Spark, batch inference, DynamoDB"):
        tell = Steps(lambda line: say(f"    {line}"))
        outcome = batch.follow(target, batch.start(target), tell, every=0.3)
        tell.end()
    (made,) = train.require_success(outcome, "batch")["made"]
    user, _ = _user_and_films(folder)
    answer = serving.batch_list(target, made["name"], user)
    _show_list(user, answer["items"], made["written"], answer["source"], title)
    return {
        "status": outcome.status,
        "seconds": round(outcome.seconds, 1),
        "lists": made["written"],
        "list": [item["item_id"] for item in answer["items"]],
    }


def _show_list(user: str, items: list[dict[str, Any]], of: int, source: str, title: str | None) -> None:
    rows = [[n, _label(item, title)] for n, item in enumerate(items, 1)]
    show_table(f"The list of user {user}, one of {of} (from {source})", ["#", "item"], rows[:_SHOWN])


def _answer_that(
    target: Target, user: str, suits: Callable[[list[dict[str, Any]]], bool], otherwise: str
) -> list[dict[str, Any]]:
    """The user's recommendations once they suit: events take a second or two. Raises RecoError with `otherwise` if they never do.

    Only whole answers count. On a busy machine a function that has just started gives what its time budget allows: fallbacks, or
    items without attributes.
    """
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        answer = serving.recommend(target, _PLACEMENT, {"user_id": user})
        items: list[dict[str, Any]] = answer["items"]
        if items and "recommendation_id" in answer and all(item["attributes"] for item in items) and suits(items):
            return items
        time.sleep(0.2)
    raise RecoError(otherwise)


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["item_id"] for item in items]


def _user_and_films(folder: Path) -> tuple[str, list[str]]:
    """A user with a middling history, and the most watched films of the genre that the user has not seen."""
    seen: dict[str, set[str]] = {}
    watched = Counter[str]()
    for _, (user, film) in columns_of([folder / "interactions.csv"], ["USER_ID", "ITEM_ID"]):
        seen.setdefault(user, set()).add(film)
        watched[film] += 1
    user = min(seen, key=lambda name: (abs(len(seen[name]) - 60), name))
    items = columns_of([folder / "items.csv"], ["ITEM_ID", "GENRES"])
    of_genre = {film for _, (film, genres) in items if GENRE in genres.split("|")}
    films = sorted(of_genre - seen[user], key=lambda film: (-watched[film], film))
    return user, films[:WATCHED]


def _show_change(user: str, before: list[dict[str, Any]], after: list[dict[str, Any]], title: str | None) -> None:
    """Both lists side by side; films that are new in the second are marked."""
    old = {item["item_id"] for item in before}
    rows = [
        [n, _film(first, title), ("+ " if second["item_id"] not in old else "  ") + _film(second, title)]
        for n, (first, second) in enumerate(zip(before, after, strict=False), 1)
    ]
    show_table(f"Recommendations for user {user} ({_PLACEMENT})", ["#", "before", f"after {WATCHED} events"], rows)


def _film(item: dict[str, Any], title: str | None) -> str:
    """The film alone, by the column that the config names: two stand side by side. MovieLens has a year of most."""
    attributes = item["attributes"]
    name = attributes.get(title or "", item["item_id"])
    return f"{name} ({attributes['YEAR']})" if "YEAR" in attributes else str(name)


def _label(item: dict[str, Any], title: str | None) -> str:
    """The film, and what the item's columns of several values hold: its genres."""
    several = ["/".join(value) for value in item["attributes"].values() if isinstance(value, list)]
    return " ".join([_film(item, title), *several])
