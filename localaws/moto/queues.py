"""SQS where moto's costs too much: for each message that it gives out it counted all that the queue holds."""

from __future__ import annotations

from typing import Any

from moto.core.utils import unix_time

from localaws.patching import replace


def install() -> None:
    replace("moto.sqs.models:SQSBackend.is_message_valid_based_on_retention_period", _is_kept)


def _is_kept(backend: Any, queue_name: str, message: Any) -> bool:
    """Whether the queue's retention period has not passed since the message was sent."""
    seconds = int(backend.get_queue(queue_name).message_retention_period)
    return bool(message.sent_timestamp / 1000 + seconds > unix_time())
