"""Amazon Personalize: the eight types that CloudFormation has, made by the emulator.

What `Ref` and `Fn::GetAtt` give is on the page of each type. A resource is there when it is ACTIVE, as in CloudFormation.
docs: AWSCloudFormation/latest/TemplateReference/AWS_Personalize.html
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from localaws.clients import Aws
from localaws.moto.cloudformation.provider import Created, Properties, Provider, call

_PATIENCE_SECONDS = 900.0
_PAUSE_SECONDS = 0.2
#: What an update may change without a replacement, by kind, and the member of the update's parameters.
_UPDATED = {"Campaign": ("SolutionVersionArn", "MinProvisionedTPS", "CampaignConfig")}


class _Resource(Provider):
    """Resources of one kind (`DatasetGroup`). Most have a status, which is waited for."""

    name_property = "Name"
    outlives = True

    def __init__(
        self, kind: str, attributes: tuple[str, ...] = (), has_status: bool = True, not_emulated: tuple[str, ...] = ()
    ) -> None:
        self.type = f"AWS::Personalize::{kind}"
        self._kind = kind
        self._member = f"{kind[0].lower()}{kind[1:]}"
        self._arn = f"{self._member}Arn"
        self.not_emulated = not_emulated
        self._attributes = attributes
        self._has_status = has_status

    def create(self, aws: Aws, properties: Properties) -> Created:
        answer = call(aws, "personalize", f"Create{self._kind}", properties)
        arn = str(answer[self._arn])
        described = self._wait(aws, arn)
        values = {f"{self._kind}Arn": arn} | {name: _value(name, answer, described) for name in self._attributes}
        return Created(arn, values)

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        changed = {name for name in {*properties, *previous} if properties.get(name) != previous.get(name)} - {"Tags"}
        if not changed <= set(_UPDATED.get(self._kind, ())):
            return self.replace(aws, created, properties, previous)
        call(aws, "personalize", f"Update{self._kind}", {self._arn: created.ref, **{name: properties[name] for name in changed}})
        self._wait(aws, created.ref)
        return created

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        """Waits until it is gone, so that what it belongs to can go next."""
        call(aws, "personalize", f"Delete{self._kind}", {self._arn: created.ref})
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._has_status and time.monotonic() < deadline:
            try:
                self._describe(aws, created.ref)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceNotFoundException":
                    raise
                return
            time.sleep(_PAUSE_SECONDS)

    def _wait(self, aws: Aws, arn: str) -> dict[str, Any]:
        """The description once it is ACTIVE. Raises ValueError with the reason of a failure, TimeoutError."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            described = self._describe(aws, arn)
            status = described.get("status", "ACTIVE") if self._has_status else "ACTIVE"
            latest = described.get("latestCampaignUpdate") or {}
            if status == "ACTIVE" and latest.get("status", "ACTIVE") == "ACTIVE":
                return described
            if "FAILED" in (status, latest.get("status", "")) or str(status).endswith("FAILED"):
                raise ValueError(f"{status}: {described.get('failureReason') or latest.get('failureReason')}")
            time.sleep(_PAUSE_SECONDS)
        raise TimeoutError(f"{arn} did not become ACTIVE within {_PATIENCE_SECONDS:.0f} seconds")

    def _describe(self, aws: Aws, arn: str) -> dict[str, Any]:
        describe = getattr(aws.client("personalize"), xform_name(f"Describe{self._kind}"))
        found: dict[str, Any] = describe(**{self._arn: arn})[self._member]
        return found


def _value(attribute: str, answer: dict[str, Any], described: dict[str, Any]) -> Any:
    member = f"{attribute[0].lower()}{attribute[1:]}"
    found = answer[member] if member in answer else described.get(member)
    return found.isoformat() if isinstance(found, datetime) else found


PROVIDERS: tuple[Provider, ...] = (
    _Resource("Schema", has_status=False),
    _Resource("DatasetGroup"),
    _Resource("Dataset", not_emulated=("DatasetImportJob",)),
    _Resource("Solution"),
    _Resource("Campaign", ("CreationDateTime", "LastUpdatedDateTime", "Status")),
    _Resource("EventTracker", ("TrackingId",)),
    _Resource("Filter", ("CreationDateTime", "LastUpdatedDateTime", "Status")),
    _Resource("MetricAttribution", ("Status",)),
)
