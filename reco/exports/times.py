"""Times as exports write them, to seconds since 1970."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reco.errors import RecoError

_EPOCH = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000}
_DATES: tuple[str, ...] = (
    "%d.%m.%Y",
    "%Y/%m/%d",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y.%m.%d",
    "%d.%m.%y",
    "%m/%d/%y",
    "%d/%m/%y",
)
_DATES += (
    "%Y. %m. %d.",
    "%Y년 %m월 %d일",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
    "%a, %d %b %Y",
    "%Y%m%d",
)
_TIMES: tuple[str, ...] = (
    "",
    " %H:%M",
    " %H:%M:%S",
    " %H:%M:%S.%f",
    " %I:%M %p",
    " %I:%M:%S %p",
    "T%H:%M:%S",
    ", %H:%M",
    ", %H:%M:%S",
    "%H%M%S",
)
_TIMES += (" %H.%M", " %H.%M.%S")
#: Names of zones that mean one offset from UTC, in hours.
_ZONES = {"Z": 0, "UTC": 0, "GMT": 0, "KST": 9, "JST": 9, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "WET": 0, "WEST": 1}
_ZONES |= {
    "EST": -5,
    "EDT": -4,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "AEST": 10,
    "AEDT": 11,
    "SGT": 8,
    "HKT": 8,
}
_ZONE = re.compile(r"(?P<time>.*\d.*?)\s*(?P<zone>[+-]\d\d:?\d\d|(?<=[\d:])[+-]\d\d|\b[A-Z]{1,4}|(?<=\d)Z)(\s*\([^)]*\))?$")
_FIRST_DAY = datetime(1899, 12, 30)  # of spreadsheets, whose dates are numbers of days
_LONGEST = 60
_EARLIEST = 315_532_800  # 1980
_MONTHS_AND_DAYS = {"%m/%d/": "%d/%m/", "%m-%d-": "%d-%m-"}
_KOREAN_HALVES = (("오전", "AM"), ("오후", "PM"))


@lru_cache
def zone(name: str) -> tzinfo:
    """Raises RecoError."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise RecoError(f"'{name}' is no time zone. Name one as Europe/Berlin, Asia/Seoul or UTC.") from None


def reader(form: str, timezone_name: str) -> Callable[[str], int]:
    """Reads a time of this form; where it has no zone of its own it is in the one named. What it returns raises ValueError."""
    local = zone(timezone_name)
    if form in _EPOCH:
        return lambda text: _checked(int(float(text) // _EPOCH[form]), text)
    if form == "spreadsheet":
        return lambda text: _seconds(_FIRST_DAY + timedelta(seconds=round(float(text.replace(",", ".")) * 86_400)), local, text)
    parse = datetime.fromisoformat if form == "iso" else _by_pattern(form)

    def read(text: str) -> int:
        plain, given = split_zone(text)
        try:
            found = parse(plain)
        except ValueError:
            raise ValueError(f"is '{text}', which is no time of the form {form}") from None
        return _seconds(found, given or local, text)

    return read


def _by_pattern(form: str) -> Callable[[str], datetime]:
    def parse(text: str) -> datetime:
        for ours, theirs in _KOREAN_HALVES:
            if ours in text:  # it stands before the hour
                text = re.sub(rf"{ours} ?([\d:]+)", rf"\1 {theirs}", text)
        return datetime.strptime(text, form)

    return parse


def split_zone(text: str) -> tuple[str, tzinfo | None]:
    """The time without its zone, and the zone. Raises ValueError for the name of one that means several offsets, or none."""
    found = _ZONE.match(text) if ":" in text or text[-1:].isalpha() else None
    if found is None or found["zone"] in ("AM", "PM"):
        return text, None
    name = found["zone"]
    if name[0] in "+-":
        hours, minutes = int(name[1:3]), int(name[-2:]) if len(name) > 3 else 0
        offset = timedelta(hours=hours, minutes=minutes)
        if offset >= timedelta(hours=24):
            raise ValueError(f"is '{text}', whose offset from UTC is none")
        return found["time"], timezone(-offset if name[0] == "-" else offset)
    if name not in _ZONES:
        raise ValueError(f"is '{text}': '{name}' does not name one time zone; export times in UTC, or with an offset as +09:00")
    return found["time"], timezone(timedelta(hours=_ZONES[name]))


def _seconds(found: datetime, zone_of_it: tzinfo, text: str) -> int:
    try:
        return _checked(int((found if found.tzinfo else found.replace(tzinfo=zone_of_it)).timestamp()), text)
    except OverflowError:
        raise ValueError(f"is '{text}', which is no time that can be stored") from None


def _checked(seconds: int, text: str) -> int:
    if seconds < 0:
        raise ValueError(f"is '{text}', which is before 1970")
    return seconds


def has_zone(text: str) -> bool:
    try:
        return split_zone(text)[1] is not None
    except ValueError:
        return True


def forms_of(values: Sequence[str]) -> list[str]:
    """The forms in which all the values are times: none where they are not, two where month and day could be either.

    Of two the more likely stands first.
    """
    if not values:
        return []
    numbers = _numbers(values)
    if numbers is not None:
        return _number_forms(values, numbers)
    few = values[:: max(1, len(values) // 50)][:50]
    if not all(len(value) < _LONGEST and any(letter.isdigit() for letter in value) for value in few):
        return []
    form = next((form for form in ("iso", *_patterns()) if _all_read(few, form) and _all_read(values, form)), None)
    if form is None:
        return []
    swapped = next((form.replace(one, two) for one, two in _MONTHS_AND_DAYS.items() if form.startswith(one)), None)
    if swapped is None or not _all_read(values, swapped):
        return [form]
    return sorted([form, swapped], key=lambda each: _disorder(values, each))


def _numbers(values: Sequence[str]) -> list[float] | None:
    try:
        return [float(value) for value in values]
    except ValueError:
        return None


def _number_forms(values: Sequence[str], numbers: Sequence[float]) -> list[str]:
    """Whole numbers of seconds and their like, or days of a spreadsheet; 20260308 is a date."""
    for form in ("%Y%m%d", "%Y%m%d%H%M%S"):
        if all(len(value) in (8, 14) for value in values) and _all_read(values, form):
            return [form]
    for form, parts in _EPOCH.items():
        if all(_EARLIEST <= number / parts < 2 * time.time() for number in numbers):
            return [form]
    if all(25_000 < number < 70_000 for number in numbers) and any("." in value for value in values):
        return ["spreadsheet"]
    return []


def _patterns() -> list[str]:
    return [date + hour for date, hour in itertools.product(_DATES, _TIMES)]


def _all_read(values: Sequence[str], form: str) -> bool:
    """A value that is no time is seen at the first; where nearly all are, the few others are mistakes in the data."""
    read, wrong = reader(form, "UTC"), 0
    allowed = len(values) // 50
    for value in values:
        try:
            read(value)
        except ValueError:
            wrong += 1
            if wrong > allowed:
                return False
    return True


def _disorder(values: Sequence[str], form: str) -> tuple[int, int]:
    """How often the times fall or lie in the future, and how far they reach: days that were read as months reach a year."""
    read, found = reader(form, "UTC"), []
    for value in values:
        try:
            found.append(read(value))
        except ValueError:
            continue
    now = time.time()
    wrong = sum(one > two for one, two in itertools.pairwise(found)) + sum(second > now for second in found)
    return wrong, max(found) - min(found)
