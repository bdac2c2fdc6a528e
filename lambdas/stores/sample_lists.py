"""Sample lists: what a few users would get of a new version, beside what they get of the one that serves.

They stand beside the run's report, for whoever decides about the version, and name no user: "user 1 (42 events)" is all that is
kept. What Personalize reads and writes for them names users; it stands below `samples/` and expires.
"""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import Literal, NamedTuple

from botocore.exceptions import ClientError
from pydantic import BaseModel, Field, ValidationError

from lambdas.aws import clients
from lambdas.aws.failures import Failure
from lambdas.config import environment
from lambdas.stores import prefixes
from lambdas.stores.reports import write_report

#: Items of a list.
LENGTH = 10
Which = Literal["new", "serving"]


class Item(BaseModel):
    """An item of a list; `title` is empty where the catalogue has none."""

    item_id: str
    title: str = ""


class SampleUser(BaseModel):
    """One user's lists, best item first; `events` is how many the CSVs hold of the user."""

    events: int
    new: list[Item]
    serving: list[Item] = Field(default_factory=list)


class SampleLists(BaseModel):
    """The lists of both versions, longest history first; `note` says what is missing, and why."""

    users: list[SampleUser] = Field(default_factory=list)
    note: str = ""


class Made(BaseModel):
    """What the state machine knows of the lists: where they are, or the error that there are none for."""

    key: str = ""
    failure: Failure | None = None


class Row(NamedTuple):
    """One place of both lists; `is_new` where the version that serves has the item nowhere in its list."""

    serving: str
    new: str
    is_new: bool


def side_by_side(user: SampleUser) -> list[Row]:
    served = {item.item_id for item in user.serving}
    return [
        Row(_text(old), _text(new), new is not None and bool(served) and new.item_id not in served)
        for old, new in zip_longest(user.serving, user.new)
    ]


def _text(item: Item | None) -> str:
    return "–" if item is None else item.title or item.item_id


def input_key(run_id: str, solution: str) -> str:
    return f"{prefixes.SAMPLES}{run_id}/{solution}/users.json"


def output_prefix(run_id: str, solution: str, which: Which) -> str:
    return f"{prefixes.SAMPLES}{run_id}/{solution}/{which}/"


def output_key(run_id: str, solution: str, which: Which) -> str:
    """The service names an output after its input."""
    return f"{output_prefix(run_id, solution, which)}users.json.out"


def keep(run_id: str, solution: str, lists: SampleLists) -> str:
    """Put the lists beside the run's report; returns their key."""
    key = f"{run_id}/samples-{solution}.json"
    write_report(key, json.dumps(lists.model_dump(mode="json"), ensure_ascii=False))
    return f"{prefixes.REPORTS}{key}"


def kept(made: Made) -> SampleLists:
    """The lists of a run; without any, and with the reason in their note, where they were not made or can't be read."""
    if made.failure:
        return SampleLists(note=f"There are no sample lists: {made.failure.message or made.failure.error}")
    if not made.key:
        return SampleLists()
    try:
        body = clients.s3().get_object(Bucket=environment.current().data_bucket, Key=made.key)["Body"]
        return SampleLists.model_validate_json(body.read())
    except (ClientError, ValidationError) as error:
        return SampleLists(note=f"There are no sample lists: {made.key} can't be read ({error})")
