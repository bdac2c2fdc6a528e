"""The pages of GetExecutionHistory: moto hands out all events at once, whatever is asked for.

docs: step-functions/latest/apireference/API_GetExecutionHistory.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from localaws.patching import intercept, locate

_DEFAULT, _MOST = 100, 1000
_DATA = frozenset({"input", "inputDetails", "output", "outputDetails"})


def install() -> None:
    """Lets it heed maxResults, nextToken, reverseOrder and includeExecutionData."""
    intercept("moto.stepfunctions.responses:StepFunctionResponse.get_execution_history", _one_page)


def _one_page(all_at_once: Callable[[Any], Any], request: Any) -> Any:
    token = request._get_param("nextToken")
    if token is not None and not token.isdecimal():
        raise locate("moto.stepfunctions.parser.api:InvalidToken")[2]
    size = min(int(request._get_param("maxResults") or _DEFAULT), _MOST)
    backwards = bool(request._get_param("reverseOrder"))
    events, more = page(all_at_once(request).result["events"], size, int(token or 0), backwards=backwards)
    if request._get_param("includeExecutionData") is False:
        events = [_without_data(event) for event in events]
    action_result = locate("moto.core.responses:ActionResult")[2]
    return action_result({"events": events} | ({"nextToken": str(events[-1]["id"])} if more else {}))


def page(events: Sequence[dict[str, Any]], size: int, last: int, *, backwards: bool) -> tuple[list[dict[str, Any]], bool]:
    """The `size` events that follow the one with the id `last` (0: from the beginning), and whether there are more."""
    in_order = reversed(events) if backwards else events
    following = [event for event in in_order if not last or (event["id"] < last if backwards else event["id"] > last)]
    return following[:size], len(following) > size


def _without_data(event: dict[str, Any]) -> dict[str, Any]:
    """An event without what its state was given and what it made of it."""
    return {
        name: {key: part for key, part in value.items() if key not in _DATA} if isinstance(value, dict) else value
        for name, value in event.items()
    }
