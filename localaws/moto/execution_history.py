"""The pages of GetExecutionHistory: moto hands out all events at once, whatever is asked for.

docs: step-functions/latest/apireference/API_GetExecutionHistory.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from localaws.patching import locate, wrap

_DEFAULT, _MOST = 100, 1000
_DATA = frozenset({"input", "inputDetails", "output", "outputDetails"})


def install() -> None:
    """Lets it heed maxResults, nextToken, reverseOrder and includeExecutionData."""
    action_result = locate("moto.core.responses:ActionResult")[2]
    invalid_token = locate("moto.stepfunctions.parser.api:InvalidToken")[2]

    def in_pages(all_at_once: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def get_execution_history(self: Any) -> Any:
            token = self._get_param("nextToken")
            if token is not None and not token.isdecimal():
                raise invalid_token()
            size = min(int(self._get_param("maxResults") or _DEFAULT), _MOST)
            backwards = bool(self._get_param("reverseOrder"))
            events, more = page(all_at_once(self).result["events"], size, int(token or 0), backwards=backwards)
            if self._get_param("includeExecutionData") is False:
                events = [without_data(event) for event in events]
            return action_result({"events": events} | ({"nextToken": str(events[-1]["id"])} if more else {}))

        return get_execution_history

    wrap("moto.stepfunctions.responses:StepFunctionResponse.get_execution_history", in_pages)


def page(events: Sequence[dict[str, Any]], size: int, last: int, *, backwards: bool) -> tuple[list[dict[str, Any]], bool]:
    """The `size` events that follow the one with the id `last` (0: from the beginning), and whether there are more."""
    in_order = reversed(events) if backwards else events
    following = [event for event in in_order if not last or (event["id"] < last if backwards else event["id"] > last)]
    return following[:size], len(following) > size


def without_data(event: dict[str, Any]) -> dict[str, Any]:
    """An event without what its state was given and what it made of it."""
    return {
        name: {key: part for key, part in value.items() if key not in _DATA} if isinstance(value, dict) else value
        for name, value in event.items()
    }
