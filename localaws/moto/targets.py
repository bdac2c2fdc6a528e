"""Delivers an event to a target by its ARN: what EventBridge, schedules and on-failure destinations have in common."""

from __future__ import annotations

import json
import logging
import uuid
from dataclasses import dataclass, replace
from typing import Any

from localaws.clients import Aws
from localaws.moto.lambda_functions import LambdaService

_SERVICES = frozenset({"lambda", "sns", "sqs", "states"})
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sender:
    """Who delivers: a service (`events`), with a role or in its own name, for one of its resources (an ARN).

    `source_of_role` is the ARN for which it assumes the role, where that is another one.
    """

    service: str
    source: str
    role: str = ""
    source_of_role: str = ""


class Targets:
    """Sends events, each in the name of its sender."""

    def __init__(self, aws: Aws, functions: LambdaService) -> None:
        self._aws = aws
        self._functions = functions

    def deliver(self, arn: str, body: str, sender: Sender) -> None:
        """Sends the text `body`. Raises the service's error."""
        check_target(arn)
        match _service(arn):
            case "states":
                states = self._client(sender, "stepfunctions")
                states.start_execution(stateMachineArn=arn, input=body, name=str(uuid.uuid4()))
            case "lambda" if sender.role:
                self._client(sender, "lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=body.encode())
            case "lambda":
                self._functions.check_service(sender.service, arn, sender.source)
                self._functions.call_later(arn, body.encode())
            case "sqs":
                url = self._aws.client("sqs").get_queue_url(QueueName=arn.rsplit(":", 1)[-1])["QueueUrl"]
                self._client(sender, "sqs").send_message(QueueUrl=url, MessageBody=body)
            case "sns":
                self._client(sender, "sns").publish(TopicArn=arn, Message=body)

    def send_event(self, target: dict[str, Any], event: dict[str, Any], sender: Sender) -> None:
        """Sends an event, or the target's constant input, with the target's role if it names one.

        What can't be delivered goes to the target's dead letters: EventBridge Scheduler writes them with the role, a rule in its
        own name. docs: eventbridge/latest/userguide/eb-rule-dlq.html, scheduler/latest/UserGuide/configuring-schedule-dlq.html
        """
        acting, constant = replace(sender, role=target.get("RoleArn") or ""), target.get("Input")
        try:
            self.deliver(target["Arn"], json.dumps(event) if constant is None else str(constant), acting)
        except Exception as error:
            _LOG.error("The target %s of %s did not get its event: %s", target["Arn"], sender.source, error)
            if dead_letters := (target.get("DeadLetterConfig") or {}).get("Arn"):
                self.deliver(dead_letters, json.dumps(event), acting if sender.service == "scheduler" else sender)

    def _client(self, sender: Sender, service: str) -> Any:
        if sender.role:
            return self._aws.client_as(sender.role, service, sender.service, sender.source_of_role or sender.source)
        return self._aws.client_of(sender.service, service, sender.source)


def check_target(arn: str) -> None:
    """Raises ValueError for what nothing can be delivered to here."""
    if _service(arn) not in _SERVICES:
        raise ValueError(f"{arn} is not a target that the local AWS environment can deliver to")


def _service(arn: str) -> str:
    return arn.split(":")[2]
