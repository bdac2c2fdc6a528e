"""Results of the steps of the train state machine: which resources are there, and when to call the step again.

A step describes each of its resources, and creates those that are absent. A resource is ACTIVE, PENDING or FAILED; when one
has failed, the step goes on with the others. A step whose resources are not ready yet returns PENDING, and raises no error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

from botocore.exceptions import ClientError

#: Refusals that pass by themselves: a neighbour in transition, too many calls at once.
_PASSING = frozenset({"ResourceInUseException", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"})
#: What a LimitExceededException says when it is about work in progress (five import jobs, twenty trainings) or call rates,
#: and not about the number of resources that an account may have: only the first kind passes by itself.
_PASSING_LIMITS = ("PENDING", "IN_PROGRESS", "per second")

IN_TRANSITION = ("CREATE PENDING", "CREATE IN_PROGRESS", "UPDATE PENDING", "UPDATE IN_PROGRESS")


class ResourceFailed(Exception):
    """Personalize could not make a resource; the message is the service's own reason."""


class ConfigurationDrift(Exception):
    """The config and what is in Personalize differ in something that can't be changed in place."""


def refuse_stranger(arn: str, there: Mapping[str, Any], dataset_group: str) -> None:
    """Raises ConfigurationDrift for a resource of our name that belongs to another dataset group: it is not ours to take over."""
    group = there.get("datasetGroupArn")
    if group != dataset_group:
        raise ConfigurationDrift(
            f"{short(arn)} is there already and belongs to {short(str(group))}, not to {short(dataset_group)}: "
            f"delete it, or give the deployment another name"
        )


@dataclass(frozen=True)
class StepResult:
    """The state of a resource; `extra` is what the next state needs of it."""

    status: Literal["ACTIVE", "PENDING"]
    arn: str
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        return self.status == "ACTIVE"


def active(arn: str, **extra: Any) -> StepResult:
    return StepResult("ACTIVE", arn, extra)


def pending(arn: str) -> StepResult:
    return StepResult("PENDING", arn)


def found_status(arn: str, resource: Mapping[str, Any], **extra: Any) -> StepResult:
    """The state of a described resource. Raises ResourceFailed with the service's reason when it ended as failed."""
    status = resource["status"]
    if status == "ACTIVE":
        return active(arn, **extra)
    if "FAILED" in status or status == "CREATE STOPPED":
        reason = resource.get("failureReason") or "the service gave no reason"
        raise ResourceFailed(f"{short(arn)}: {status}: {reason}")
    return pending(arn)


def found_or_made_anew(
    arn: str, resource: Mapping[str, Any], run_started: datetime, delete: Callable[[], object], **extra: Any
) -> StepResult:
    """The state of a described resource; one whose creation failed in an earlier run is deleted, and the next call creates it.

    Raises ResourceFailed when the creation failed in this run.
    """
    if resource["status"] == "CREATE FAILED" and resource["creationDateTime"] < run_started:
        return create_or_wait(arn, delete)
    return found_status(arn, resource, **extra)


def short(arn: str) -> str:
    """`solution/movielens-for-you`: an ARN without what is the same in all."""
    return arn.split(":", 5)[-1]


def described(describe: Callable[[], Mapping[str, Any]]) -> dict[str, Any] | None:
    """The described resource, or None when there is none."""
    try:
        answer = describe()
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    return next(dict(value) for key, value in answer.items() if key != "ResponseMetadata")


def create_or_wait(arn: str, create: Callable[[], object]) -> StepResult:
    """Create (or delete) a resource; a full queue or a busy neighbour means waiting, and one that a retry made already is fine.

    Raises ResourceFailed when the account's quota for such resources is used up: waiting would never end.
    """
    try:
        create()
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code == "LimitExceededException" and not any(sign in message for sign in _PASSING_LIMITS):
            raise ResourceFailed(f"{short(arn)}: the account's quota is used up: {message}") from None
        if code not in _PASSING | {"ResourceAlreadyExistsException", "LimitExceededException"}:
            raise
    return pending(arn)


def result_of(label: Mapping[str, Any], ensure: Callable[[], StepResult]) -> dict[str, Any]:
    """The result of one resource: its label, its status, and its extra fields, or why it failed."""
    try:
        seen = ensure()
    except (ResourceFailed, ConfigurationDrift) as error:
        return {**label, "status": "FAILED", "failure": failure(type(error).__name__, str(error))}
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _PASSING:
            return {**label, "status": "PENDING"}
        return {**label, "status": "FAILED", "failure": failure(code, str(error))}
    return {**label, "status": seen.status, "arn": seen.arn, **seen.extra}


def failure(error: str, message: str) -> dict[str, str]:
    """An error in the shape in which Step Functions passes on an error of a function."""
    return {"Error": error, "Cause": json.dumps({"errorMessage": message})}


def step_output(parts: Iterable[Mapping[str, Any]], waited_seconds: int, **extra: Any) -> dict[str, Any]:
    """The step's output: DONE when no resource is pending any more, else how many seconds to wait.

    The wait is a fifth of the time waited so far, and a minute at least: few transitions, and no finish is missed by more.
    """
    made = list(parts)
    if not any(p["status"] == "PENDING" for p in made):
        return {"status": "DONE", "parts": made, "failed": sum(p["status"] == "FAILED" for p in made), **extra}
    wait = max(60, round(waited_seconds / 5))
    return {"status": "PENDING", "parts": made, "wait_seconds": wait, "waited_seconds": waited_seconds + wait, **extra}


def newest(resources: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The latest of the listed resources by its creation, None when there are none."""
    return max((dict(r) for r in resources), key=lambda r: cast(datetime, r["creationDateTime"]), default=None)
