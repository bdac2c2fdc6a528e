"""Calls that are made again until they succeed: throttles and failures of the service pass; no record is lost to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from lambdas.aws.backoff import pause

#: Seconds of the first pause, and of the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 10.0
_THROTTLES = frozenset(
    {"ThrottlingException", "TooManyRequestsException", "LimitExceededException", "ProvisionedThroughputExceededException"}
)


class Refused(Exception):
    """The service will never take these records; the message is its reason."""


class OutOfTime(Exception):
    """The service did not take the records in the time there was; they have to be sent again."""


@dataclass
class Patience:
    """Makes calls until `deadline` (by time.monotonic), and counts how often it had to wait. Shared by threads."""

    deadline: float
    throttled: int = 0
    failed: int = 0
    pause: Callable[[float], None] = field(default=time.sleep)

    def call(self, operation: Callable[..., Any], **parameters: Any) -> Any:
        """The operation's answer. Raises Refused for an InvalidInputException, OutOfTime, and what is no passing failure."""
        attempt = 0
        while True:
            try:
                return operation(**parameters)
            except ClientError as error:
                self._count(error)
            except (NoConnection, HTTPClientError):  # no connection, no answer in time
                self.failed += 1
            seconds = pause(attempt, FIRST_PAUSE, LONGEST_PAUSE)
            if time.monotonic() + seconds > self.deadline:
                raise OutOfTime
            self.pause(seconds)
            attempt += 1

    def _count(self, error: ClientError) -> None:
        """Count a failure that passes; raise any other."""
        code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        if code == "InvalidInputException":
            raise Refused(error.response["Error"].get("Message", code)) from None
        if code in _THROTTLES or status == 429:
            self.throttled += 1
        elif status >= 500:
            self.failed += 1
        else:
            raise error
