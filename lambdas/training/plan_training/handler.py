"""First state of a train run: take the lock, check the CSVs in S3, say what will be done. Creates nothing in Personalize."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from lambdas.aws.observability import logger
from lambdas.config.packed import packed_config
from lambdas.stores.reports import write_report
from lambdas.stores.runs import take_lock
from lambdas.training.findings import Findings, described
from lambdas.training.plan_training.plan import InvalidData, check_data, make_plan


class PlanRequest(BaseModel):
    """`solutions` limits the run to these; all by default."""

    run_id: str
    execution_arn: str
    solutions: list[str] | None = None


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = PlanRequest.model_validate(event)
    running = take_lock(request.execution_arn)
    if running is not None:
        return {"already_running": running}
    plan = make_plan(packed_config(), request.solutions)
    findings = check_data(packed_config(), plan["solutions"])
    address = kept(findings, request.run_id) if len(findings) else None
    if findings.errors:
        raise InvalidData("\n".join([*findings.sentences("error"), f"(all findings: {address})"]))
    return plan | {"warnings": findings.sentences("warning")}


def kept(findings: Findings, run_id: str) -> str:
    """Everything that was found, in S3; returns its address."""
    return write_report(f"{run_id}/findings.json", json.dumps([described(finding) for finding in findings], indent=1))
