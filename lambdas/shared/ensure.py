"""What every step of the train state machine answers: is the resource there yet, and when to look again.

A step describes a resource, creates it when it is absent, and says ACTIVE or PENDING. Waiting is an answer, never an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

from botocore.exceptions import ClientError

#: Refusals that pass by themselves: a neighbour in transition, too many calls at once.
PASSING = frozenset({"ResourceInUseException", "ThrottlingException", "TooManyRequestsException"})
#: What a LimitExceededException says when it is about work in progress (five import jobs, twenty trainings) or call rates,
#: and not about the number of resources that an account may have: only the first kind passes by itself.
PASSING_LIMITS = ("PENDING", "IN_PROGRESS", "per second")


class ResourceFailed(Exception):
    """Personalize could not make a resource; the message is the service's own reason."""


class ConfigurationDrift(Exception):
    """The config and what is in Personalize differ in something that can't be changed in place."""


@dataclass(frozen=True)
class Step:
    """The answer of one look at a resource: `wait_seconds` is a whole number, 0 when ACTIVE."""

    status: Literal["ACTIVE", "PENDING"]
    arn: str
    wait_seconds: int = 0

    def answer(self, **more: Any) -> dict[str, Any]:
        """The step as the state machine reads it, with what else the next state needs."""
        return {**asdict(self), **more}


def active(arn: str) -> Step:
    return Step("ACTIVE", arn)


def pending(arn: str, since: datetime | None = None) -> Step:
    """Look again after a fifth of the time waited so far, a minute at least: few transitions, and no finish is missed by more."""
    age = (datetime.now(UTC) - since).total_seconds() if since else 0.0
    return Step("PENDING", arn, max(60, round(age / 5)))


def step_for(arn: str, resource: dict[str, Any]) -> Step:
    """The step for a described resource. Raises ResourceFailed with the service's reason when it ended as failed."""
    status = resource["status"]
    if status == "ACTIVE":
        return active(arn)
    if "FAILED" in status or status == "CREATE STOPPED":
        reason = resource.get("failureReason") or "the service gave no reason"
        raise ResourceFailed(f"{arn.split(':', 5)[-1]}: {status}: {reason}")
    return pending(arn, resource.get("creationDateTime"))


def found(describe: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """The described resource, or None when there is none."""
    try:
        answer = describe()
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    return next(value for key, value in answer.items() if key != "ResponseMetadata")  # type: ignore[no-any-return]


def create_or_wait(arn: str, create: Callable[[], object]) -> Step:
    """Create a resource; a full queue or a busy neighbour means waiting, and one that a retry made already is fine.

    Raises ResourceFailed when the account's quota for such resources is used up: waiting would never end.
    """
    try:
        create()
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code == "LimitExceededException" and not any(sign in message for sign in PASSING_LIMITS):
            raise ResourceFailed(f"{arn.split(':', 5)[-1]}: the account's quota is used up: {message}") from None
        if code not in PASSING | {"ResourceAlreadyExistsException", "LimitExceededException"}:
            raise
    return pending(arn)


def newest(resources: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The latest of the listed resources by its creation, None when there are none."""
    return max((dict(r) for r in resources), key=lambda r: cast(datetime, r["creationDateTime"]), default=None)
