"""When runs start, and who is told."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lambdas.shared.config.section import Section


class Schedules(Section):
    """When runs start by themselves, as EventBridge Scheduler writes it: `rate(7 days)` or `cron(0 3 ? * SUN *)`, in UTC."""

    train: Annotated[str, Field(pattern=r"^(rate|cron)\(.+\)$")] | None = None


class Alarms(Section):
    """Who gets the mails of runs and alarms."""

    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
