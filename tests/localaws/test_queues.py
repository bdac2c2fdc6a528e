"""A long queue costs what its length is, not the square of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto.sqs.models import Message, SQSBackend

from localaws.moto import queues


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[SQSBackend]:
    """moto's queues with the replacement, which goes with the test."""
    name = "is_message_valid_based_on_retention_period"
    with monkeypatch.context() as patched:
        patched.setattr(SQSBackend, name, getattr(SQSBackend, name))
        queues.install()
        yield SQSBackend("us-east-1", "123456789012")


def test_ten_messages_of_a_long_queue_look_at_each_message_a_few_times(
    backend: SQSBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With moto's own, each message that is given out counts the whole queue: thousands of changes took half an hour."""
    backend.create_queue("long")
    for number in range(200):
        backend.send_message("long", str(number), {}, 0)
    looks: list[Message] = []
    visible = Message.visible.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(Message, "visible", property(lambda message: looks.append(message) or visible(message)))
    assert len(backend.receive_message("long", 10, 0, 30)) == 10
    assert len(looks) <= 3 * 200


def test_a_message_expires_with_its_retention_period(backend: SQSBackend) -> None:
    queue = backend.create_queue("short", MessageRetentionPeriod="60")
    backend.send_message("short", "old", {}, 0)
    (message,) = queue._messages
    assert message.sent_timestamp is not None
    message.sent_timestamp -= 61_000
    assert backend.receive_message("short", 1, 0, 30) == []
