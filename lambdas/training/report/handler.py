"""Last step of a train run, whichever way it went: a report in S3, a mail, an event, metrics; then the lock is free again."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.aws.observability import logger
from lambdas.config import environment
from lambdas.config.packed import packed_config
from lambdas.stores.reports import tell, write_report
from lambdas.stores.runs import keep_version, release_lock, versions
from lambdas.stores.sample_lists import kept
from lambdas.training.report.page import report_page
from lambdas.training.report.report import Run, as_text, make_report, records


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    run = Run.model_validate(event)
    report = make_report(run, environment.current().deployment)
    for record in records(run):
        keep_version(record)
    samples = {answer.name: kept(answer.samples) for answer in run.answers}
    shown_lists = {name: lists.model_dump(mode="json") for name, lists in samples.items()}
    address = write_report(f"{run.run_id}/report.json", json.dumps(report | {"sample_lists": shown_lists}, indent=1))
    history = {name: versions(name) for name in packed_config().solutions}
    shown = report_page(report, history, packed_config().display.language, samples)
    page = write_report(f"{run.run_id}/report.html", shown, "text/html; charset=utf-8")
    tell("train", report, as_text(report), page)
    put_metrics(report)
    release_lock(run.execution)
    return report | {"report": address, "page": page}


def put_metrics(report: dict[str, Any]) -> None:
    """One CloudWatch metric for each metric of each solution, by the embedded metric format: the log carries them."""
    for solution in report["solutions"]:
        for name, value in solution["metrics"].items():
            with single_metric(name=name, unit=MetricUnit.NoUnit, value=value, namespace="recostack") as metric:
                metric.add_dimension(name="deployment", value=environment.current().deployment)
                metric.add_dimension(name="solution", value=solution["name"])
