"""Starts and stops the pollers of the event source mappings that exist at the moment."""

from __future__ import annotations

from typing import Any

from localaws.clients import Aws
from localaws.moto.lambda_functions import LambdaService
from localaws.moto.targets import Targets
from localaws.persistence.streams import Positions
from localaws.poller import Poller
from localaws.triggers.on_failure import OnFailure
from localaws.triggers.queues import QueuePoller
from localaws.triggers.shards import shards_of
from localaws.triggers.streams import ShardPoller

_VOLATILE = ("LastModified", "LastProcessingResult", "State", "StateTransitionReason")


class EventSourceMappings(Poller):
    """Looks every half second; a changed mapping gets new pollers."""

    def __init__(self, aws: Aws, functions: LambdaService, targets: Targets, positions: Positions, speed: float) -> None:
        super().__init__("event-source-mappings", pause=0.5)
        self._aws = aws
        self._functions = functions
        self._targets = targets
        self._positions = positions
        self._speed = speed
        self._functions_of: dict[str, str] = {}  # by mapping, for as long as it is there
        self._pollers: dict[tuple[str, str], tuple[str, Poller]] = {}  # (mapping, shard) -> (configuration, poller)

    def turn(self) -> None:
        wanted: set[tuple[str, str]] = set()
        mappings = (
            self._aws.client("lambda")
            .get_paginator("list_event_source_mappings")
            .paginate()
            .build_full_result()["EventSourceMappings"]
        )
        for mapping in mappings:
            if mapping["State"] != "Enabled":
                continue
            configuration = str({key: value for key, value in mapping.items() if key not in _VOLATILE})
            for part in self._parts(mapping):
                key = (mapping["UUID"], part)
                wanted.add(key)
                self._ensure(key, configuration, mapping)
        for key in self._pollers.keys() - wanted:
            self._pollers.pop(key)[1].stop()
        before, self._functions_of = self._functions_of, {mapping["UUID"]: mapping["FunctionArn"] for mapping in mappings}
        for function in set(before.values()) - set(self._functions_of.values()):
            self._positions.forget(function)  # a new mapping begins where it says

    def stop(self) -> None:
        super().stop()
        for _, poller in self._pollers.values():
            poller.stop()

    def _parts(self, mapping: dict[str, Any]) -> list[str]:
        """What is polled separately: the shards of a stream, or the one queue. DynamoDB streams are pushed by moto."""
        service = mapping["EventSourceArn"].split(":")[2]
        if service == "kinesis":
            return shards_of(self._aws, mapping["EventSourceArn"])
        return [""] if service == "sqs" else []

    def _ensure(self, key: tuple[str, str], configuration: str, mapping: dict[str, Any]) -> None:
        present = self._pollers.get(key)
        if present is not None and present[0] == configuration:
            return
        if present is not None and isinstance(present[1], ShardPoller):
            present[1].finish()
        elif present is not None:
            present[1].stop()
        poller: Poller
        role = self._functions.role_of(mapping["FunctionArn"])
        if key[1]:
            on_failure = OnFailure(self._aws, self._targets, mapping, role)
            poller = ShardPoller(self._aws, self._functions, mapping, role, key[1], on_failure, self._positions, self._speed)
        else:
            poller = QueuePoller(self._aws, self._functions, mapping, role)
        self._pollers[key] = (configuration, poller)
        poller.start()
