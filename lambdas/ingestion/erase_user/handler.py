"""DELETE /users/{user_id}: from this moment on nothing may use the user; what there is goes with the daily deletion job."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from lambdas.aws.observability import correlate, count, logger, publish_counts
from lambdas.config.packed import packed_config
from lambdas.ingestion import user_data
from lambdas.stores.erasures import erase
from personalize_rules.limits import MAX_ID


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    correlate([event["requestContext"]["requestId"]])
    user_id = event["pathParameters"]["user_id"]
    if not 1 <= len(user_id) <= MAX_ID:
        return refused(HTTPStatus.BAD_REQUEST, "bad_request", f"user_id must have 1 to {MAX_ID} characters", field="user_id")
    try:
        erased_at = erase(user_id)
        user_data.delete_from_tables(packed_config(), [user_id])
    except (ClientError, BotoCoreError):
        logger.exception("the user could not be erased")  # the cause is for the log alone: it may name ARNs
        count(ErasuresFailed=1)
        publish_counts()
        return refused(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "the user can't be erased right now; send it again")
    return _answered(HTTPStatus.ACCEPTED, {"user_id": user_id, "erased_at": erased_at})


def refused(status: HTTPStatus, code: str, message: str, **field: str) -> dict[str, Any]:
    return _answered(status, {"error": {"code": code, "message": message} | field})


def _answered(status: HTTPStatus, body: object) -> dict[str, Any]:
    return {"statusCode": status.value, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}
