"""Calls of browsers: who asks is proved by a token of the shop's server, or is a visitor whom nobody knows.

They come through an API of their own, whose stage says so. Its key is public, so that a user's id alone must open nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lambdas.config import Config
from lambdas.config.api import BROWSERS, CALLERS
from lambdas.serving.recommend.api import BadRequest
from lambdas.serving.recommend.placements import NoSuchPlacement
from lambdas.stores.user_tokens import user_of

#: The session of a visitor without a token. Visitors and users have ids of one kind in Personalize: no user's may look like this.
_VISITOR = re.compile(r"visitor-[\w-]{16,200}", re.ASCII)


class ForeignPage(Exception):
    """A page of an origin that the config does not name."""


def calls(event: Mapping[str, Any]) -> bool:
    """Whether a browser calls, by the variable that only the stage of the browsers' API has."""
    return (event.get("stageVariables") or {}).get(CALLERS) == BROWSERS


def read(config: Config, event: Mapping[str, Any], placement: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a server would have said: `user_token` is replaced by the user's id, `session_id` stands for a visitor without one.

    `given` has one value for each of these names. Raises ForeignPage, NoSuchPlacement, BadRequest, InvalidToken.
    """
    origin = _header(event, "origin")
    if origin is not None and not _may_call(config, event, origin):
        raise ForeignPage(origin)
    if placement not in config.api.browser_placements:
        raise NoSuchPlacement("placement", f"browsers may not ask for the placement '{placement}'")
    if "user_id" in given:
        raise BadRequest("user_id", "is not proof of a user: send a user_token, which the shop's server makes")
    if "explain" in given and config.storefront is None:
        raise BadRequest("explain", "is for the shop's servers: it shows the business rules")
    rest = {name: value for name, value in given.items() if name != "user_token"}
    if "user_token" in given:
        if not isinstance(token := given["user_token"], str):
            raise BadRequest("user_token", "must be one text")
        return rest | {"user_id": user_of(config.name, token)}
    session = given.get("session_id")
    if not isinstance(session, str) or _VISITOR.fullmatch(session) is None:
        raise BadRequest("session_id", "must be 'visitor-' and at least 16 letters or digits where there is no user_token")
    return rest


def headers(config: Config, event: Mapping[str, Any]) -> dict[str, list[str]]:
    """With them a page of another origin may read the answer, if the config names it."""
    origin = _header(event, "origin")
    allowed = {"Access-Control-Allow-Origin": [origin]} if origin and _may_call(config, event, origin) else {}
    return {"Vary": ["Origin"], **allowed}


def _may_call(config: Config, event: Mapping[str, Any], origin: str) -> bool:
    """Pages that the API serves itself may, and those that the config names."""
    own = origin.partition("://")[2] == _header(event, "host")
    return own or bool({origin, "*"} & {*config.api.cors_origins})


def _header(event: Mapping[str, Any], name: str) -> str | None:
    return next((str(value) for key, value in (event.get("headers") or {}).items() if key.lower() == name), None)
