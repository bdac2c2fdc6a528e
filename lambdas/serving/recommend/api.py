"""The calls of the serving API: what they take, what they answer, what is wrong with a bad one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from lambdas.config.events import Id
from personalize_rules.limits import MAX_RANKED_ITEMS, MAX_RECOMMENDATIONS

Request = TypeVar("Request", bound=BaseModel)

#: The names and values of a call's context (personalize/latest/dg/API_RS_GetRecommendations.html).
_ContextName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$", min_length=1, max_length=150)]
_ContextValue = Annotated[str, StringConstraints(max_length=1000)]

#: Query parameters with a meaning of their own; the others are values for the placement's filter.
_OWN_PARAMETERS = frozenset({"user_id", "item_id", "session_id", "num_results", "explain"})
CONTEXT = "context."


class BadRequest(Exception):
    """A call that can't be answered: `field` is where, the message says which rule."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class RecommendationRequest(BaseModel):
    """GET /recommendations/{placement}. `filter_values` holds the values of each filter parameter.

    Without a user, the session decides which variant of an experiment answers.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)

    user_id: Id | None = None
    item_id: Id | None = None
    session_id: Id | None = None
    num_results: int | None = Field(None, ge=1, le=MAX_RECOMMENDATIONS)
    explain: bool = False
    context: dict[_ContextName, _ContextValue] = Field(default_factory=dict, max_length=150)
    filter_values: dict[str, list[str]] = Field(default_factory=dict, max_length=25)


class RankingRequest(BaseModel):
    """POST /rankings/{placement}."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    user_id: Id
    item_ids: list[Id] = Field(min_length=1, max_length=MAX_RANKED_ITEMS)
    explain: bool = False
    context: dict[_ContextName, _ContextValue] = Field(default_factory=dict, max_length=150)
    filter_values: dict[str, list[str]] = Field(default_factory=dict, max_length=25)


@dataclass(slots=True)
class Item:
    """One recommended item; `attributes` come from the catalogue, `source` stands where it is not that of the answer."""

    item_id: str
    score: float | None = None
    reason: list[str] | None = None
    source: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


class RuleEffect(BaseModel):
    """What one business rule did, by item id; `refused` says why an item that the rule names is not at its place."""

    model_config = ConfigDict(defer_build=True)

    rule: str
    dropped: list[str]
    moved: list[str]
    added: list[str]
    refused: dict[str, str]


class Listed(BaseModel):
    """A list of items. `source` is who made its beginning: a solution, `batch`, `given` (a ranking as it came), `pin`, or `none`.

    `degraded` names what did not come in time, so that rules and filters did without it: `attributes` (of items, from the
    catalogue, also when its table is empty), `recent_items` (of the user), `erasures` (whether the user asked to be forgotten).
    It is absent when all is well.
    """

    model_config = ConfigDict(defer_build=True)

    source: str
    items: list[Item]
    requested: int
    returned: int
    degraded: list[str] | None = None
    explain: list[RuleEffect] | None = None


class Answer(Listed):
    """What a placement answers.

    `recommendation_id` is there when the placement's own campaign answered; `filtered` lists what a ranking lost; `experiment`
    and `variant` are there when the placement has an experiment and the call names a user or a session.
    """

    placement: str
    recommendation_id: str | None = None
    experiment: str | None = None
    variant: str | None = None
    filtered: list[str] | None = None


class BatchAnswer(Listed):
    """The list of GET /batch/{name}/users/{user_id}; `published_at` is when the current lists of the batch became current."""

    batch: str
    published_at: datetime | None = None


def read_query(query: Mapping[str, Sequence[str]]) -> RecommendationRequest:
    """The request in a query string (each name with all its values). Raises BadRequest."""
    raw: dict[str, Any] = {"context": {}, "filter_values": {}}
    for name, values in query.items():
        if name in _OWN_PARAMETERS or name.startswith(CONTEXT):
            if len(values) > 1:
                raise BadRequest(name, "is given more than once")
            target = raw if name in _OWN_PARAMETERS else raw["context"]
            target[name.removeprefix(CONTEXT)] = values[0]
        else:
            raw["filter_values"][name] = list(values)
    return parse(RecommendationRequest, raw)


def parse(model: type[Request], raw: Any) -> Request:
    """Plain data as a request. Raises BadRequest with the first field that breaks a rule."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"] if part != "[key]") or "body"
        raise BadRequest(field, problem["msg"][:1].lower() + problem["msg"][1:]) from None
