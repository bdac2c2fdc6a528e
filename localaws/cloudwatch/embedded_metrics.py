"""Metrics that functions write into their logs, put to CloudWatch as AWS does.

docs: AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from localaws.clients import Aws
from localaws.cloudwatch.meter import put_metrics


def put_embedded(aws: Aws, lines: Iterable[str]) -> None:
    """Puts the metrics of all lines that hold any."""
    data: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        if '"CloudWatchMetrics"' in line:
            for namespace, datum in _metrics_in(line):
                data[namespace].append(datum)
    put_metrics(aws, data)


def _metrics_in(line: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Namespace and datum of each metric of a line; none of a line that is not in the format."""
    try:
        document = json.loads(line)
        directives = document["_aws"]["CloudWatchMetrics"]
        for directive in directives:
            for names in directive.get("Dimensions") or [[]]:
                dimensions = [{"Name": name, "Value": str(document[name])} for name in names]
                for metric in directive["Metrics"]:
                    value = document[metric["Name"]]
                    yield (
                        directive["Namespace"],
                        {
                            "MetricName": metric["Name"],
                            "Dimensions": dimensions,
                            "Unit": metric.get("Unit", "None"),
                            "Values": value if isinstance(value, list) else [value],
                        },
                    )
    except (ValueError, KeyError, TypeError, AttributeError):
        return
