"""Last step of a train run, whichever way it went: a report in S3 and a mail."""

from __future__ import annotations

import json
import os
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.report.report import Run, as_text, make_report
from lambdas.shared import clients
from lambdas.shared.observability import logger
from lambdas.shared.reports import write_report


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    report = make_report(Run.model_validate(event))
    address = write_report(f"{report['run_id']}/report.json", json.dumps(report, indent=1))
    subject = f"{os.environ['DEPLOYMENT']}: train run {report['status'].replace('_', ' ').lower()}"
    clients.sns().publish(TopicArn=os.environ["TOPIC_ARN"], Subject=subject[:100], Message=as_text(report))
    return report | {"report": address}
