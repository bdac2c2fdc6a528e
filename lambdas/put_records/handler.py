"""Takes items and users from their queue, puts them to Personalize, and items into the catalogue.

lambda/latest/dg/services-sqs-errorhandling.html: messages that are reported come back after the queue's timeout.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.put_records.records import Row, dead_letter, is_newest, newest, put, read_message, without_erased
from lambdas.put_records.rows import Unusable
from lambdas.shared import dead_letters
from lambdas.shared.config import Config, packed_config
from lambdas.shared.observability import correlate, count, logger, metrics
from lambdas.shared.patience import OutOfTime, Patience
from personalize_rules.limits import RECORDS_PER_CALL

#: Milliseconds that are left for dead letters and the answer.
RESERVE = 10_000


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    config, letters, rows = packed_config(), [], []
    for message in event["Records"]:
        try:
            rows.append(read_message(config, message))
        except Unusable as error:
            letters.append(dead_letter(message, str(error)))
    correlate(row.request_id for row in rows)
    patience = Patience(time.monotonic() + (context.get_remaining_time_in_millis() - RESERVE) / 1000)
    current = [row for row in newest(without_erased(rows)) if is_newest(config, row)]
    refused, undone = put_all(config, current, patience)
    messages = {message["messageId"]: message for message in event["Records"]}
    letters += [dead_letter(messages[row.message_id], reason) for row, reason in refused]
    dead_letters.store(letters)
    count(RecordsPut=len(current) - len(refused) - len(undone), RecordsDeadLettered=len(letters))
    count(PutRecordsThrottled=patience.throttled, PutRecordsFailed=patience.failed)
    return {"batchItemFailures": [{"itemIdentifier": row.message_id} for row in undone]}


def put_all(config: Config, rows: Sequence[Row], patience: Patience) -> tuple[list[tuple[Row, str]], list[Row]]:
    """Put all rows; returns those refused with the reason, and those for which there was no time."""
    refused: list[tuple[Row, str]] = []
    undone: list[Row] = []
    for kind in ("item", "user"):
        of_kind = [row for row in rows if row.kind == kind]
        for start in range(0, len(of_kind), RECORDS_PER_CALL):
            chunk = of_kind[start : start + RECORDS_PER_CALL]
            try:
                refused += put(config, kind, chunk, patience)
            except OutOfTime:
                undone += chunk
    return refused, undone
