"""What a batch job reads: arguments for the Spark job that builds it, or for a segment its queries.

docs: personalize/latest/dg/batch-data-upload.html, personalize/latest/dg/prepare-input-data-user-segment.html
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from lambdas.aws import clients
from lambdas.aws.ensure import ResourceFailed
from lambdas.aws.signed import SignedObjects
from lambdas.batch.runs import Making
from lambdas.config import Batch, Config, environment
from lambdas.config.recipes import RECIPES
from lambdas.stores import prefixes
from lambdas.stores.snapshots import read_snapshot

KINDS = {"PERSONALIZED_RANKING": "rankings", "RELATED_ITEMS": "items"}
#: A ranking takes this many items (personalize/latest/dg/limits.html).
_MOST_CANDIDATES = 500


def prepare(config: Config, making: Making, run_started: datetime, erased: str) -> dict[str, Any]:
    """Write what is written by hand; returns the Spark job's arguments (of a batch) and what the steps after need."""
    keep_days = (config.segments if making.kind == "segment" else config.batch)[making.name].keep_days
    more: dict[str, Any] = {
        "output": making.key("output/"),
        "rejected": making.key("rejected/"),
        "expires": round((run_started + timedelta(days=keep_days)).timestamp()),
    }
    if making.kind == "segment":
        _write_queries(config, making)
        return more
    return more | {"arguments": arguments(config, making, run_started, erased)}


def arguments(config: Config, making: Making, run_started: datetime, erased: str) -> dict[str, str]:
    """The arguments of glue/batch_input.py."""
    batch, bucket = config.batch[making.name], environment.current().data_bucket
    given = {
        "--archive": prefixes.address(bucket, prefixes.EVENTS),
        "--interactions": prefixes.address(bucket, prefixes.INTERACTIONS),
        "--erased": erased,
        "--output": making.address("input/"),
        "--report": making.address("input.json"),
        "--kind": KINDS.get(RECIPES[config.solutions[batch.solution].recipe].type, "users"),
        "--active_days": str(batch.active_within_days),
        "--now": run_started.isoformat(),
    }
    return given | ({"--candidates": _write_candidates(making, batch)} if batch.candidates else {})


def _write_candidates(making: Making, batch: Batch) -> str:
    """The best sellers, one id a line; returns their address. Raises ResourceFailed when they were not counted yet."""
    bucket, solution = environment.current().data_bucket, str(batch.candidates)
    try:
        item_ids = read_snapshot(SignedObjects(), bucket, solution)[:_MOST_CANDIDATES]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        raise ResourceFailed(f"there is no snapshot of '{solution}' yet to take candidates from: train it") from None
    clients.s3().put_object(Bucket=bucket, Key=making.key("candidates.txt"), Body="\n".join(item_ids).encode())
    return making.address("candidates.txt")


def _write_queries(config: Config, making: Making) -> None:
    """The input of a segment job, and the report that a Spark job would have left."""
    segment = config.segments[making.name]
    field = "itemId" if segment.item_ids else "itemAttributes"
    lines = [json.dumps({field: query}) for query in segment.queries]
    put = clients.s3().put_object
    put(Bucket=environment.current().data_bucket, Key=making.key("input/queries.json"), Body="\n".join(lines).encode())
    put(Bucket=environment.current().data_bucket, Key=making.key("input.json"), Body=json.dumps({"lines": len(lines)}).encode())
