"""Structured logs and metrics, one service name for each function (POWERTOOLS_SERVICE_NAME).

Metrics go to the namespace of the deployment (POWERTOOLS_METRICS_NAMESPACE), through the log.
"""

from collections.abc import Iterable

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import ClientError

logger = Logger(log_uncaught_exceptions=True)
metrics = Metrics()


def count(**counts: int) -> None:
    """Add counts under their metric names; a count of zero is a data point too, so that alarms see that all is well."""
    for name, value in counts.items():
        metrics.add_metric(name, MetricUnit.Count, value)


def correlate(request_ids: Iterable[str]) -> None:
    """From here on the invocation's log lines, and the one with its metrics, name the API's requests that it works on.

    The API answers each request with its id in the header x-amzn-RequestId, and writes it to its access log.
    """
    found = list(dict.fromkeys(request_ids))
    logger.append_keys(request_ids=found)
    metrics.add_metadata("request_ids", found)


def publish_counts() -> None:
    """Write what was counted, if anything was."""
    if metrics.provider.metric_set:
        metrics.flush_metrics()


def cause(error: BaseException) -> str:
    """What went wrong, for the log: `GetRecommendations: ThrottlingException`.

    Messages are left out: a service repeats in them what it was given, and a client may put the id of a user there.
    """
    if isinstance(error, ClientError):
        return f"{error.operation_name}: {error.response['Error']['Code']}"
    return type(error).__name__
