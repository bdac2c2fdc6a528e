"""Makes a load current, in one conditional write, if enough of it was written; else readers keep the previous load."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field

from lambdas.aws import clients
from lambdas.aws.observability import logger
from lambdas.aws.tables import delete_all
from lambdas.batch.load_counts import Counts
from lambdas.batch.publish_batch.rejected import not_made
from lambdas.batch.runs import Making, started
from lambdas.config import environment
from lambdas.stores import keys
from lambdas.stores.batch_lists import row_key
from lambdas.stores.erasures import erased_since
from lambdas.stores.published import Published, publish
from lambdas.stores.segments import pointer

#: The share of the lines, without those of erased users, that must have been written; of fewer lines than FEW, where one line
#: would be too many to lose, that of a load with few lines.
ENOUGH, FEW, ENOUGH_OF_FEW = 0.99, 100, 0.5


class TooFewWritten(Exception):
    """The load has a gap that is too large."""


class Superseded(Exception):
    """A newer run has published."""


class Loaded(BaseModel):
    """How the load of one output file ended."""

    key: str = ""
    counts: Counts = Field(default_factory=Counts)
    error: str = ""


class PublishRequest(BaseModel):
    making: Making
    loads: list[Loaded]


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = PublishRequest.model_validate(event)
    making, found = request.making, result(request)
    _require_enough(making, found)
    _forget_erased(making)
    published = Published(
        version=making.version,
        published_at=datetime.now(UTC),
        lines=found["lines"],
        written=found["written"],
        rejected=found["rejected"],
    )
    segment = making.kind == "segment"
    table = environment.current().segments_table if segment else environment.current().batch_lists_table
    if not publish(table, pointer(making.name) if segment else keys.key(keys.BATCH_LISTS, making.name), published):
        raise Superseded(f"{making.name}: a newer version than {making.version} is current")
    return {"status": "ACTIVE", **found}


def result(request: PublishRequest) -> dict[str, Any]:
    """The counts of all files. `lines` are those that the input asked for; what has no output line is `missing`."""
    making = request.making
    body = clients.s3().get_object(Bucket=environment.current().data_bucket, Key=making.key("input.json"))["Body"]
    made = json.loads(body.read())
    asked = int(made["lines"])
    sums = {name: sum(getattr(load.counts, name) for load in request.loads) for name in Counts.model_fields}
    lines = max(asked, sums["lines"])
    return {
        **making.model_dump(),
        **sums,
        "lines": lines,
        "missing": lines - sums["lines"],
        **{name: made[name] for name in ("rows_read", "rows_used", "rows_dropped") if name in made},
        "rejected_lines": making.address("rejected/") if sums["rejected"] else "",
        "unloaded_files": [f"{load.key}: {load.error}" for load in request.loads if load.error],
        "not_made": not_made(making) if making.kind == "segment" and sums["rejected"] else [],
    }


def _require_enough(making: Making, found: dict[str, Any]) -> None:
    """Raises TooFewWritten.

    The queries of a segment stand each by itself: what was answered is published, unless a file of answers could not be loaded.
    """
    owed = found["lines"] - found["erased"]
    share = ENOUGH if owed >= FEW or found["unloaded_files"] else ENOUGH_OF_FEW
    each_by_itself = making.kind == "segment" and found["written"] and not found["unloaded_files"]
    if each_by_itself or found["written"] >= share * owed:
        return
    named = [f"{each['query']}: {each['reason']}" for each in found["not_made"]]
    where = "; ".join([found["rejected_lines"], *named, *found["unloaded_files"]]).strip("; ")
    raise TooFewWritten(
        f"{found['written']} of {owed} lines were written ({found['rejected']} rejected, {found['missing']} missing), "
        f"fewer than {share:.0%}: the previous lists stay{f' ({where})' if where else ''}"
    )


def _forget_erased(making: Making) -> None:
    """Take out the lists of users who asked to be forgotten since the run began: loading left out all who had before."""
    if making.kind == "segment":
        return
    users = erased_since(started(making.version))
    rows = (keys.key(keys.BATCH_LISTS, row_key(making.name, making.version, user)) for user in users)
    delete_all(environment.current().batch_lists_table, rows)
