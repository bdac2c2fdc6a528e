"""SQS: a row for each message that waits or is being worked at, and the queues that no stack made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.sqs.models import Message, sqs_backends

from localaws.clients import Aws
from localaws.patching import follow, intercept
from localaws.persistence.codec import decode, encode
from localaws.persistence.journal import Journal

_MODELS = "moto.sqs.models"
_BACKEND = f"{_MODELS}:SQSBackend"
#: moto remembers every receipt that was ever deleted; of so many, none is asked for again.
_MOST_RECEIPTS = 10_000
#: An attribute of ours: the queue that a message is in.
_QUEUE = "localaws_queue"
#: What does not outlive the process: whoever worked at a message has ended with it.
_OF_A_RECEIVER: dict[str, Any] = {"receipt_handle": None, "_old_receipt_handles": [], "visible_at": 0.0}


class Queues:
    """Messages are written before they are taken for sent; a queue that is made finds those that it had."""

    def __init__(self, aws: Aws, journal: Journal) -> None:
        self._backend = sqs_backends[aws.account][aws.region]
        self._journal = journal

    def install(self) -> None:
        follow(f"{_MODELS}:Queue.add_message", lambda _, queue, message: self._added(queue, message))
        intercept(f"{_MODELS}:Queue.delete_message", self._delete)
        follow(f"{_BACKEND}.purge_queue", lambda _, __, name: self._journal.database.drop("message", name))
        intercept(f"{_BACKEND}.create_queue", self._create)
        follow(f"{_BACKEND}.set_queue_attributes", lambda _, __, name, ___: self._note_queue(name))
        follow(f"{_BACKEND}.delete_queue", lambda _, __, name: self._gone(name))

    def restore(self, of_stacks: set[str]) -> None:
        """Make the queues anew that no stack will make."""
        for name, text in self._journal.database.read("queue", "").items():
            if name not in of_stacks:
                self._backend.create_queue(name, **decode(text))

    def _added(self, queue: Any, message: Message) -> None:
        before = vars(message).get(_QUEUE)
        if before is not None:  # it was received too often, and goes to the dead-letter queue
            self._journal.note(("message", before, message.id), lambda: None)
        setattr(message, _QUEUE, queue.name)
        self._note(queue, message)

    def _note(self, queue: Any, message: Message) -> None:
        def read() -> str | None:
            waits = any(message is other for other in queue._messages)
            return encode({**vars(message), **_OF_A_RECEIVER}) if waits else None

        self._journal.note(("message", queue.name, message.id), read)

    def _delete(self, delete_message: Callable[..., None], queue: Any, receipt_handle: str) -> None:
        there = {message.id: message for message in queue._messages}
        delete_message(queue, receipt_handle)
        left = {message.id for message in queue._messages}
        for identity, message in there.items():
            if identity not in left:
                self._note(queue, message)
        if len(queue.deleted_messages) > _MOST_RECEIPTS:
            queue.deleted_messages.clear()

    def _create(self, create_queue: Callable[..., Any], backend: Any, name: str, *arguments: Any, **attributes: Any) -> Any:
        is_new = name not in backend.queues
        queue = create_queue(backend, name, *arguments, **attributes)
        if is_new:
            kept = [decode(text) for text in self._journal.database.read("message", name).values()]
            queue._messages = sorted(map(_made, kept), key=lambda message: message.sent_timestamp or 0)
        self._note_queue(name)
        return queue

    def _note_queue(self, name: str) -> None:
        def read() -> str | None:
            queue = self._backend.queues.get(name)
            return encode({key: value for key, value in queue.attributes.items() if key in _SETTABLE}) if queue else None

        self._journal.note(("queue", "", name), read)

    def _gone(self, name: str) -> None:
        self._journal.database.drop("message", name)
        self._note_queue(name)


_SETTABLE = frozenset(
    {"DelaySeconds", "FifoQueue", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds", "RedrivePolicy", "VisibilityTimeout"}
)


def _made(attributes: dict[str, Any]) -> Any:
    made: Any = Message.__new__(Message)
    vars(made).update(attributes)
    return made
