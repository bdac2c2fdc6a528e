"""Custom resources: a function of the app is called with an event, and answers by a PUT to a presigned S3 URL.

docs: AWSCloudFormation/latest/UserGuide/template-custom-resources.html
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from localaws.clients import Aws
from localaws.moto.cloudformation.provider import Created, Properties, Provider

_BUCKET = "cloudformation-custom-resource-responses"
_PATIENCE_SECONDS = 900


class _CustomResource(Provider):
    type = "Custom::"
    outlives = True

    def create(self, aws: Aws, properties: Properties) -> Created:
        identity = properties["localaws"]
        answer = _ask(aws, "Create", identity, _without_identity(properties), {})
        attributes = {**(answer.get("Data") or {}), "localaws": identity}
        return Created(answer["PhysicalResourceId"], attributes)

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        identity = created.attributes["localaws"]
        extra = {"PhysicalResourceId": created.ref, "OldResourceProperties": _stringified(previous)}
        answer = _ask(aws, "Update", identity, properties, extra)
        replaced = Created(answer["PhysicalResourceId"], {**(answer.get("Data") or {}), "localaws": identity})
        if replaced.ref != created.ref:
            self.delete(aws, created, previous)
        return replaced

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        _ask(aws, "Delete", created.attributes["localaws"], properties, {"PhysicalResourceId": created.ref})


def _without_identity(properties: Properties) -> Properties:
    return {name: value for name, value in properties.items() if name != "localaws"}


def _ask(aws: Aws, kind: str, identity: Properties, properties: Properties, extra: Properties) -> dict[str, Any]:
    s3, key = aws.client("s3"), str(uuid.uuid4())
    if not any(bucket["Name"] == _BUCKET for bucket in s3.list_buckets()["Buckets"]):
        s3.create_bucket(Bucket=_BUCKET)
    token, url = properties["ServiceToken"], s3.generate_presigned_url("put_object", {"Bucket": _BUCKET, "Key": key}, 3600)
    event = {
        "RequestType": kind,
        "ServiceToken": token,
        "ResponseURL": url.replace(aws.endpoint, aws.secure_endpoint, 1),
        "StackId": identity["StackId"],
        "RequestId": key,
        "LogicalResourceId": identity["LogicalId"],
        "ResourceType": identity["ResourceType"],
        "ResourceProperties": _stringified(properties),
        **extra,
    }
    called = aws.client("lambda").invoke(FunctionName=token, Payload=json.dumps(event).encode())
    if called.get("FunctionError"):
        raise ValueError(f"its function failed: {called['Payload'].read().decode()}")
    answer = _await_answer(s3, key)
    if answer["Status"] != "SUCCESS":
        raise ValueError(f"its function answered {answer['Status']}: {answer.get('Reason')}")
    return answer


def _await_answer(s3: Any, key: str) -> dict[str, Any]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            body = s3.get_object(Bucket=_BUCKET, Key=key)["Body"].read()
        except s3.exceptions.NoSuchKey:
            time.sleep(0.1)
        else:
            answer: dict[str, Any] = json.loads(body)
            return answer
    raise TimeoutError(f"its function did not answer within {_PATIENCE_SECONDS} seconds")


def _stringified(value: Any) -> Any:
    """CloudFormation hands all scalars to the function as strings."""
    if isinstance(value, dict):
        return {name: _stringified(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_stringified(entry) for entry in value]
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


PROVIDERS: tuple[Provider, ...] = (_CustomResource(),)
