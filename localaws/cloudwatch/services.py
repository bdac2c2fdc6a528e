"""What API Gateway, SQS and Personalize tell CloudWatch of stages, queues and campaigns.

docs: apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html,
AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html,
personalize/latest/dg/cloudwatch-metrics.html
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections import Counter
from typing import Any

from moto.apigateway.models import apigateway_backends
from moto.sqs.models import sqs_backends

from localaws.clients import Aws
from localaws.cloudwatch.meter import Meter
from localaws.poller import Poller
from personalize_emulator.http_server import Environ, WsgiApp


def counting_calls(front: WsgiApp, aws: Aws, meter: Meter) -> WsgiApp:
    """The front of the deployed stages, whose calls, failures and latencies are counted."""

    def count(path: str, status: int, milliseconds: float) -> None:
        api_id, _, rest = path.lstrip("/").partition("/")[2].partition("/")
        api = apigateway_backends[aws.account][aws.region].apis.get(api_id)
        if api is not None:
            stage = {"ApiName": api.name, "Stage": rest.partition("/")[0]}
            meter.add("AWS/ApiGateway", "Count", 1, **stage)
            meter.add("AWS/ApiGateway", "4XXError", status // 100 == 4, **stage)
            meter.add("AWS/ApiGateway", "5XXError", status // 100 == 5, **stage)
            meter.add_single("AWS/ApiGateway", "Latency", milliseconds, **stage)

    def counted(environ: Environ, start_response: Any) -> Any:
        began = time.perf_counter()

        def start(status: str, *more: Any) -> Any:
            count(environ.get("PATH_INFO", ""), int(status[:3]), 1000 * (time.perf_counter() - began))
            return start_response(status, *more)

        return front(environ, start)

    return counted


class QueueMetrics(Poller):
    """How many messages wait."""

    def __init__(self, aws: Aws, meter: Meter) -> None:
        super().__init__("queue-metrics", pause=5.0)
        self._backend = sqs_backends[aws.account][aws.region]
        self._meter = meter

    def turn(self) -> None:
        for queue in list(self._backend.queues.values()):
            waiting = queue.approximate_number_of_messages
            self._meter.add("AWS/SQS", "ApproximateNumberOfMessagesVisible", waiting, QueueName=queue.name)


class CampaignMetrics(Poller):
    """Asks the Personalize emulator how often campaigns were called, and adds what has come since the last time."""

    def __init__(self, meter: Meter, personalize_endpoint: str) -> None:
        super().__init__("campaign-metrics", pause=2.0)
        self._meter = meter
        self._address = f"{personalize_endpoint}/_emulator"
        self._before: Counter[tuple[str, str]] = Counter()

    def turn(self) -> None:
        with urllib.request.urlopen(self._address, timeout=10) as answer:  # noqa: S310 - our own endpoint
            calls = json.load(answer)["calls"]
        now = Counter({(call["operation"], call["campaign"]): call["count"] for call in calls})
        for (operation, campaign), count in (now - self._before).items():
            self._meter.add("AWS/Personalize", operation, count, CampaignArn=campaign)
        self._before = now
