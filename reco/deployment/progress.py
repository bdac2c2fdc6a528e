"""What a run is doing, in sentences: read from the history of its state machine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple


class Doing(NamedTuple):
    """What goes on; a later sentence of the same step takes the place of an earlier one."""

    step: str
    text: str
    #: Whether somebody has to act.
    waits: bool = False


#: By the state of the machine. Where the state's answer lists parts, they are counted.
_SENTENCES = {
    "Plan the run": "Checking the CSVs",
    "Prepare dataset group": "Preparing the dataset group",
    "Prepare tracker and filters": "Preparing the event tracker and the filters",
    "Judge versions": "Comparing the new versions with those that serve",
    "Publish the deployment": "Publishing what is deployed to the API",
    "Report the run": "Writing the report",
    "List erased users": "Listing the users that were erased",
    "Prepare the input": "Choosing the users of each list",
    "Build input": "Building the input with Spark",
    "Start batch inference": "Making the lists in Personalize",
    "Load lists": "Loading the lists into DynamoDB",
    "Publish": "Publishing the lists",
}
_COUNTED = {
    "Import datasets": ("Importing", "dataset"),
    "Train solutions": ("Training", "solution"),
    "Deploy campaigns": ("Deploying", "campaign"),
}


def doings(events: Iterable[Mapping[str, Any]]) -> Iterator[Doing]:
    """What each event of the history tells of."""
    for event in events:
        if entered := event.get("stateEnteredEventDetails"):
            yield from _entered(entered["name"], entered.get("input", ""), event["timestamp"])
        elif left := event.get("stateExitedEventDetails"):
            yield from _counted(left["name"], left.get("output", ""))


def _entered(state: str, given: str, when: datetime) -> Iterator[Doing]:
    if state in _SENTENCES:
        yield Doing(state, _SENTENCES[state])
    elif state in _COUNTED:
        doing, what = _COUNTED[state]
        if not _plain(given).get("parts"):  # not when it looks again
            yield Doing(state, f"{doing} {what}s")
    elif state == "Make sample lists":
        if not _plain(given).get("samples"):  # not when it looks again
            name = _verdict(given).get("name", "a solution")
            yield Doing(f"{state} {name}", f"Making lists of {name} for a few users, by both versions")
    elif state == "Ask for approval":
        verdict = _verdict(given)
        name, until = verdict.get("name", "a solution"), when + timedelta(seconds=int(verdict.get("approval_seconds") or 0))
        text = (
            f"Waiting until {until.astimezone():%Y-%m-%d %H:%M} for an approval of {name}: "
            f"`reco approve` shows both versions, `reco approve {name}` deploys the new one, with --reject it does not"
        )
        yield Doing(f"{state} {name}", text, waits=True)


def _counted(state: str, answer: str) -> Iterator[Doing]:
    """How far the parts of a step are."""
    if state not in _COUNTED:
        return
    parts = [part for part in _plain(answer).get("parts") or [] if isinstance(part, dict)]
    doing, what = _COUNTED[state]
    done, failed = (sum(part.get("status") == status for part in parts) for status in ("ACTIVE", "FAILED"))
    if parts:
        wrong = f", {failed} failed" if failed else ""
        yield Doing(state, f"{doing} {len(parts)} {what}{'s' if len(parts) > 1 else ''}, {done} done{wrong}")
    else:
        yield Doing(state, f"{doing} {what}s: nothing to do")


def _verdict(given: str) -> dict[str, Any]:
    """The verdict on the version that a person is asked about."""
    verdict = _plain(given).get("verdict")
    return verdict if isinstance(verdict, dict) else {}


def _plain(text: str) -> dict[str, Any]:
    """The JSON of an event; nothing where it was left out or cut off."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
