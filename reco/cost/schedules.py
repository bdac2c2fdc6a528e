"""How often the schedules of a config start their runs."""

from __future__ import annotations

import math

#: A month of a bill.
DAYS_PER_MONTH = 30
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def runs_per_month(schedule: str) -> float:
    """How often a schedule of EventBridge comes round in 30 days: `rate(7 days)`, `cron(0 3 ? * SUN *)`."""
    kind, inside = schedule[:4], schedule[5:-1].split()
    if kind == "rate":
        minutes = {"minute": 1, "hour": 60, "day": 1440}[inside[1].rstrip("s")] * int(inside[0])
        return DAYS_PER_MONTH * 1440 / minutes
    minute, hour, day, month, weekday, _ = inside
    days = DAYS_PER_MONTH * _times(weekday, 7) / 7 if day == "?" else min(_times(day, 31), DAYS_PER_MONTH)
    return _times(minute, 60) * _times(hour, 24) * days * _times(month, 12) / 12


def _times(field: str, of: int) -> float:
    """How many values a field of a cron expression stands for."""
    total = 0.0
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in ("*", "?"):
            count = of
        elif dash and first.isdigit() and last.isdigit():
            count = int(last) - int(first) + 1
        elif dash:
            names = _WEEKDAYS if first in _WEEKDAYS else _MONTHS
            count = names.index(last) - names.index(first) + 1
        else:
            count = of - int(first) if step and first.isdigit() else 1
        total += math.ceil(count / int(step)) if step else count
    return min(total, of)
