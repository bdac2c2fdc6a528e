"""Puts and patches of items and users beside the events of `bench.chaos`: any value in any column, ids of every script.

Each client has records of its own, so that it knows what they must be in the end. A change that is wrong is made of a record of
its own, whose id is then looked for among the dead letters.
"""

from __future__ import annotations

import csv
import io
import json
import random
import sys
import time
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.click_stream import SCRIPTS
from lambdas.aws.tables import from_row
from reco.target import Target
from tests.harness.deployment import Api, until

#: Of a client: the share of its changes that are wrong, and the records among which it changes the others.
WRONG, RECORDS = 0.1, 40
Key = tuple[str, str]

FLAWS: tuple[Mapping[str, Any], ...] = (
    {"PRICE": 1e300},
    {"PRICE": 10**41},
    {"PRICE": "9,50"},
    {"PRICE": None},
    {"STOCK": 1.5},
    {"STOCK": 2**31},
    {"STOCK": True},
    {"TITLE": "x" * 1001},
    {"TITLE": {"ko": ["제목"]}},
    {"CATEGORY": ["a|b", "c"]},
    {"BRAND": [["nested"]]},
    {"CREATION_TIMESTAMP": 1_700_000_000_000},
    {"COLOUR": "red"},
    {"DESCRIPTION": "x" * 33_000},
)


@dataclass
class Changes:
    """What the API accepted: how many changes, what the records must be in the end, and which ids must be dead letters.

    `accepted_at` is when the last change of a record was accepted, by a clock that only rises.
    """

    accepted: int = 0
    expected: dict[Key, dict[str, Any]] = field(default_factory=dict)
    wrong: set[Key] = field(default_factory=set)
    accepted_at: dict[Key, float] = field(default_factory=dict)

    def add(self, other: Changes) -> None:
        self.accepted += other.accepted
        self.expected |= other.expected
        self.wrong |= other.wrong
        self.accepted_at |= other.accepted_at


def change_records(target: Target, client: int, count: int, seed: int = 1) -> Changes:
    """Make so many changes, one after the other; what the API puts off is sent again."""
    api, dice, changes = Api(target), random.Random(f"{seed}-{client}"), Changes()
    for number in range(count):
        kind = dice.choice(("item", "item", "item", "user"))
        key = kind, f"{dice.choice(SCRIPTS)} c{client} n{dice.randrange(RECORDS)}"
        if dice.random() < WRONG:
            key = "item", f"wrong {dice.choice(SCRIPTS)} c{client} n{number}"
            verb, body = dice.choice((("PUT", {**item(dice), **dice.choice(FLAWS)}), ("PATCH", {"STOCK": 1})))
            changes.wrong.add(key)
        elif key in changes.expected and dice.random() < 0.6:
            whole = item(dice) if kind == "item" else user(dice)
            verb, body = "PATCH", dict(dice.sample(list(whole.items()), dice.randrange(1, len(whole))))
            changes.expected[key] |= body
        else:
            verb, body = "PUT", item(dice) if kind == "item" else user(dice)
            changes.expected[key] = dict(body)
        path = f"/{key[0]}s/{urllib.parse.quote(key[1], safe='')}"
        send(api, verb, path, body)
        changes.accepted += 1
        changes.accepted_at[key] = time.monotonic()
        if dice.random() < WRONG:
            status, answer = api.call("PATCH", path, {"TITLE": "\ud800"})
            if status != 400:
                raise RuntimeError(f"half of a surrogate pair was answered {status}: {answer}")
    return changes


def send(api: Api, verb: str, path: str, body: Any) -> None:
    while True:
        status, answer = api.call(verb, path, body)
        if status == 202:
            return
        if status not in (429, 500, 503, 504):
            raise RuntimeError(f"the API answered {status} to {verb} {path}: {answer}")
        time.sleep(0.05)


def item(dice: random.Random) -> dict[str, Any]:
    """Some values are given as the same value may be: a category as a list, no value as null, as "" or as []."""
    nothing: Any = dice.choice((None, "", []))
    return {
        "TITLE": dice.choice(SCRIPTS) * dice.choice((1, 60)),
        "CATEGORY": dice.choice(("garden", ["garden", "kitchen"], "garden|toys", nothing)),
        "BRAND": dice.choice((["한국"], "한국", nothing)),
        "PRICE": dice.choice((dice.randrange(400) / 4, dice.randrange(100), 0, 2.0**-100, 10**37)),
        "STOCK": dice.randrange(100),
        "DESCRIPTION": dice.choice((None, "설명" * dice.randrange(1, 2000))),
        "CREATION_TIMESTAMP": 1_700_000_000 + dice.randrange(1000),
    }


def user(dice: random.Random) -> dict[str, Any]:
    return {"AGE": dice.choice((None, dice.randrange(99))), "GENDER": dice.choice(("F", ["M"], None, ""))}


