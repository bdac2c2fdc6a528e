"""Schedule expressions: rate(), cron() and at(); which are valid, and when they fire.

docs: eventbridge/latest/userguide/eb-scheduled-rule-pattern.html, scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_RATE = re.compile(r"rate\(0*([1-9]\d*) (minute|hour|day)(s?)\)")
_CRON = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
_YEARS = re.compile(r"(\*|\d{4}(-\d{4})?)(/[1-9]\d*)?(,\d{4}(-\d{4})?(/[1-9]\d*)?)*")
_DAY_NUMBER = re.compile(r"(?<![#/\w])([1-7])(?=[-,#L/]|$)")
_NEVER_RUN_HERE = re.compile(r"cron\(\S+ \S+ (\d+W \S+ \S+|\S+ \S+ L) \S+\)")


def check(expression: str) -> None:
    """Raises ValueError for an expression that EventBridge Scheduler refuses, and for one that can't be run here."""
    if match := _CRON.fullmatch(expression):
        _check_cron(match)
    elif match := _AT.fullmatch(expression):
        datetime.fromisoformat(match[1])
    elif not _RATE.fullmatch(expression):
        raise ValueError(
            f"{expression!r} is not a schedule expression: rate(2 days) with a whole number from 1 of minutes, hours or days, "
            "cron() with six fields, or at(yyyy-mm-ddThh:mm:ss)"
        )


def check_of_rule(expression: str) -> None:
    """The same for a rule of EventBridge, which has no at(), and wants a singular for 1, a plural for more."""
    check(expression)
    match = _RATE.fullmatch(expression)
    if match and (match[1] == "1") == bool(match[3]):
        raise ValueError(f"{expression!r} is not a rate of a rule: the unit is singular for 1, as in rate(1 day), else plural")
    if _AT.fullmatch(expression):
        raise ValueError(f"{expression!r} is not for rules: only EventBridge Scheduler takes at()")


def _check_cron(match: re.Match[str]) -> None:
    _, _, day, _, weekday, year = match.groups()
    if (day == "?") == (weekday == "?"):
        raise ValueError(f"{match[0]!r} needs ? in exactly one of its day fields, the third and the fifth")
    if _NEVER_RUN_HERE.fullmatch(match[0]):
        raise ValueError(f"{match[0]!r} is valid in AWS but can't be run here: W, and L as the day of the week")
    if "0" in re.split("[-,#]", weekday):
        raise ValueError(f"{match[0]!r} has a wrong day of the week: 1 is Sunday, 7 is Saturday")
    if not _YEARS.fullmatch(year):
        raise ValueError(f"{match[0]!r} has a wrong year, its last field")
    try:
        CronSim(_fields(match), datetime.now(UTC))
    except CronSimError as error:
        raise ValueError(f"{match[0]!r} can't be run: {error}") from error


def next_time(expression: str, zone: str, after: datetime, since: datetime) -> datetime | None:
    """The first moment after `after` at which an expression fires; rates count from `since`. None if there is none."""
    if match := _RATE.fullmatch(expression):
        period = timedelta(seconds=int(match[1]) * _UNITS[match[2]])
        return since + ((after - since) // period + 1) * period
    if match := _AT.fullmatch(expression):
        moment = datetime.fromisoformat(match[1]).replace(tzinfo=ZoneInfo(zone))
        return moment.astimezone(UTC) if moment > after else None
    if match := _CRON.fullmatch(expression):
        return next(_moments(match, zone, after), None)
    raise ValueError(f"{expression!r} is not a schedule expression")


def _moments(match: re.Match[str], zone: str, after: datetime) -> Iterator[datetime]:
    for moment in CronSim(_fields(match), after.astimezone(ZoneInfo(zone))):
        if _in_year(match[6], moment.year):
            yield moment.astimezone(UTC)
        if moment.year > after.year + 10:
            return


def _fields(match: re.Match[str]) -> str:
    """The fields as CronSim takes them. AWS counts days of the week from 1 = Sunday, and writes ? for any day."""
    minute, hour, day, month, weekday, _ = match.groups()
    weekday = _DAY_NUMBER.sub(lambda number: str(int(number[1]) - 1), weekday)
    return " ".join((minute, hour, day.replace("?", "*"), month, weekday.replace("?", "*")))


def _in_year(field: str, year: int) -> bool:
    def covers(part: str) -> bool:
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        low, high = (1970, 2199) if span == "*" else (int(first), int(last or (2199 if step else first)))
        return low <= year <= high and (year - low) % int(step or 1) == 0

    return any(covers(part) for part in field.split(","))
