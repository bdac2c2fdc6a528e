"""Takes events from the stream and puts them to Personalize; what can never succeed goes to the dead letters.

lambda/latest/dg/services-kinesis-batchfailurereporting.html: the batch goes on from the first sequence number reported.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from lambdas.aws.observability import correlate, count, logger, metrics
from lambdas.aws.retry import Patience
from lambdas.aws.signed import SSM, SignedClient
from lambdas.config import environment
from lambdas.config.packed import packed_config
from lambdas.ingestion import dead_letters
from lambdas.ingestion.put_events.batch import Batch, read_batch, reject
from lambdas.ingestion.put_events.sending import Sent, send
from lambdas.stores import recent_items
from lambdas.stores.deployment import CurrentDeployment, NotDeployed
from lambdas.stores.erasures import erased

#: Milliseconds that are left for dead letters and the answer.
RESERVE = 10_000
_NO_TRACKER = "there is no event tracker yet: redrive after the first train run"


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    records = event["Records"]
    batch = read_batch(records, packed_config().event_types)
    correlate(batch.request_ids)
    patience = Patience(time.monotonic() + (context.get_remaining_time_in_millis() - RESERVE) / 1000)
    sent = put_all(batch, patience)
    undone = sent.first_undone
    remember(batch, packed_config().recent_event_types())
    refused = [reject(position, records[position], reason) for position, reason in sent.refused]
    # A record after the first undone one comes again, and is judged then.
    dead = [entry.dead for entry in batch.rejected + refused if undone is None or entry.position < undone]
    dead_letters.store(dead)
    count(
        EventsPut=sent.events,
        EventsArchiveOnly=batch.archive_only,
        EventsDeadLettered=len(dead),
        PutEventsCalls=sent.calls,
        PutEventsThrottled=patience.throttled,
        PutEventsFailed=patience.failed,
    )
    if undone is None:
        return {"batchItemFailures": []}
    logger.warning("the batch is not done", extra={"done": undone, "records": len(records)})
    return {"batchItemFailures": [{"itemIdentifier": records[undone]["kinesis"]["sequenceNumber"]}]}


def remember(batch: Batch, event_types: set[str]) -> None:
    """Keep the users' recent items for those event types that rules and filters look at; serving goes on without them.

    An anonymous visitor's are kept under the session. Those of erased users are not, of whom events may come for a while.
    """
    events = [
        (event.user_id or event.session_id, event.event["eventType"], event.event["itemId"], event.time)
        for lane in batch.lanes.values()
        for event in lane
        if event.event["eventType"] in event_types
    ]
    try:
        gone = erased([user_id for user_id, *_ in events])
        recent_items.keep(event for event in events if event[0] not in gone)
    except (ClientError, BotoCoreError):
        logger.exception("the recent items could not be kept")
        count(RecentItemsFailed=1)


@cache
def deployment() -> CurrentDeployment:
    """What this worker knows of the deployment."""
    return CurrentDeployment(SignedClient(SSM), environment.current().deployment_parameter)


def put_all(batch: Batch, patience: Patience) -> Sent:
    """Put the batch's events; before the first train run there is no tracker to put them to."""
    if not batch.lanes:
        return Sent()
    try:
        tracking_id = deployment().get().tracking_id  # empty when the first run could not make the tracker
    except NotDeployed:
        tracking_id = ""
    if not tracking_id:
        return Sent(refused=[(event.position, _NO_TRACKER) for lane in batch.lanes.values() for event in lane])
    return send(batch.lanes, tracking_id, patience)
