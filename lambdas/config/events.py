"""An event of a shop: what `POST /events` takes, and what the stream holds; its shape is that of personalize_rules.events.

docs: personalize/latest/dg/API_UBS_Event.html, personalize/latest/dg/API_UBS_PutEvents.html
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Base64Str, BaseModel, ConfigDict, Field, StringConstraints

from personalize_rules.limits import MAX_ID, MAX_IMPRESSION, MAX_RECOMMENDATION_ID

#: `POST /events` takes this many at once, as PutRecords of Kinesis does (kinesis/latest/APIReference/API_PutRecords.html).
MAX_BATCH = 500

Id = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Event(BaseModel):
    """One event. `timestamp` is in seconds since 1970; without it and `event_id`, the API's time and id of receipt stand in."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)

    event_type: Id
    session_id: Id
    event_id: Id | None = None
    user_id: Id | None = None
    item_id: Id | None = None
    timestamp: Number | None = None
    event_value: Number | None = None
    properties: dict[str, str | int | Number | bool | None] | None = None
    impression: Annotated[list[Id], Field(min_length=1, max_length=MAX_IMPRESSION)] | None = None
    recommendation_id: Annotated[str, StringConstraints(min_length=1, max_length=MAX_RECOMMENDATION_ID)] | None = None


class EventRecord(BaseModel):
    """A record of the stream: an event, when it was received (milliseconds since 1970), and an id that no other record has.

    `request_id` is the id by which the API's logs know the request, in base64. Callers can choose it, so it only correlates.
    """

    model_config = ConfigDict(strict=True, defer_build=True)

    kind: Literal["event"]
    received_at: int
    id: str
    request_id: Base64Str = ""
    body: Event


class Exposure(BaseModel):
    """A user, or a session without a user, got the answer of a variant of an experiment."""

    model_config = ConfigDict(strict=True, frozen=True, defer_build=True)

    experiment: str
    variant: str
    placement: str
    user_id: Id | None = None
    session_id: Id | None = None


class ExposureRecord(BaseModel):
    """A record of the stream that `recommend` writes, for the archive alone."""

    model_config = ConfigDict(strict=True, defer_build=True)

    kind: Literal["exposure"] = "exposure"
    received_at: int
    id: str
    body: Exposure
