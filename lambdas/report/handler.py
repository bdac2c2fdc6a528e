"""Last step of a train run, whichever way it went: a report in S3, a mail, an event, metrics; then the lock is free again."""

from __future__ import annotations

import json
import os
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.report.page import report_page
from lambdas.report.report import Run, as_text, make_report, records
from lambdas.shared import clients
from lambdas.shared.config import packed_config
from lambdas.shared.observability import logger
from lambdas.shared.reports import write_report
from lambdas.shared.runs import keep_version, release_lock, versions


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    run = Run.model_validate(event)
    report = make_report(run)
    for record in records(run):
        keep_version(record)
    address = write_report(f"{run.run_id}/report.json", json.dumps(report, indent=1))
    history = {name: versions(name) for name in packed_config().solutions}
    page = write_report(f"{run.run_id}/report.html", report_page(report, history), "text/html; charset=utf-8")
    tell(report, page)
    put_metrics(report)
    release_lock(run.execution)
    return report | {"report": address, "page": page}


def tell(report: dict[str, Any], page: str) -> None:
    """A mail to the operators, an event to whoever listens."""
    deployment, status = os.environ["DEPLOYMENT"], report["status"]
    subject = f"{deployment}: train run {status.replace('_', ' ').lower()}"
    clients.sns().publish(TopicArn=os.environ["TOPIC_ARN"], Subject=subject[:100], Message=f"{as_text(report)}\n\n{page}")
    detail = {"deployment": deployment, "run_id": report["run_id"], "status": status, "page": page}
    clients.events().put_events(
        Entries=[{"Source": "recostack", "DetailType": "Train Run Finished", "Detail": json.dumps(detail)}]
    )


def put_metrics(report: dict[str, Any]) -> None:
    """One CloudWatch metric for each metric of each solution, by the embedded metric format: the log carries them."""
    for solution in report["solutions"]:
        for name, value in solution["metrics"].items():
            with single_metric(name=name, unit=MetricUnit.NoUnit, value=value, namespace="recostack") as metric:
                metric.add_dimension(name="deployment", value=os.environ["DEPLOYMENT"])
                metric.add_dimension(name="solution", value=solution["name"])
