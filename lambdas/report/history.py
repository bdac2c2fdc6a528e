"""What is kept of every solution version that a run trained: the memory of the report's charts."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class VersionRecord(BaseModel):
    """One solution version: what was measured, what the gate decided, and whether it came into service."""

    model_config = ConfigDict(frozen=True)

    solution: str
    version_arn: str
    run_id: str
    trained_at: datetime
    metrics: dict[str, float]
    decision: str
    deployed: bool
