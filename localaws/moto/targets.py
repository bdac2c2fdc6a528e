"""Delivers an event to a target by its ARN: what EventBridge, schedules and on-failure destinations have in common."""

from __future__ import annotations

import datetime
import json
import re
import uuid
from collections.abc import Callable
from typing import Any

from jsonpath_ng.ext.parser import parse as parse_path

from localaws.clients import Aws
from localaws.iam import calls
from localaws.moto.lambda_functions import LambdaService

_PLACEHOLDER = re.compile(r"(\")?<([\w.-]+)>(\")?")


class Targets:
    """Sends events; a target that fails raises the service's error."""

    def __init__(self, aws: Aws, functions: LambdaService) -> None:
        self._aws = aws
        self._functions = functions
        self._send: dict[str, Callable[[str, str, dict[str, Any]], Any]] = {
            "states": self._to_state_machine,
            "lambda": lambda arn, body, target: functions.call_later(arn, body.encode()),
            "sqs": self._to_queue,
            "sns": lambda arn, body, target: aws.client("sns").publish(TopicArn=arn, Message=body),
            "kinesis": self._to_stream,
            "firehose": self._to_delivery_stream,
            "events": self._to_bus,
            "logs": self._to_log_group,
        }

    def deliver(self, arn: str, body: str, target: dict[str, Any] | None = None) -> None:
        """Sends the text `body`. `target` may hold the service's own settings (SqsParameters, KinesisParameters)."""
        service = arn.split(":")[2]
        if target and target.get("RoleArn"):
            calls.note_delivery(target["RoleArn"], arn)
        if service == "scheduler":  # universal target of EventBridge Scheduler: arn:aws:scheduler:::aws-sdk:service:action
            self._call_api(arn, body)
        elif service in self._send:
            self._send[service](arn, body, target or {})
        else:
            raise ValueError(f"{arn} is not a target that the embedded AWS can deliver to")

    def send_event(self, target: dict[str, Any], event: dict[str, Any]) -> None:
        """Sends an event in the form that the target asks for.

        docs: eventbridge/latest/userguide/eb-transform-target-input.html
        """
        self.deliver(target["Arn"], target_input(target, event), target)

    def _to_state_machine(self, arn: str, body: str, target: dict[str, Any]) -> None:
        self._aws.client("stepfunctions").start_execution(stateMachineArn=arn, input=body, name=str(uuid.uuid4()))

    def _to_queue(self, arn: str, body: str, target: dict[str, Any]) -> None:
        sqs = self._aws.client("sqs")
        url = sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[-1])["QueueUrl"]
        group = (target.get("SqsParameters") or {}).get("MessageGroupId")
        sqs.send_message(QueueUrl=url, MessageBody=body, **({"MessageGroupId": group} if group else {}))

    def _to_stream(self, arn: str, body: str, target: dict[str, Any]) -> None:
        path = (target.get("KinesisParameters") or {}).get("PartitionKeyPath")
        found = parse_path(path).find(json.loads(body)) if path else []
        key = str(found[0].value) if found else str(uuid.uuid4())
        self._aws.client("kinesis").put_record(StreamName=arn.rsplit("/", 1)[-1], Data=body.encode(), PartitionKey=key)

    def _to_delivery_stream(self, arn: str, body: str, target: dict[str, Any]) -> None:
        record = {"Data": body.encode()}
        self._aws.client("firehose").put_record(DeliveryStreamName=arn.rsplit("/", 1)[-1], Record=record)

    def _to_bus(self, arn: str, body: str, target: dict[str, Any]) -> None:
        event = json.loads(body)
        entry = {
            "Source": event.get("source", "localaws"),
            "DetailType": event.get("detail-type", "event"),
            "Detail": json.dumps(event.get("detail", {})),
            "EventBusName": arn.rsplit("/", 1)[-1],
        }
        self._aws.client("events").put_events(Entries=[entry])

    def _to_log_group(self, arn: str, body: str, target: dict[str, Any]) -> None:
        logs, group, stream = self._aws.client("logs"), arn.split(":")[6], str(uuid.uuid4())
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        now = int(datetime.datetime.now(datetime.UTC).timestamp() * 1000)
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": now, "message": body}])

    def _call_api(self, arn: str, body: str) -> None:
        *_, service, action = arn.split(":")
        service = {"sfn": "stepfunctions", "eventbridge": "events"}.get(service, service)
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower()
        getattr(self._aws.client(service), snake)(**json.loads(body or "{}"))


def target_input(target: dict[str, Any], event: dict[str, Any]) -> str:
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