def kept(given: Mapping[str, Any]) -> dict[str, Any]:
    """A record as its columns are kept: categories with | between them, and none without a value."""
    joined = {name: "|".join(value) if isinstance(value, list) else value for name, value in given.items()}
    return {name: value for name, value in joined.items() if value not in (None, "")}


def unended(target: Target, changes: Changes, dead: Iterable[Key]) -> set[Key]:
    """The records that are not yet what they must be, and the wrong ones that are no dead letters yet."""
    pages = target.client("dynamodb").get_paginator("scan").paginate(TableName=f"{target.deployment}_records")
    rows = [from_row(row) for page in pages for row in page["Items"]]
    found = {tuple(row["record"].split("#", 1)): json.loads(row["columns"]) for row in rows}
    return {key for key, given in changes.expected.items() if found.get(key) != kept(given)} | (changes.wrong - set(dead))


def _export_role(target: Target, bucket: str) -> str:
    """The ARN of a role with which Personalize may write the exports; made when it is first asked for."""
    iam, name = target.client("iam"), "chaos-export"
    if name in {role["RoleName"] for role in iam.list_roles()["Roles"]}:
        return str(iam.get_role(RoleName=name)["Role"]["Arn"])
    trusted = {"Effect": "Allow", "Principal": {"Service": "personalize.amazonaws.com"}, "Action": "sts:AssumeRole"}
    below = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/export/*"}
    trust, policy = (json.dumps({"Version": "2012-10-17", "Statement": [statement]}) for statement in (trusted, below))
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="write", PolicyDocument=policy)
    return str(role["Arn"])


def _held_by_personalize(target: Target, kind: str) -> dict[str, dict[str, str]]:
    """The rows of a dataset by id, by an export; cells without a value are left out."""
    personalize, bucket = target.client("personalize"), target.output("storage", "DataBucket")
    (dataset,) = (
        entry["datasetArn"]
        for entry in personalize.list_datasets()["datasets"]
        if entry["datasetArn"].endswith(f"/{target.deployment}/{kind.upper()}S")
    )
    name = f"export-{kind}-{time.time_ns()}"
    job = personalize.create_dataset_export_job(
        jobName=name,
        datasetArn=dataset,
        ingestionMode="PUT",
        roleArn=_export_role(target, bucket),
        jobOutput={"s3DataDestination": {"path": f"s3://{bucket}/export/"}},
    )["datasetExportJobArn"]
    until(lambda: personalize.describe_dataset_export_job(datasetExportJobArn=job)["datasetExportJob"]["status"] == "ACTIVE")
    text = target.client("s3").get_object(Bucket=bucket, Key=f"export/{name}.csv")["Body"].read().decode()
    rows = csv.DictReader(io.StringIO(text, newline=""), doublequote=False, escapechar="\\")
    return {row.pop(f"{kind.upper()}_ID"): {name: cell for name, cell in row.items() if cell} for row in rows}


def catalogue(target: Target) -> dict[str, dict[str, Any]]:
    pages = target.client("dynamodb").get_paginator("scan").paginate(TableName=target.output("storage", "CatalogueTable"))
    return {row["item_id"]["S"]: from_row(row)["attributes"] for page in pages for row in page["Items"]}


def account(target: Target, changes: Changes, dead: Iterable[Key]) -> dict[str, int]:
    """What was accepted and is lost; and the items that the catalogue has otherwise than Personalize, or one of them alone."""
    there = {kind: _held_by_personalize(target, kind) for kind in ("item", "user")}
    lost = {key for key, given in changes.expected.items() if not same(there[key[0]].get(key[1], {}), kept(given))}
    lost |= {key for key in changes.wrong if key not in set(dead) or key[1] in there[key[0]]}
    shown, items = catalogue(target), there["item"]
    differs = [
        item_id for item_id in shown.keys() | items.keys() if item_id not in shown or not _same_shown(items, shown, item_id)
    ]
    for name, wrong in (("lost", lost), ("otherwise in the catalogue than in Personalize", differs)):
        if wrong:
            print(f"{name}, among them {sorted(wrong)[:5]}", file=sys.stderr)
    return {"records_accepted": changes.accepted, "records_lost": len(lost), "catalogue_differs": len(differs)}


def _same_shown(items: Mapping[str, Mapping[str, str]], shown: Mapping[str, Mapping[str, Any]], item_id: str) -> bool:
    row = {name: cell for name, cell in items.get(item_id, {}).items() if name != "DESCRIPTION"}
    return same(row, kept(shown[item_id]))


def same(cells: Mapping[str, str], values: Mapping[str, Any]) -> bool:
    """Whether the cells of an export spell the values; a number is as near as a float of 32 bits is."""
    if cells.keys() != values.keys():
        return False
    for name, value in values.items():
        if name in ("PRICE", "STOCK", "AGE", "CREATION_TIMESTAMP"):
            if abs(float(cells[name]) - float(value)) > abs(float(value)) * 1e-6:
                return False
        elif cells[name] != value:
            return False
    return True
