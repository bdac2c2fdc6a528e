"""Erasure forgets no store: the list of lambdas/stores/user_stores.py against what the templates make."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lambdas.ingestion import user_data
from lambdas.stores import prefixes
from lambdas.stores.user_stores import STORES, Gone, Store
from tests.stacks.conftest import Templates, resources

PAGE = Path("docs/ingestion.md").read_text().split("## Erasure")[1].split("\n## ")[0]
NAMED = {"AWS::DynamoDB::Table": "TableName", "AWS::SQS::Queue": "QueueName", "AWS::Kinesis::Stream": "Name"}
KINDS = {"AWS::DynamoDB::Table": "table", "AWS::SQS::Queue": "queue", "AWS::Kinesis::Stream": "stream"}
#: What keeps data and could hold a user's; a template with another of these has to teach this test to read it.
STATEFUL = re.compile(
    r"AWS::(S3|DynamoDB|SQS|Kinesis|RDS|ElastiCache|EFS|OpenSearchService|Timestream|Redshift|MemoryDB|DocDB|Neptune)::"
    r"(Bucket|\w*Table|Queue|\w*Stream|DB\w+|\w*Cluster|\w*Cache|FileSystem|Domain|Database)"
)


@pytest.fixture(params=["templates", "templates_of_prod"])
def made(request: pytest.FixtureRequest) -> Templates:
    found: Templates = request.getfixturevalue(request.param)
    return found


def named(templates: Templates) -> dict[tuple[str, str], dict[str, Any]]:
    """The properties of the tables, queues, streams and buckets by kind and name, as the list has them."""
    found = {}
    for kind, key in NAMED.items():
        for _, resource in resources(templates, kind):
            found[KINDS[kind], resource["Properties"][key].split("_", 1)[1]] = resource["Properties"]
    for logical_id, resource in resources(templates, "AWS::S3::Bucket"):
        found["bucket", re.sub(r"[0-9A-F]{8}$", "", logical_id)] = resource["Properties"]
    return found


def rules(bucket: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A bucket's lifecycle rules by prefix, that of the whole bucket by an empty one."""
    return {rule.get("Prefix", ""): rule for rule in bucket["LifecycleConfiguration"]["Rules"]}


def days(store: Store, properties: dict[str, Any]) -> float:
    """After how many days AWS lets go of what is in a store."""
    if store.kind == "queue":
        return properties["MessageRetentionPeriod"] / 86_400
    if store.kind == "stream":
        return properties["RetentionPeriodHours"] / 24
    return float(rules(properties)[store.name if store.kind == "prefix" else ""]["ExpirationInDays"])


def test_every_store_is_in_the_list(made: Templates) -> None:
    listed = {(store.kind, store.name) for store in STORES if store.kind not in ("prefix", "service")}
    assert named(made).keys() == listed | {("bucket", "Data")}, "the prefixes of the data bucket are listed one by one"
    stateful = {resource["Type"] for each in made.values() for resource in each["Resources"].values()}
    assert {kind for kind in stateful if STATEFUL.fullmatch(kind)} == {*NAMED, "AWS::S3::Bucket"}


def test_every_prefix_is_in_the_list() -> None:
    known = {value for name, value in vars(prefixes).items() if name.isupper() and isinstance(value, str)}
    known |= {prefixes.without_erased(kind) for kind in ("interactions", "users")}
    listed = {store.name for store in STORES if store.kind == "prefix"}
    assert listed <= known
    for prefix in known - listed:
        assert any(prefix.startswith(each) for each in listed), f"how does an erased user go from {prefix}?"


def test_what_expires_does_so_in_the_days_of_the_list(made: Templates) -> None:
    found = named(made)
    for store in STORES:
        properties = found["bucket", "Data"] if store.kind == "prefix" else found.get((store.kind, store.name), {})
        if store.kind == "table" and store.gone is Gone.EXPIRED:
            assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
        elif store.gone is Gone.EXPIRED:
            assert days(store, properties) == store.days, store
        else:
            assert store.days is None
    expiring = {store.name for store in STORES if store.kind == "prefix" and store.days}
    assert rules(found["bucket", "Data"]).keys() == expiring | {"", prefixes.EVENTS}


def test_old_versions_of_what_is_gone_go_too(made: Templates) -> None:
    for (kind, name), properties in named(made).items():
        if kind == "bucket" and properties.get("VersioningConfiguration"):
            after = {prefix: rule["NoncurrentVersionExpiration"]["NoncurrentDays"] for prefix, rule in rules(properties).items()}
            assert after == {prefix: 1 if prefix else 30 for prefix in after}, name


def test_erasure_walks_the_tables_of_the_list() -> None:
    assert set(user_data.TABLES) == {store.name for store in STORES if store.gone is Gone.AT_ONCE}


def test_the_page_names_every_store_that_holds_a_user() -> None:
    for store in STORES:
        if store.gone is not Gone.NOTHING_THERE:
            assert f"`{store.name}`" in PAGE or store.kind == "service", store
        if store.days:
            spelled = {1: "a day", 2: "two days", 7: "a week"}.get(store.days, f"{store.days} days")
            assert any(f"`{store.name}`" in line and spelled in line for line in PAGE.splitlines()), store
