"""Calls the deployed API as a shop's server would."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from reco.errors import RecoError
from reco.target import Target


def recommend(target: Target, placement: str, parameters: Mapping[str, str | list[str]]) -> dict[str, Any]:
    """GET /recommendations/{placement}. Raises RecoError with the API's own message."""
    query = urllib.parse.urlencode(parameters, doseq=True)
    return call(target, f"/recommendations/{urllib.parse.quote(placement, safe='')}?{query}")


def rank(
    target: Target,
    placement: str,
    user_id: str,
    item_ids: list[str],
    parameters: Mapping[str, str | list[str]] = MappingProxyType({}),
    *,
    explain: bool = False,
) -> dict[str, Any]:
    """POST /rankings/{placement}. Raises RecoError with the API's own message."""
    lists = {name: [value] if isinstance(value, str) else value for name, value in parameters.items()}
    context = {name.removeprefix("context."): values[-1] for name, values in lists.items() if name.startswith("context.")}
    filter_values = {name: values for name, values in lists.items() if not name.startswith("context.")}
    body: dict[str, Any] = {"user_id": user_id, "item_ids": item_ids}
    body |= {"context": context} if context else {}
    body |= {"filter_values": filter_values} if filter_values else {}
    body |= {"explain": True} if explain else {}
    return call(target, f"/rankings/{urllib.parse.quote(placement, safe='')}", body)


def batch_list(target: Target, name: str, user_id: str) -> dict[str, Any]:
    """GET /batch/{name}/users/{user_id}. Raises RecoError with the API's own message."""
    return call(target, f"/batch/{name}/users/{urllib.parse.quote(user_id, safe='')}")


#: What an answer did without, by the name that its `degraded` has for it.
MISSING = {
    "attributes": "the items' attributes did not come in time: business rules and filters that need them did without",
    "recent_items": "the user's recent items did not come in time: business rules and filters that need them did without",
    "erasures": "whether the user asked to be forgotten could not be looked up in time: the answer is as for any user",
}


def missing(answer: Mapping[str, Any]) -> list[str]:
    """What a degraded answer did without, a sentence each."""
    return [f"Degraded: {MISSING.get(name, name)}." for name in answer.get("degraded", [])]


def item_rows(items: list[dict[str, Any]], title: str | None) -> tuple[list[str], list[list[Any]]]:
    """A list of recommended items as the columns and rows of a table; `title` is the column that holds their names."""

    def categories(attributes: dict[str, Any]) -> str:
        return "; ".join(", ".join(value) for value in attributes.values() if isinstance(value, list))

    rows = [
        [n, item["item_id"], item["attributes"].get(title or "", ""), categories(item["attributes"])]
        for n, item in enumerate(items, 1)
    ]
    return ["#", "item", "title", "categories"], rows


def call(target: Target, path: str, body: object = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    try:
        answer = target.send("GET" if data is None else "POST", path, data)
    except urllib.error.URLError as error:
        again = " `reco down && reco up` starts the local AWS environment again." if target.local else ""
        raise RecoError(f"The API at {target.api_url} can't be reached: {error.reason}.{again}") from None
    if answer.status >= 300:
        raise RecoError(f"The API answered {answer.status}: {message_of(answer.body)}")
    return dict(json.loads(answer.body))


def message_of(body: bytes) -> str:
    """The message in an error of ours, or of API Gateway."""
    try:
        said = json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")[:200]
    return str(said.get("error", said).get("message", said))
