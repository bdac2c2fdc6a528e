"""Describe and List of every type of resource, and the pages of lists."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from personalize_emulator.errors import InvalidInput, InvalidNextToken
from personalize_emulator.resources.context import Context, Operation, Request
from personalize_emulator.resources.records import Resource
from personalize_emulator.resources.types import TYPES, ResourceType

_PAGE = 100
_KINDS = {resource_type.arn_member: resource_type.name for resource_type in TYPES.values()}
Describe = Callable[[Resource], Mapping[str, Any]]


def describe_operations(context: Context, more: Mapping[str, Describe]) -> dict[str, Operation]:
    """Describe* for every type; `more` gives, by type, members that are not in the record."""

    def describe(resource_type: ResourceType) -> Operation:
        def operation(request: Request) -> dict[str, Any]:
            with context.store.transaction():
                resource = context.find(resource_type.name, request[resource_type.arn_member])
                extra = more[resource_type.name](resource) if resource_type.name in more else {}
                return {resource_type.member: {**resource_type.shown(resource), **extra}}

        return operation

    return {f"Describe{resource_type.operation_suffix}": describe(resource_type) for resource_type in TYPES.values()}


def list_operations(context: Context) -> dict[str, Operation]:
    """List* for every type, oldest first."""

    def listing(resource_type: ResourceType) -> Operation:
        def operation(request: Request) -> dict[str, Any]:
            under = request.get(resource_type.listed_under) if resource_type.listed_under else None
            kind = _checked_kind(resource_type, under) if under else ""
            with context.store.transaction():
                if resource_type.name == "solution-version" and under:
                    context.find("solution", under)
                if resource_type.listed_under == "datasetGroupArn":
                    found = context.store.of_type(resource_type.name, group=under)
                elif resource_type.name == "campaign" and kind == "solution-version":
                    found = [one for one in context.store.of_type("campaign") if one.fields["solutionVersionArn"] == under]
                else:
                    found = context.store.of_type(resource_type.name, parent=under)
                summaries = [resource_type.shown(resource) for resource in found]
            return page(resource_type.list_member, summaries, request, resource_type.arn_member)

        return operation

    return {f"List{resource_type.operation_suffix}s": listing(resource_type) for resource_type in TYPES.values()}


def _checked_kind(listed: ResourceType, under: str) -> str:
    """The type of the resource that an ARN names.

    Raises InvalidInput if it is not the one that the List operation asks for: an empty list would be taken for an answer.
    ListCampaigns takes the ARN of a solution version beside that of a solution, as in a recorded clean-up.
    """
    path = under.split(":", 5)[-1].split("/")
    kind = "solution-version" if path[0] == "solution" and len(path) == 3 else path[0]
    wanted = _KINDS[str(listed.listed_under)]
    if kind != wanted and not (listed.name == "campaign" and kind == "solution-version"):
        # Guess: a List operation refuses the ARN of another type than it asks for.
        raise InvalidInput(f"{listed.listed_under}: {under} is not the ARN of a {wanted.replace('-', ' ')}")
    return kind


def page(member: str, entries: Iterable[Mapping[str, Any]], request: Request, key: str) -> dict[str, Any]:
    """One page of a list under `member`, oldest entry first, with the token of the next page if there is one.

    `key` names the member by which an entry is known. A token holds the last entry's place in the order, so
    that the next page begins there although entries were added or removed meanwhile.

    Raises InvalidNextToken for a token that this list has not given.
    """

    def place(entry: Mapping[str, Any]) -> tuple[float, str]:
        return entry.get("creationDateTime", 0.0), entry[key]

    # Guess: lists begin with the oldest, and a nextToken is valid for its own list, also when entries come and go.
    listed = sorted(entries, key=place)
    if token := request.get("nextToken"):
        last = _read_token(token, member)
        listed = [entry for entry in listed if place(entry) > last]
    size = request.get("maxResults", _PAGE)
    answer: dict[str, Any] = {member: listed[:size]}
    if len(listed) > size:
        answer["nextToken"] = _token(member, *place(listed[size - 1]))
    return answer


def _token(member: str, created: float, last: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([member, created, last]).encode()).decode()


def _read_token(token: str, member: str) -> tuple[float, str]:
    try:
        of, created, last = json.loads(base64.urlsafe_b64decode(token.encode()))
        if of == member and isinstance(created, int | float) and isinstance(last, str):
            return created, last
    except (ValueError, TypeError):
        pass
    raise InvalidNextToken(f"The nextToken '{token[:50]}' is not valid for this list")
