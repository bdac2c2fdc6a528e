"""The attributes of moto's objects as JSON text, and back."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any


def encode(value: Any) -> str:
    """JSON in which dates and bytes are marked. Raises TypeError for what has no such form."""
    return json.dumps(value, default=_marked, separators=(",", ":"))


def decode(text: str) -> Any:
    return json.loads(text, object_hook=_unmarked)


def _marked(value: Any) -> dict[str, str]:
    if isinstance(value, datetime):
        return {"$date": value.isoformat()}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    raise TypeError(f"{type(value).__name__} can't be kept")


def _unmarked(value: dict[str, Any]) -> Any:
    match value:
        case {"$date": str(text), **rest} if not rest:
            return datetime.fromisoformat(text)
        case {"$bytes": str(text), **rest} if not rest:
            return base64.b64decode(text)
    return value
