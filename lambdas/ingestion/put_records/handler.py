"""Takes changes of items and users from their queue, puts the records to Personalize, and keeps what it took.

lambda/latest/dg/services-sqs-errorhandling.html: messages that are reported come back after the queue's timeout.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.aws import clients
from lambdas.aws.backoff import doubled
from lambdas.aws.observability import correlate, count, logger, metrics
from lambdas.aws.retry import Patience
from lambdas.config import environment
from lambdas.config.packed import packed_config
from lambdas.ingestion import dead_letters
from lambdas.ingestion.dead_letters import DeadLetter
from lambdas.ingestion.put_records.putting import Outcome, put_all
from lambdas.ingestion.put_records.records import Change, read_message
from lambdas.ingestion.put_records.rows import Unusable
from lambdas.stores.erasures import erased

#: Milliseconds that are left for dead letters and the answer.
RESERVE = 10_000
#: A patch may come before the put that was sent before it: it is looked at so often, after so many seconds each time.
_LOOKS, _SECONDS_BETWEEN = 5, 5
#: Seconds until a change comes back that Personalize did not take in time: the first, which doubles, and the longest: once
#: Personalize answers again, no change waits for longer.
_FIRST_RETURN, _LAST_RETURN = 5, 45

Message = Mapping[str, Any]


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    messages: dict[str, Message] = {message["messageId"]: message for message in event["Records"]}
    changes, dead = _read_messages(list(messages.values()))
    correlate(change.request_id for change in changes)
    patience = Patience(time.monotonic() + (context.get_remaining_time_in_millis() - RESERVE) / 1000)
    outcome = put_all(packed_config(), without_erased(changes), patience)
    early, refused = _sort_unknown(messages, outcome)
    dead += [DeadLetter(change.message_id, reason, record(messages[change.message_id])) for change, reason in refused]
    dead_letters.store(dead)
    count(RecordsPut=outcome.put, RecordsDeadLettered=len(dead))
    count(PutRecordsThrottled=patience.throttled, PutRecordsFailed=patience.failed)
    for change in early:
        _show_again(messages[change.message_id], _SECONDS_BETWEEN)
    for change in outcome.undone:
        message = messages[change.message_id]
        _show_again(message, int(doubled(_receives(message) - 1, _FIRST_RETURN, _LAST_RETURN)))
    return {"batchItemFailures": [{"itemIdentifier": change.message_id} for change in [*early, *outcome.undone]]}


def _read_messages(messages: Sequence[Message]) -> tuple[list[Change], list[DeadLetter]]:
    """The changes in messages, and the dead letters that the other messages make."""
    config, changes, dead = packed_config(), [], []
    for message in messages:
        try:
            changes.append(read_message(config, message))
        except Unusable as error:
            dead.append(DeadLetter(message["messageId"], str(error), record(message)))
    return changes, dead


def without_erased(changes: Sequence[Change]) -> list[Change]:
    """No change of a user that asked to be forgotten."""
    gone = erased([change.id for change in changes if change.kind == "user"])
    return [change for change in changes if change.kind != "user" or change.id not in gone]


def _sort_unknown(messages: Mapping[str, Message], outcome: Outcome) -> tuple[list[Change], list[tuple[Change, str]]]:
    """Patches whose record may still come; and all that is refused, with the reason."""
    early = [change for change, _ in outcome.unknown if _receives(messages[change.message_id]) < _LOOKS]
    late = [(change, reason) for change, reason in outcome.unknown if _receives(messages[change.message_id]) >= _LOOKS]
    return early, [*outcome.refused, *late]


def _receives(message: Message) -> int:
    """How often the queue has given out the message."""
    return int(message["attributes"]["ApproximateReceiveCount"])


def _show_again(message: Message, seconds: int) -> None:
    """Let the queue give out a message after so many seconds: its visibility timeout is for functions that died."""
    queue = environment.current().record_queue_url
    clients.sqs().change_message_visibility(QueueUrl=queue, ReceiptHandle=message["receiptHandle"], VisibilityTimeout=seconds)


def record(message: Message) -> bytes:
    return str(message["body"]).encode(errors="replace")
