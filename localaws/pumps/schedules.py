"""Schedules of EventBridge rules and of EventBridge Scheduler: rate(), cron() and at(), in real time.

docs: eventbridge/latest/userguide/eb-scheduled-rule-pattern.html, scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim

from localaws.clients import Aws
from localaws.errors import LocalAwsError
from localaws.moto.targets import Targets
from localaws.pumps.pump import Pump

_LOG = logging.getLogger(__name__)
_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
_AT = re.compile(r"at\((.+)\)")
_DAY_NUMBER = re.compile(r"(?<![#\w])([1-7])(?=[-,#L]|$)")


@dataclass(frozen=True)
class Schedule:
    """A rule or schedule that is enabled. `start` and `end` bound the time in which it fires."""

    arn: str
    expression: str
    zone: str
    targets: list[dict[str, Any]]
    source: str
    start: datetime | None = None
    end: datetime | None = None


def next_time(expression: str, zone: str, after: datetime, since: datetime) -> datetime | None:
    """The first moment after `after` at which an expression fires; rates count from `since`. None if there is none."""
    if match := _RATE.fullmatch(expression):
        period = timedelta(seconds=int(match[1]) * _UNITS[match[2]])
        return since + ((after - since) // period + 1) * period
    if match := _AT.fullmatch(expression):
        moment = datetime.fromisoformat(match[1]).replace(tzinfo=ZoneInfo(zone))
        return moment.astimezone(UTC) if moment > after else None
    if match := _CRON.fullmatch(expression):
        return _next_of_cron(match, zone, after)
    raise ValueError(f"{expression!r} is not a schedule expression")


def _next_of_cron(match: re.Match[str], zone: str, after: datetime) -> datetime | None:
    """AWS counts days of the week from 1 = Sunday, writes ? for "any", and adds a field for the year."""
    minute, hour, day, month, weekday, year = match.groups()
    weekday = _DAY_NUMBER.sub(lambda number: str(int(number[1]) - 1), weekday)
    fields = " ".join("*" if field == "?" else field for field in (minute, hour, day, month, weekday))
    for moment in CronSim(fields, after.astimezone(ZoneInfo(zone))):
        if _in_year(year, moment.year):
            return moment.astimezone(UTC)
        if moment.year > after.year + 10:
            return None
    return None


def _in_year(field: str, year: int) -> bool:
    def covers(part: str) -> bool:
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        low, high = (1970, 2199) if span == "*" else (int(first), int(last or (2199 if step else first)))
        return low <= year <= high and (year - low) % int(step or 1) == 0

    return any(covers(part) for part in field.split(","))


class Schedules(Pump):
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
            if key not in self._due:
                self._due[key] = (now, next_time(schedule.expression, schedule.zone, now, now))
            since, due = self._due[key]
            if due is not None and due <= now:
                self._due[key] = (since, next_time(schedule.expression, schedule.zone, now, since))
                if (schedule.start or due) <= due <= (schedule.end or due):
                    self._fire(schedule, due)
        self._due = {key: value for key, value in self._due.items() if key in seen}

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
        for target in schedule.targets:
            try:
                self._targets.send_event(_with_placeholders(target, event), event)
            except Exception as error:
                _LOG.error("The target %s of %s did not get its event: %s", target["Arn"], schedule.arn, error)
                dead_letters = (target.get("DeadLetterConfig") or {}).get("Arn")
                if dead_letters:
                    self._targets.deliver(dead_letters, json.dumps(event))

    def _schedules(self) -> Iterator[Schedule]:
        events, scheduler = self._aws.client("events"), self._aws.client("scheduler")
        for rule in events.list_rules()["Rules"]:
            if rule.get("ScheduleExpression") and rule["State"] == "ENABLED":
                targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
                yield Schedule(rule["Arn"], rule["ScheduleExpression"], "UTC", targets, "aws.events")
        for entry in scheduler.list_schedules()["Schedules"]:
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
                    start=full.get("StartDate"),
                    end=full.get("EndDate"),
                )


def _with_placeholders(target: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """Scheduler's context attributes in an input: <aws.scheduler.schedule-arn> and the like."""
    if event["source"] != "aws.scheduler" or not target.get("Input"):
        return target
    values = {
        "schedule-arn": event["resources"][0],
        "scheduled-time": event["time"],
        "execution-id": event["id"],
        "attempt-number": "1",
    }
    text = re.sub(r"<aws\.scheduler\.([\w-]+)>", lambda match: values.get(match[1], match[0]), target["Input"])
    return {**target, "Input": text}
