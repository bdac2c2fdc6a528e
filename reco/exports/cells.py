"""What becomes of one cell of an export. The functions raise ValueError with the rule that is broken, not the column's name."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from personalize_rules.limits import MAX_ID, MAX_TEXT, MAX_TEXTUAL
from reco.exports import times

As = Literal["text", "id", "number", "whole", "time", "html", "list", "yes_no", "age_from_year", "age_from_date"]
#: Reads the text of a cell.
Convert = Callable[[str], str]

#: What stands in exports where there is no value.
_EMPTY = ("NULL", "null", "\\N", "NaN", "nan", "N/A", "#N/A", "None")
_BY_SPREADSHEET = re.compile(r"(\d)[.,](\d+)E\+(\d{1,2})")
_YES, _NO = {"1", "true", "t", "yes", "y", "ja", "j", "예", "o"}, {"0", "false", "f", "no", "n", "nein", "아니오", "x"}
_CURRENCY = re.compile(r"^\s*(?:[€$£¥₩]|EUR|USD|GBP|KRW|CHF)?\s*(.*?)\s*(?:[€$£¥₩%원]|EUR|USD|GBP|KRW|CHF)?\s*$")
_GROUPS = " \u00a0\u202f'’"


def _known_zone(name: str | None) -> str | None:
    if name is not None:
        try:
            times.zone(name)
        except Exception as error:
            raise ValueError(str(error)) from None
    return name


class Column(BaseModel):
    """Where the values of a column come from: a column of the export (`from`), or one value for all rows (`constant`)."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    source: str | None = Field(None, alias="from", description="a column of the export")
    constant: str | None = Field(None, description="the value of every row")
    as_: As = Field("text", alias="as", description="what the text is read as")
    form: str | None = Field(
        None, description="of a time: iso, seconds, milliseconds, microseconds, spreadsheet or a strptime pattern"
    )
    timezone: Annotated[str | None, AfterValidator(_known_zone)] = Field(None, description="of times that name none")
    decimal: Literal[".", ","] = Field(".", description="the decimal mark of a number")
    separator: str | None = Field(None, min_length=1, description="of the parts of a list")
    width: int | None = Field(None, ge=1, le=MAX_ID, description="of an id: as many digits, with zeros in front")
    values: dict[str, str] = Field(default_factory=dict, description="your word: the one that is written")

    @model_validator(mode="after")
    def _says_where_from(self) -> Column:
        if (self.source is None) == (self.constant is None):
            raise ValueError("give either `from`, a column of the export, or `constant`, a value")
        if self.as_ in ("time", "age_from_date") and self.source is not None:
            if self.form is None:
                raise ValueError("a time needs its `form`: iso, seconds, milliseconds or a pattern such as %d.%m.%Y %H:%M")
            if "%" not in self.form and self.form not in ("iso", "seconds", "milliseconds", "microseconds", "spreadsheet"):
                raise ValueError(f"'{self.form}' is no form of a time: iso, seconds, milliseconds or a pattern such as %d.%m.%Y")
        if self.as_ == "list" and self.separator is None:
            raise ValueError("a list needs its `separator`")
        return self


def converter(column: Column, timezone: str) -> Convert:
    """Reads the cells of a column of the export that are not empty."""
    plain = _by_kind(column, column.timezone or timezone)
    words = column.values
    return (lambda text: words[text] if text in words else plain(text)) if words else plain


def _by_kind(column: Column, timezone: str) -> Convert:
    if column.as_ in ("time", "age_from_date"):
        read = times.reader(column.form or "iso", timezone)
        return (lambda text: str(read(text))) if column.as_ == "time" else _age_from_date(column.form or "iso")
    if column.as_ in ("number", "whole"):
        return _number(column.decimal, whole=column.as_ == "whole")
    if column.as_ == "list":
        return _list(column.separator or "|")
    if column.as_ == "id":
        return _id(column.width)
    return {"text": _text, "html": _text_of_html, "yes_no": _yes_no, "age_from_year": _age_from_year}[column.as_]


def is_empty(text: str) -> bool:
    return not text or text in _EMPTY


def _text(text: str) -> str:
    return " ".join(text.split())[:MAX_TEXT]


def _id(width: int | None) -> Convert:
    def read(text: str) -> str:
        found = _expanded(text)
        if width and found.isdigit():
            found = found.zfill(width)
        if len(found) > MAX_ID:
            raise ValueError(f"is longer than the {MAX_ID} characters of an id")
        return found

    return read


def by_spreadsheet(text: str) -> bool:
    """Whether a spreadsheet has written a long number in short."""
    return bool(_BY_SPREADSHEET.fullmatch(text))


def _expanded(text: str) -> str:
    """1.0E+05 is 100000: what a spreadsheet made of an id."""
    found = _BY_SPREADSHEET.fullmatch(text)
    if found is None:
        return text
    digits, power = found[1] + found[2], int(found[3])
    return digits[: power + 1].ljust(power + 1, "0")


def number_text(text: str, decimal: str) -> str:
    """A number as Personalize takes it: without currency and groups, with a decimal point. Raises ValueError."""
    bare = (_CURRENCY.fullmatch(text) or ["", text])[1]
    for group in (*_GROUPS, "," if decimal == "." else "."):
        bare = bare.replace(group, "")
    found = bare.replace(",", ".")
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", found):
        raise ValueError(f"is '{text}', not a number with the decimal mark '{decimal}'")
    return found


def _number(decimal: str, whole: bool) -> Convert:
    def read(text: str) -> str:
        found = number_text(text, decimal)
        if not whole:
            return found
        if not abs(float(found)) < 2**63 or float(found) != int(float(found)):
            raise ValueError(f"is '{text}', not a whole number")
        return str(int(found) if re.fullmatch(r"[+-]?\d+", found) else int(float(found)))

    return read


def _list(separator: str) -> Convert:
    def read(text: str) -> str:
        parts = [" ".join(part.split()).replace("|", "/") for part in html.unescape(text).split(separator)]
        found = list(dict.fromkeys(part for part in parts if part))
        while len("|".join(found)) > MAX_TEXT:
            found.pop()
        return "|".join(found)

    return read


def _yes_no(text: str) -> str:
    word = text.strip().casefold()
    if word in _YES or word in _NO:
        return "yes" if word in _YES else "no"
    raise ValueError(f"is '{text}', neither yes nor no")


def is_yes_or_no(text: str) -> bool:
    return text.strip().casefold() in _YES | _NO


def _age_from_year(text: str) -> str:
    year = float(text) if re.fullmatch(r"\d{4}(\.0+)?", text) else 0
    if not 1900 <= year <= datetime.now(UTC).year:
        raise ValueError(f"is '{text}', no year of birth")
    return str(datetime.now(UTC).year - int(year))


def _age_from_date(form: str) -> Convert:
    """Dates of birth lie before 1970 too, where no time of an event does."""

    def read(text: str) -> str:
        plain, _ = times.split_zone(text)
        try:
            born = datetime.fromisoformat(plain) if form == "iso" else datetime.strptime(plain, form)
        except ValueError:
            raise ValueError(f"is '{text}', which is no date of the form {form}") from None
        today = datetime.now(UTC)
        return str(today.year - born.year - ((today.month, today.day) < (born.month, born.day)))

    return read


class _Texts(HTMLParser):
    """Collects what a browser would show."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in ("script", "style")
        self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style") and self._hidden > 0
        self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def _text_of_html(text: str) -> str:
    """What a browser would show of it."""
    parser = _Texts()
    parser.feed(text)
    parser.close()
    return " ".join("".join(parser.parts).split())[:MAX_TEXTUAL]
