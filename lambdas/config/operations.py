"""When runs start, and who is notified."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from lambdas.config.section import Section

_FIELD = r"[\w*,/#-]+"
_RATE = r"rate\((1 (minute|hour|day)|([2-9]|[1-9]\d+) (minutes|hours|days))\)"
_CRON = rf"cron\({_FIELD} {_FIELD} (\? {_FIELD} {_FIELD}|{_FIELD} {_FIELD} \?) {_FIELD}\)"
_EXPRESSION = rf"^({_RATE}|{_CRON})$"


def _schedule_expression(text: str) -> str:
    """docs: scheduler/latest/UserGuide/schedule-types.html"""
    if not re.fullmatch(_EXPRESSION, text):
        raise ValueError(
            f"{text!r} is not a schedule: rate() takes a number and a unit, as in rate(1 day) and rate(7 days); cron() takes "
            "six fields (minute hour day month weekday year) with ? in exactly one of day and weekday, as in cron(0 3 ? * SUN *)"
        )
    return text


ScheduleExpression = Annotated[str, AfterValidator(_schedule_expression), Field(json_schema_extra={"pattern": _EXPRESSION})]


class Schedules(Section):
    """When runs start by themselves, as EventBridge Scheduler writes it: `rate(7 days)` or `cron(0 3 ? * SUN *)`, in UTC."""

    train: ScheduleExpression | None = Field(None, description="all solutions are trained anew; without it, when somebody asks")
    batch: ScheduleExpression | None = Field(
        None, description="batch lists and segments are made anew; without it, when somebody asks"
    )
    archive: ScheduleExpression | None = Field(
        "cron(30 2 ? * SUN *)", description="erased users are removed from the archive, retention and churn are counted"
    )


class Alarms(Section):
    """Who gets the mails of runs and alarms, and which bill is worth one."""

    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = Field(
        None, description="gets every run's report, approvals and alarms, once it has confirmed the mail from SNS"
    )
    monthly_budget_usd: float | None = Field(
        None,
        gt=0,
        description="mails when the month's bill for what carries the deployment's tag passes it, or will",
    )

    @model_validator(mode="after")
    def somebody_hears_of_the_budget(self) -> Alarms:
        if self.monthly_budget_usd is not None and self.email is None:
            raise ValueError("monthly_budget_usd: give alarms.email too, or nobody hears of it")
        return self


#: The periods for which CloudWatch Logs keeps (AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html).
_LogDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]  # fmt: skip


class Protection(Section):
    """What outlives a mistake; environments differ in it."""

    keep: Literal["nothing", "buckets", "everything"] = Field(
        "buckets",
        description="when stacks are deleted: `buckets` outlive them, tables too with `everything`, which also protects stacks "
        "from deletion; `nothing` is for data that can be loaded again",
    )
    log_days: _LogDays = Field(90, description="for which logs are kept")
    personalize_conditions: bool = Field(
        True,
        description="Amazon Personalize reaches the buckets for this account's resources only, and lists only the folders that "
        "it needs; `false` is the first thing to try when AWS refuses an import or a batch job (docs/deploying.md)",
    )
