"""What becomes of the columns of a file, beside ids, times and event types: names, kinds, and which are left out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lambdas.config import words
from personalize_rules.schemas import KEYWORDS, RULES, normalized
from reco.exports.cells import As, Column
from reco.exports.language import said
from reco.exports.profile import Export, Profile

#: The role of a column in the config that is written.
Role = Literal[
    "key",
    "time",
    "event",
    "value",
    "context",
    "title",
    "description",
    "category",
    "brand",
    "price",
    "stock",
    "created",
    "number",
    "text",
    "yes_no",
]
_ITEM_ROLES = ("title", "description", "category", "brand", "price", "stock", "created")
#: What columns are called whose own name can't be a column's, such as a Korean one.
_CANONICAL = {
    "title": "TITLE",
    "description": "DESCRIPTION",
    "category": "CATEGORY",
    "brand": "BRAND",
    "price": "PRICE",
    "stock": "STOCK",
    "value": "EVENT_VALUE",
}
_LONG_TEXT = 40


@dataclass(frozen=True)
class Taken:
    """A column that a CSV gets."""

    name: str
    column: Column
    role: Role
    profile: Profile | None

    @property
    def example(self) -> str:
        return next(iter(self.profile.values), "") if self.profile else ""


def of_context(export: Export, used: set[str], room: int) -> list[Taken]:
    """Of events: their value, and the circumstances that a call can name too (the device, the country)."""
    found: list[Taken] = []
    names = _Names("INTERACTIONS")
    for column in export.columns.values():
        if column.name in used or not column.values:
            continue
        decimal = column.decimal_mark or export.decimal
        if words.fits(column.name, "value") >= 0.8 and column.is_number(decimal) and all(each.role != "value" for each in found):
            found.append(Taken("EVENT_VALUE", Column(source=column.name, as_="number", decimal=decimal), "value", column))
        elif (
            words.fits(column.name, "device") >= 0.8
            and len(column.distinct) <= 50
            and sum(t.role == "context" for t in found) < room
        ):
            found.append(Taken(names.new(column.name, "CONTEXT"), Column(source=column.name), "context", column))
    return found


def of_items(export: Export, columns: Sequence[Profile], left_out: list[tuple[str, str]]) -> list[Taken]:
    """Of items: all that filters, rules and answers could want."""
    roles = _item_roles(export, [column for column in columns if column.values])
    names = _Names("ITEMS")
    found: list[Taken] = []
    for column in columns:
        if not column.values:
            left_out.append((f"{export.pattern}: {column.name}", said("empty column")))
            continue
        if len(found) >= RULES["ITEMS"].max_metadata:
            left_out.append((f"{export.pattern}: {column.name}", said("too many of items", count=RULES["ITEMS"].max_metadata)))
            continue
        role = roles.get(column.name)
        as_, decimal, separator, form = _kind(export, column, role)
        name = "CREATION_TIMESTAMP" if role == "created" else names.new(column.name, _CANONICAL.get(role or "", "ITEM_COLUMN"))
        kind = role or _plain_role(as_)
        made = Column(source=column.name, as_=as_, decimal=decimal, separator=separator, form=form)
        found.append(Taken(name, made, kind, column))
    return found


def _item_roles(export: Export, columns: Sequence[Profile]) -> dict[str, Role]:
    """The column of each role: one whose name fits, and whose values can be that."""
    found: dict[str, Role] = {}
    for role in _ITEM_ROLES:
        able = [column for column in columns if column.name not in found and _can_be(export, column, role)]
        best = max(able, key=lambda column: (words.fits(column.name, role), column.mean_length), default=None)
        if best is not None and words.fits(best.name, role) >= 0.4:
            found[best.name] = role  # type: ignore[assignment]
    if "title" not in found.values() and "description" in found.values():
        described = next(column for column in columns if found.get(column.name) == "description")
        if described.mean_length < _LONG_TEXT and not described.is_html:  # what some systems call the name
            found[described.name] = "title"
    return found


def _can_be(export: Export, column: Profile, role: str) -> bool:
    decimal = column.decimal_mark or export.decimal
    number = column.is_number(decimal)
    if words.looks_like_id(column.name):
        return False
    if role == "created":
        return len(column.time_forms) > 0
    if role in ("price", "stock"):
        return number and not column.is_yes_or_no if role == "price" else number or column.is_yes_or_no
    if role == "category":
        return (
            not number
            and not column.is_html
            and (len(column.distinct) < 0.5 * len(column.values) or column.separator is not None)
        )
    if role == "brand":
        return not number and len(column.distinct) < 0.8 * len(column.values)
    return not number


def of_users(export: Export, columns: Sequence[Profile], left_out: list[tuple[str, str]]) -> list[Taken]:
    """Of users: what groups of them have in common. What tells one person from all others is left out."""
    names, found = _Names("USERS"), list[Taken]()
    for column in columns:
        reason = _why_not_of_users(column)
        if reason is None and len(found) >= RULES["USERS"].max_metadata:
            reason = said("too many of users", count=RULES["USERS"].max_metadata)
        if reason:
            left_out.append((f"{export.pattern}: {column.name}", reason))
            continue
        if words.fits(column.name, "birth_year") >= 0.8 and column.is_whole(".") and not column.time_forms:
            found.append(Taken(names.new("AGE", "AGE"), Column(source=column.name, as_="age_from_year"), "number", column))
        elif words.fits(column.name, "birth_date") >= 0.8 and column.dates_of_birth:
            born = Column(source=column.name, as_="age_from_date", form=column.dates_of_birth)
            found.append(Taken(names.new("AGE", "AGE"), born, "number", column))
        else:
            as_, decimal, separator, form = _kind(export, column, None)
            made = Column(source=column.name, as_=as_, decimal=decimal, separator=separator, form=form)
            found.append(Taken(names.new(column.name, "USER_COLUMN"), made, _plain_role(as_), column))
    return found


def _why_not_of_users(column: Profile) -> str | None:
    if not column.values:
        return str(said("empty column"))
    born = words.fits(column.name, "birth_year") >= 0.8 or words.fits(column.name, "birth_date") >= 0.8
    if born:
        return None
    personal = words.fits(column.name, "personal") >= 0.8
    if personal or any("@" in value for value in column.values[:100]):
        return str(said("one person"))
    if not column.is_number(".") and not column.time_forms and len(column.distinct) > max(50, 0.5 * len(column.values)):
        return str(said("own value"))
    return None


def _plain_role(as_: As) -> Role:
    return (
        "number"
        if as_ in ("number", "whole", "age_from_year", "age_from_date")
        else "yes_no"
        if as_ == "yes_no"
        else "time"
        if as_ == "time"
        else "text"
    )


def _kind(export: Export, column: Profile, role: str | None) -> tuple[As, Literal[".", ","], str | None, str | None]:
    """How a column is read."""
    decimal = column.decimal_mark or export.decimal
    if column.time_forms and (role == "created" or words.fits(column.name, "time") >= 0.4 or not column.is_number(decimal)):
        return "time", ".", None, column.time_forms[0]
    if role == "stock" and not column.is_number(decimal):
        return "yes_no", ".", None, None
    if role in ("title", "brand"):
        return ("html" if column.is_html and role == "title" else "text"), ".", None, None
    if role == "description":
        return "html", ".", None, None
    if role not in ("price", "stock") and column.is_yes_or_no:
        return "yes_no", ".", None, None
    if column.is_number(decimal) and not _is_code(column):
        whole = role != "price" and column.is_whole(decimal)
        return ("whole" if whole else "number"), decimal, None, None
    separator = column.separator if role == "category" else _sure_separator(column)
    return ("list", ".", separator, None) if separator and column.mean_length < 200 else ("text", ".", None, None)


def _sure_separator(column: Profile) -> str | None:
    """Of a column that need not hold lists: only a mark that stands in no ordinary text."""
    return column.separator if column.separator in ("|", " > ", ">", ";") and not column.is_html else None


def _is_code(column: Profile) -> bool:
    """Whether digits are no number: a code with zeros in front, or an id."""
    return words.looks_like_id(column.name) or any(re.match(r"0\d", value) for value in column.distinct)


class _Names:
    """Names of columns as a schema takes them, each once."""

    def __init__(self, kind: Literal["INTERACTIONS", "ITEMS", "USERS"]) -> None:
        self._prefix = {"INTERACTIONS": "EVENT", "ITEMS": "ITEM", "USERS": "USER"}[kind]
        self._taken = {normalized(name) for name in KEYWORDS}

    def new(self, name: str, otherwise: str) -> str:
        """The name in capitals; `otherwise` where it is not of Latin letters."""
        plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode()  # Gerät is GERAT
        found = "_".join(words.tokens(plain)).upper() if any(letter.isascii() and letter.isalpha() for letter in name) else ""
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", found):
            found = otherwise
        if normalized(found) in self._taken:
            found = f"{self._prefix}_{found}" if normalized(f"{self._prefix}_{found}") not in self._taken else found
        numbered, count = found, 1
        while normalized(numbered) in self._taken:
            count += 1
            numbered = f"{found}_{count}"
        self._taken.add(normalized(numbered))
        return numbered
