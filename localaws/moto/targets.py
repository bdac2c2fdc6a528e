"""Delivers an event to a target by its ARN: what EventBridge, schedules and on-failure destinations have in common."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, replace
from typing import Any

from jsonpath_ng.ext.parser import parse as parse_path

from localaws.clients import Aws
from localaws.moto.lambda_functions import LambdaService

_SERVICES = frozenset({"lambda", "sns", "sqs", "states"})
_PLACEHOLDER = re.compile(r"(\")?<([\w.-]+)>(\")?")


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
    """Sends events; a target that fails raises the service's error."""

    def __init__(self, aws: Aws, functions: LambdaService) -> None:
        self._aws = aws
        self._functions = functions

    def deliver(self, arn: str, body: str, sender: Sender, target: dict[str, Any] | None = None) -> None:
        """Sends the text `body`. `target` may hold the service's own settings (SqsParameters)."""
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
                self._to_queue(arn, body, sender, target or {})
            case "sns":
                self._client(sender, "sns").publish(TopicArn=arn, Message=body)

    def send_event(self, target: dict[str, Any], event: dict[str, Any], sender: Sender) -> None:
        """Sends an event in the form that the target asks for, with the target's role if it names one.

        docs: eventbridge/latest/userguide/eb-transform-target-input.html
        """
        self.deliver(target["Arn"], _target_input(target, event), replace(sender, role=target.get("RoleArn") or ""), target)

    def _client(self, sender: Sender, service: str) -> Any:
        if sender.role:
            return self._aws.client_as(sender.role, service, sender.service, sender.source_of_role or sender.source)
        return self._aws.client_of(sender.service, service, sender.source)

    def _to_queue(self, arn: str, body: str, sender: Sender, target: dict[str, Any]) -> None:
        sqs = self._client(sender, "sqs")
        url = self._aws.client("sqs").get_queue_url(QueueName=arn.rsplit(":", 1)[-1])["QueueUrl"]
        group = (target.get("SqsParameters") or {}).get("MessageGroupId")
        sqs.send_message(QueueUrl=url, MessageBody=body, **({"MessageGroupId": group} if group else {}))


def check_target(arn: str) -> None:
    """Raises ValueError for what nothing can be delivered to here."""
    if _service(arn) not in _SERVICES:
        raise ValueError(f"{arn} is not a target that the local AWS environment can deliver to")


def _service(arn: str) -> str:
    return arn.split(":")[2]


def _target_input(target: dict[str, Any], event: dict[str, Any]) -> str:
    """The text that a target gets for an event: all of it, a part, a constant, or a template filled in."""
    if target.get("Input") is not None:
        return str(target["Input"])
    if transformer := target.get("InputTransformer"):
        return _transformed(transformer, event)
    if path := target.get("InputPath"):
        found = parse_path(path).find(event)
        return json.dumps(found[0].value if found else {})
    return json.dumps(event)


def _transformed(transformer: dict[str, Any], event: dict[str, Any]) -> str:
    values: dict[str, Any] = {}
    for name, path in (transformer.get("InputPathsMap") or {}).items():
        found = parse_path(path).find(event)
        values[name] = found[0].value if found else ""
    values["aws.events.event"] = values["aws.events.event.json"] = event
    values["aws.events.event.ingestion-time"] = event.get("time")
    values["aws.events.rule-arn"] = (event.get("resources") or [""])[0]
    template: str = transformer["InputTemplate"]
    inside_json = template.lstrip().startswith(("{", "["))

    def fill(match: re.Match[str]) -> str:
        value = values.get(match[2], "")
        if match[1] and match[3]:  # "<name>": the quotes are the template's
            return f'"{value}"' if isinstance(value, str) else json.dumps(json.dumps(value))
        if isinstance(value, str):
            quoted = json.dumps(value) if inside_json and not (match[1] or match[3] or _inside_string(match)) else value
            return f"{match[1] or ''}{quoted}{match[3] or ''}"
        return f"{match[1] or ''}{json.dumps(value)}{match[3] or ''}"

    return _PLACEHOLDER.sub(fill, template)


def _inside_string(match: re.Match[str]) -> bool:
    """Whether the placeholder stands between quotes, with other text around it."""
    return len(re.findall(r'(?<!\\)"', match.string[: match.start()])) % 2 == 1
