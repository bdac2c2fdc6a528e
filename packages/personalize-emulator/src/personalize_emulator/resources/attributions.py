"""Metric attributions. Their reports are published by import jobs."""

from collections.abc import Iterable, Mapping
from typing import Any

from personalize_emulator.datasets.attribution import parse_expression
from personalize_emulator.errors import InvalidInput, LimitExceeded, ResourceAlreadyExists, ResourceInUse
from personalize_emulator.resources.context import Context, Operation, Request
from personalize_emulator.resources.reading import page
from personalize_emulator.resources.records import Resource
from personalize_rules.limits import MAX_METRICS
from personalize_rules.schemas import Kind, Schema


class MetricAttributions:
    def __init__(self, context: Context) -> None:
        self.context = context

    def operations(self) -> dict[str, Operation]:
        """The operations of this module by their API names."""
        return {
            "CreateMetricAttribution": self.create_metric_attribution,
            "UpdateMetricAttribution": self.update_metric_attribution,
            "DeleteMetricAttribution": self.delete_metric_attribution,
            "ListMetricAttributionMetrics": self.list_metric_attribution_metrics,
        }

    def create_metric_attribution(self, request: Request) -> dict[str, Any]:
        context = self.context
        group = context.find_active("dataset-group", request["datasetGroupArn"])
        if present := context.store.of_type("metric-attribution", group=group.arn):
            raise ResourceAlreadyExists(f"Dataset group {group.arn} already has the metric attribution {present[0].arn}")
        metrics = _checked(request["metrics"], context.stores.schemas(group.arn))
        attribution = context.create(
            "metric-attribution",
            f"metric-attribution/{request['name']}",
            {k: v for k, v in request.items() if k != "metrics"},
            group=group.arn,
            internal={"metrics": metrics},
        )
        return {"metricAttributionArn": attribution.arn}

    def update_metric_attribution(self, request: Request) -> dict[str, Any]:
        context = self.context
        attribution = context.find_active("metric-attribution", request.get("metricAttributionArn", ""))
        if attribution.in_transition:
            raise ResourceInUse(f"Resource Arn {attribution.arn} is being updated")
        metrics = {metric["metricName"]: metric for metric in attribution.internal["metrics"]}
        for name in request.get("removeMetrics", []):
            if metrics.pop(name, None) is None:
                raise InvalidInput(f"removeMetrics: there is no metric {name}")
        added = request.get("addMetrics", [])
        for metric in added:
            if metric["metricName"] in metrics:
                raise ResourceAlreadyExists(f"addMetrics: there is already a metric {metric['metricName']}")
        schemas = context.stores.schemas(str(attribution.group))
        attribution.internal["metrics"] = _checked([*metrics.values(), *added], schemas)
        if "metricsOutputConfig" in request:
            attribution.fields["metricsOutputConfig"] = request["metricsOutputConfig"]
        # Guess: an attribution passes through UPDATE PENDING and UPDATE IN_PROGRESS.
        context.lifecycle.begin(attribution, "update")
        return {"metricAttributionArn": attribution.arn}

    def delete_metric_attribution(self, request: Request) -> None:
        self.context.delete(self.context.find("metric-attribution", request["metricAttributionArn"]))

    def list_metric_attribution_metrics(self, request: Request) -> dict[str, Any]:
        arn = request.get("metricAttributionArn")
        attribution = self.context.store.get(arn) if arn else None
        if attribution is None or attribution.type != "metric-attribution":
            raise InvalidInput(f"metricAttributionArn: resource Arn {arn} does not exist")
        return page("metrics", attribution.internal["metrics"], request, "metricName")


def report_of(context: Context, attribution: Resource) -> dict[str, Any]:
    """What a job needs to report: the metrics, and the ARN of each source by the first digits of its recommendation ids."""
    serving = [r for kind in ("campaign", "recommender") for r in context.store.of_type(kind, group=attribution.group)]
    return {"metrics": attribution.internal["metrics"], "sources": {r.internal["id"]: r.arn for r in serving}}


def measured_kinds(attribution: Resource) -> set[Kind]:
    """The types of the datasets that a metric attribution reads."""
    operands = [parse_expression(metric["expression"]) for metric in attribution.internal["metrics"]]
    return {"INTERACTIONS", *(operand.kind for operand in operands if operand)}


def _checked(metrics: Iterable[Mapping[str, str]], schemas: Mapping[Kind, Schema]) -> list[Mapping[str, str]]:
    """docs: personalize/latest/dg/metric-attribution-requirements.html"""
    checked = list(metrics)
    names = [metric["metricName"] for metric in checked]
    if len(set(names)) < len(names):
        raise InvalidInput("metrics: a metricName is given twice")
    if len(checked) > MAX_METRICS:
        raise LimitExceeded(f"A metric attribution can have at most {MAX_METRICS} metrics, not {len(checked)}")
    if "INTERACTIONS" not in schemas or schemas["INTERACTIONS"].field("EVENT_TYPE") is None:
        raise InvalidInput("A metric attribution needs an Interactions dataset with an EVENT_TYPE column")
    for metric in checked:
        try:
            operand = parse_expression(metric["expression"])
        except ValueError as error:
            raise InvalidInput(f"metrics: {error}") from None
        field = schemas[operand.kind].field(operand.column) if operand and operand.kind in schemas else None
        if operand and (field is None or not field.is_number):
            raise InvalidInput(f"metrics: {metric['expression']}: there is no numeric column {operand.kind}.{operand.column}")
    return checked
