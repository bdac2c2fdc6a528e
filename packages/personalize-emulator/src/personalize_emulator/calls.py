"""Counts how often campaigns are asked: what Amazon Personalize tells CloudWatch."""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any


class Calls:
    """Since the emulator began."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def count(self, operation: str, request: Mapping[str, Any]) -> None:
        """An answered call; those that no campaign answers are not counted."""
        campaign = request.get("campaignArn")
        if campaign:
            with self._lock:
                self._counts[operation, campaign] += 1

    def shown(self) -> list[dict[str, Any]]:
        """As `GET /_emulator` shows them."""
        with self._lock:
            counts = dict(self._counts)
        return [{"operation": operation, "campaign": campaign, "count": count} for (operation, campaign), count in counts.items()]
