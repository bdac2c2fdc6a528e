"""Writes the erased users as JSON lines to S3, for the Spark jobs of a run."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.aws import clients
from lambdas.aws.observability import logger
from lambdas.batch.runs import erased_key, version_of
from lambdas.config import environment
from lambdas.stores.erasures import all_erased
from lambdas.stores.prefixes import address


class ExportRequest(BaseModel):
    run_started: datetime


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = ExportRequest.model_validate(event)
    lines = [json.dumps({"user_id": user_id}) for user_id in all_erased()]
    bucket, key = environment.current().data_bucket, erased_key(version_of(request.run_started))
    clients.s3().put_object(Bucket=bucket, Key=key, Body="".join(f"{line}\n" for line in lines).encode())
    return {"users": len(lines), "erased": address(bucket, key)}
