"""What a function reports of its batch.

docs: lambda/latest/dg/services-sqs-errorhandling.html, lambda/latest/dg/services-kinesis-batchfailurereporting.html
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any


def reported_failures(mapping: dict[str, Any], payload: bytes | str, identifiers: Collection[str]) -> set[str]:
    """Those of the batch's identifiers that an answer reports as failed; all of them if the report is malformed."""
    answer = json.loads(payload)
    if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []) or not isinstance(answer, dict):
        return set()
    report = answer.get("batchItemFailures") or []
    failed: set[Any] = {entry.get("itemIdentifier") if isinstance(entry, dict) else None for entry in report}
    return failed if failed <= set(identifiers) else set(identifiers)
