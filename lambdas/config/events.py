"""An event of a shop: what `POST /events` takes, and what the stream holds; its shape is that of personalize_rules.events.

docs: personalize/latest/dg/API_UBS_Event.html, personalize/latest/dg/API_UBS_PutEvents.html
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Base64Str, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from personalize_rules.csv import has_room_for
from personalize_rules.limits import MAX_ID, MAX_IMPRESSION, MAX_RECOMMENDATION_ID

#: `POST /events` takes this many at once, as PutRecords of Kinesis does (kinesis/latest/APIReference/API_PutRecords.html).
MAX_BATCH = 500

#: Why such an id is refused: a user of this name could never be deleted from Personalize, which takes their names as a CSV.
#: docs: personalize/latest/dg/delete-records.html, preparing-training-data.html ("each record ... on a single line")
NO_ID = "has a line break or a NUL character, so that no CSV can name it"


def _named_by_csvs(given: str) -> str:
    if not has_room_for(given):
        raise PydanticCustomError("id", NO_ID)
    return given


Id = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID)]
#: Of a user or an item, or of the session by which Personalize knows a visitor.
_Name = Annotated[Id, AfterValidator(_named_by_csvs)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Event(BaseModel):
    """One event. `timestamp` is in seconds since 1970; without it and `event_id`, the API's time and id of receipt stand in."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)

    event_type: Id
    session_id: _Name
    event_id: Id | None = None
    user_id: _Name | None = None
    item_id: _Name | None = None
    timestamp: Number | None = None
    event_value: Number | None = None
    properties: dict[str, str | int | Number | bool | None] | None = None
    impression: Annotated[list[_Name], Field(min_length=1, max_length=MAX_IMPRESSION)] | None = None
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
