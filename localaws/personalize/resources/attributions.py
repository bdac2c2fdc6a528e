"""Metric attributions. They are kept and checked; reports are not made of them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from localaws.personalize.errors import InvalidInput, LimitExceeded, ResourceAlreadyExists, ResourceInUse
from localaws.personalize.resources.context import Context, Operation, Request
from localaws.personalize.resources.reading import page

MOST_METRICS = 10
_EXPRESSION = re.compile(r"SAMPLECOUNT\(\)|SUM\((Items|Interactions)\.[A-Za-z_][A-Za-z\d_]*\)", re.IGNORECASE)


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
        metrics = _checked(request["metrics"])
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
        attribution.internal["metrics"] = _checked([*metrics.values(), *added])
        if "metricsOutputConfig" in request:
            attribution.fields["metricsOutputConfig"] = request["metricsOutputConfig"]
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


def _checked(metrics: Iterable[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """docs: personalize/latest/dg/metric-attribution-requirements.html"""
    checked = list(metrics)
    names = [metric["metricName"] for metric in checked]
    if len(set(names)) < len(names):
        raise InvalidInput("metrics: a metricName is given twice")
    if len(checked) > MOST_METRICS:
        raise LimitExceeded(f"A metric attribution can have at most {MOST_METRICS} metrics, not {len(checked)}")
    for metric in checked:
        if not _EXPRESSION.fullmatch(metric["expression"].replace(" ", "")):
            raise InvalidInput(
                f"metrics: expression '{metric['expression']}' must be SUM(Items.COLUMN), SUM(Interactions.COLUMN) "
                "or SAMPLECOUNT()"
            )
    return checked
