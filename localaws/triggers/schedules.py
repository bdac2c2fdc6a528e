"""Schedules of EventBridge rules and of EventBridge Scheduler, in real time."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localaws.clients import Aws
from localaws.errors import LocalAwsError
from localaws.moto.targets import Sender, Targets
from localaws.poller import Poller
from localaws.schedule_expressions import next_time

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schedule:
    """A rule or schedule that is enabled. `start` and `end` bound the time in which it fires."""

    arn: str
    expression: str
    zone: str
    targets: list[dict[str, Any]]
    source: str
    group: str = ""  # the ARN of its group, for which Scheduler assumes roles
    start: datetime | None = None
    end: datetime | None = None


class Schedules(Poller):
    """Fires what is due, once a second."""

    def __init__(self, aws: Aws, targets: Targets) -> None:
        super().__init__("schedules", pause=1.0)
        self._aws = aws
        self._targets = targets
        self._due: dict[tuple[str, str], tuple[datetime, datetime | None]] = {}  # when first seen, when due
        self._details: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}  # an entry of the list, and what it leaves out

    def fire(self, arn: str) -> None:
        """Fires a rule or schedule now. Raises LocalAwsError if there is none (enabled) of that ARN."""
        for schedule in self._schedules():
            if schedule.arn == arn:
                self._fire(schedule, datetime.now(UTC))
                return
        raise LocalAwsError(f"There is no enabled schedule {arn}.")

    def turn(self) -> None:
        now, seen = datetime.now(UTC), set()
        for schedule in self._schedules():
            key = (schedule.arn, f"{schedule.expression} {schedule.zone}")
            seen.add(key)
            try:
                self._fire_if_due(schedule, key, now)
            except Exception as error:
                _LOG.error("The schedule %s, %s: %s", *key, error)
                self._due.setdefault(key, (now, None))  # so that what has no next time is logged once
        self._due = {key: value for key, value in self._due.items() if key in seen}

    def _fire_if_due(self, schedule: Schedule, key: tuple[str, str], now: datetime) -> None:
        if key not in self._due:
            self._due[key] = (now, next_time(schedule.expression, schedule.zone, now, now))
        since, due = self._due[key]
        if due is not None and due <= now:
            self._due[key] = (since, next_time(schedule.expression, schedule.zone, now, since))
            if (schedule.start or due) <= due <= (schedule.end or due):
                self._fire(schedule, due)

    def _fire(self, schedule: Schedule, moment: datetime) -> None:
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": schedule.source,
            "account": self._aws.account,
            "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self._aws.region,
            "resources": [schedule.arn],
            "detail": {} if schedule.source == "aws.events" else "{}",
        }
        sender = Sender(schedule.source.removeprefix("aws."), schedule.arn, source_of_role=schedule.group)
        for target in schedule.targets:
            self._targets.send_event(target, event, sender)

    def _schedules(self) -> Iterator[Schedule]:
        events, scheduler = self._aws.client("events"), self._aws.client("scheduler")
        for rule in events.get_paginator("list_rules").paginate().build_full_result()["Rules"]:
            if rule.get("ScheduleExpression") and rule["State"] == "ENABLED":
                targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
                yield Schedule(rule["Arn"], rule["ScheduleExpression"], "UTC", targets, "aws.events")
        listed = scheduler.get_paginator("list_schedules").paginate().build_full_result()["Schedules"]
        there = {entry["Arn"] for entry in listed}
        self._details = {arn: details for arn, details in list(self._details.items()) if arn in there}
        for entry in listed:
            as_listed, full = self._details.get(entry["Arn"], (None, {}))
            if as_listed != entry:
                full = scheduler.get_schedule(Name=entry["Name"], GroupName=entry.get("GroupName", "default"))
                self._details[entry["Arn"]] = entry, full
            if full.get("State", "ENABLED") == "ENABLED":
                yield Schedule(
                    arn=entry["Arn"],
                    expression=full["ScheduleExpression"],
                    zone=full.get("ScheduleExpressionTimezone") or "UTC",
                    targets=[full["Target"]],
                    source="aws.scheduler",
                    group=re.sub(r":schedule/([^/]+)/.*", r":schedule-group/\1", entry["Arn"]),
                    start=full.get("StartDate"),
                    end=full.get("EndDate"),
                )
