"""What API Gateway and SQS tell CloudWatch of stages and queues.

docs: apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html,
AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

from __future__ import annotations

import queue
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from moto.apigateway.models import apigateway_backends
from moto.sqs.models import sqs_backends

from localaws.clients import Aws
from localaws.poller import Poller

_PAUSE_SECONDS = 5.0
#: So many latencies of a pause stand for all of its calls.
_SAMPLES = 100


class StageMetrics(Poller):
    """Wraps the front, and puts what came through it: calls, failures, latency."""

    def __init__(self, aws: Aws) -> None:
        super().__init__("stage-metrics", pause=_PAUSE_SECONDS)
        self._aws = aws
        self._calls: queue.SimpleQueue[tuple[str, str, int, float]] = queue.SimpleQueue()

    def watch(self, front: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """The front as a WSGI application that is counted."""

        def counted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            began = time.perf_counter()
            api_id, _, rest = environ.get("PATH_INFO", "").lstrip("/").partition("/")[2].partition("/")

            def start(status: str, *more: Any) -> Any:
                milliseconds = 1000 * (time.perf_counter() - began)
                self._calls.put((api_id, rest.partition("/")[0], int(status[:3]), milliseconds))
                return start_response(status, *more)

            return front(environ, start)

        return counted

    def turn(self) -> None:
        by_stage: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
        while not self._calls.empty():
            api_id, stage, status, milliseconds = self._calls.get()
            by_stage[api_id, stage].append((status, milliseconds))
        apis = apigateway_backends[self._aws.account][self._aws.region].apis
        for (api_id, stage), calls in by_stage.items():
            if api_id in apis:
                self._put(apis[api_id].name, stage, calls)

    def _put(self, api: str, stage: str, calls: list[tuple[int, float]]) -> None:
        dimensions = [{"Name": "ApiName", "Value": api}, {"Name": "Stage", "Value": stage}]
        statuses = [status // 100 for status, _ in calls]
        data: list[dict[str, Any]] = [
            {"MetricName": name, "Dimensions": dimensions, "StatisticValues": as_statistics(values)}
            for name, values in {
                "Count": [1.0] * len(calls),
                "4XXError": [float(status == 4) for status in statuses],
                "5XXError": [float(status == 5) for status in statuses],
            }.items()
        ]
        latencies = sorted(milliseconds for _, milliseconds in calls)
        if len(latencies) > _SAMPLES:  # moto keeps every value for ever
            latencies = [latencies[round(n * (len(latencies) - 1) / (_SAMPLES - 1))] for n in range(_SAMPLES)]
        data.append({"MetricName": "Latency", "Dimensions": dimensions, "Values": latencies})
        self._aws.client("cloudwatch").put_metric_data(Namespace="AWS/ApiGateway", MetricData=data)


def as_statistics(values: Sequence[float]) -> dict[str, float]:
    """What PutMetricData takes instead of the values themselves."""
    return {"Sum": sum(values), "Minimum": min(values), "Maximum": max(values), "SampleCount": len(values)}


class QueueMetrics(Poller):
    """How many messages wait."""

    def __init__(self, aws: Aws) -> None:
        super().__init__("queue-metrics", pause=_PAUSE_SECONDS)
        self._aws = aws

    def turn(self) -> None:
        queues = list(sqs_backends[self._aws.account][self._aws.region].queues.values())
        data = [
            {
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "Dimensions": [{"Name": "QueueName", "Value": waiting.name}],
                "Value": waiting.approximate_number_of_messages,
            }
            for waiting in queues
        ]
        if data:
            self._aws.client("cloudwatch").put_metric_data(Namespace="AWS/SQS", MetricData=data)
