"""Loads one output file of a batch job into DynamoDB, line by line: a file of any size, in as many calls as it takes.

A call that runs out of time answers PENDING with the byte at which the next goes on. One that dies is made again from the byte
at which it began, and writes the same rows again: counts are those of calls that answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, Field

from lambdas.aws.observability import logger
from lambdas.aws.retry import Patience
from lambdas.batch.load_counts import Counts
from lambdas.batch.load_recommendations.lines import read_lines
from lambdas.batch.load_recommendations.rejected import RejectedLines
from lambdas.batch.load_recommendations.rows import ERASED, Rejected, Row, list_rows, segment_rows
from lambdas.batch.load_recommendations.writer import Writer
from lambdas.config import environment
from lambdas.config.packed import packed_config
from lambdas.config.recipes import RECIPES
from lambdas.stores import keys
from lambdas.stores.erasures import all_erased

#: Milliseconds before the end of a call: no more lines are read, and no more attempts are made to write.
STOP_READING, STOP_WRITING = 60_000, 15_000
#: Lines between two looks at the clock.
_LOOK_EVERY = 200


class LoadRequest(BaseModel):
    kind: Literal["batch", "segment"]
    name: str
    version: str
    key: str
    rejected_prefix: str
    expires: int
    offset: int = 0
    counts: Counts = Field(default_factory=Counts)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = LoadRequest.model_validate(event)
    if not request.key.endswith(".out"):  # the service's marker that an output is complete
        return {"status": "DONE", "key": request.key, "counts": request.counts.model_dump()}
    left = context.get_remaining_time_in_millis()
    reading_ends = time.monotonic() + max(left - STOP_READING, left / 2) / 1000
    patience = Patience(time.monotonic() + max(left - STOP_WRITING, left * 0.75) / 1000)
    done, offset, reasons = load(request, patience, reading_ends)
    answer = {"key": request.key, "counts": request.counts.model_dump(), "offset": offset}
    logger.info("loaded", extra=answer | {"done": done, "reasons": reasons, "throttled": patience.throttled})
    return {"status": "DONE" if done else "PENDING", **answer}


def load(request: LoadRequest, patience: Patience, reading_ends: float) -> tuple[bool, int, dict[str, int]]:
    """Load lines from `request.offset` on into `request.counts`. Returns whether all are loaded, where to go on, reasons."""
    bucket, counts, offset = environment.current().data_bucket, request.counts, request.offset
    prefix = f"{request.rejected_prefix}{request.key.rsplit('/', 1)[-1]}."
    rejected, make_rows, done = RejectedLines(bucket, prefix), _maker(request), True
    table, attributes = target(request.kind)
    with Writer(table, attributes, patience) as writer:
        for number, line in enumerate(read_lines(bucket, request.key, offset), 1):
            counts.lines += 1
            try:
                for row in make_rows(line.text):
                    writer.put(row)
                counts.written += 1
            except Rejected as error:
                counts.rejected += 1
                counts.erased += str(error) == ERASED
                rejected.add(line.text, line.end, str(error))
            offset = line.end
            if number % _LOOK_EVERY == 0 and time.monotonic() > reading_ends:
                done = False
                break
        writer.drain()
    rejected.flush()
    return done, offset, dict(rejected.reasons)


def _maker(request: LoadRequest) -> Callable[[bytes], list[Row]]:
    """What makes rows of the lines of this job."""
    config, erased = packed_config(), frozenset(all_erased())
    if request.kind == "segment":
        return segment_rows(request.name, request.version, config.segments[request.name].queries, erased, request.expires)
    recipe = RECIPES[config.solutions[config.batch[request.name].solution].recipe]
    of: Literal["itemId", "userId"] = "itemId" if recipe.type == "RELATED_ITEMS" else "userId"
    return list_rows(request.name, request.version, of, erased, request.expires)


def target(kind: Literal["batch", "segment"]) -> tuple[str, tuple[str, ...]]:
    """The table and the attributes of its key."""
    if kind == "segment":
        return environment.current().segments_table, keys.SEGMENTS
    return environment.current().batch_lists_table, keys.BATCH_LISTS
