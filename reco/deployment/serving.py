"""Calls the deployed API as a shop's server would."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
from collections.abc import Mapping
from typing import Any

from reco.errors import RecoError
from reco.target import Target


def recommend(target: Target, placement: str, parameters: Mapping[str, str | list[str]]) -> dict[str, Any]:
    """GET /recommendations/{placement}. Raises RecoError with the API's own message."""
    query = urllib.parse.urlencode(parameters, doseq=True)
    return call(target, f"/recommendations/{urllib.parse.quote(placement, safe='')}?{query}")


def rank(target: Target, placement: str, user_id: str, item_ids: list[str]) -> dict[str, Any]:
    """POST /rankings/{placement}. Raises RecoError with the API's own message."""
    body = {"user_id": user_id, "item_ids": item_ids}
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


def item_rows(items: list[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """A list of recommended items as the columns and rows of a table."""

    def categories(attributes: dict[str, Any]) -> str:
        return "; ".join(", ".join(value) for value in attributes.values() if isinstance(value, list))

    rows = [
        [n, item["item_id"], item["attributes"].get("TITLE", ""), categories(item["attributes"])]
        for n, item in enumerate(items, 1)
    ]
    return ["#", "item", "title", "categories"], rows


def call(target: Target, path: str, body: object = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    try:
        answer = target.send("GET" if data is None else "POST", path, data)
    except urllib.error.URLError as error:
        again = " `reco down && reco up` starts the embedded AWS again." if target.local else ""
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
