"""Filter criteria of event source mappings. docs: lambda/latest/dg/invocation-eventfiltering.html"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from moto.events.models import EventPattern


class RecordFilter:
    """Lets through the records that match one of the mapping's patterns; without patterns, all."""

    def __init__(self, mapping: dict[str, Any]) -> None:
        filters = (mapping.get("FilterCriteria") or {}).get("Filters") or []
        self._patterns = [EventPattern.load(entry["Pattern"]) for entry in filters]

    def passes(self, record: dict[str, Any]) -> bool:
        if not self._patterns:
            return True
        readable: Any = _readable(record)
        return any(pattern.matches_event(readable) for pattern in self._patterns)


def _readable(record: dict[str, Any]) -> dict[str, Any]:
    """The record with its data decoded, as patterns see it."""
    if "kinesis" in record:
        return {**record["kinesis"], "data": _parsed(record["kinesis"]["data"], encoded=True)}
    return {**record, "body": _parsed(record.get("body"), encoded=False)}


def _parsed(value: Any, *, encoded: bool) -> Any:
    try:
        return json.loads(base64.b64decode(value) if encoded else value)
    except (ValueError, TypeError, binascii.Error):
        return value
