"""Checks of a filter against the schemas of its dataset group, when it is created.

docs: personalize/latest/dg/creating-filter-expressions.html, how-it-works-dataset-schema.html, limits.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from personalize_rules.filters.parser import parse_filter
from personalize_rules.filters.tree import Condition, CurrentItem, Fault, Filter, InvalidFilter
from personalize_rules.schemas import Field, Kind, Schema

_NOT_FILTERABLE = frozenset({"EXPIRATION_TIMESTAMP", "ACTION_EXPIRATION_TIMESTAMP", "REPEAT_FREQUENCY"})
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


def checked_filter(text: str, schemas: Mapping[Kind, Schema]) -> Filter:
    """The filter that an expression describes. Raises InvalidFilter for what CreateFilter refuses."""
    parsed, faults = all_faults(text, schemas)
    if parsed is None or faults:
        raise InvalidFilter(text, faults, parsed)
    return parsed


def all_faults(text: str, schemas: Mapping[Kind, Schema]) -> tuple[Filter | None, list[Fault]]:
    """What an expression says, and all that CreateFilter would refuse of it."""
    try:
        parsed: Filter | None = parse_filter(text)
        faults: list[Fault] = []
    except InvalidFilter as error:
        parsed, faults = error.parsed, error.faults
    known = {fault.position for fault in faults}
    more = _faults_of(parsed, schemas) if parsed else []
    return parsed, sorted([*faults, *(fault for fault in more if fault.position not in known)])


def _faults_of(f: Filter, schemas: Mapping[Kind, Schema]) -> list[Fault]:
    """What does not fit the schemas."""
    faults = []
    for expression in f.expressions:
        for condition in expression.conditions:
            faults += _faults(condition, schemas)
        for condition in expression.only_if:
            faults += _faults(condition, schemas, only_if=True)
    return faults


def distinct_fields(filters: Iterable[Filter]) -> set[str]:
    """The fields that filters use together, such as `ITEMS.GENRES`: the service limits their number."""
    return {name for f in filters for name in f.fields}


def _faults(condition: Condition, schemas: Mapping[Kind, Schema], *, only_if: bool = False) -> list[Fault]:
    rule = _broken_rule(condition, schemas, only_if)
    return [Fault(condition.position, rule)] if rule else []


def _broken_rule(condition: Condition, schemas: Mapping[Kind, Schema], only_if: bool) -> str | None:
    field = _field(condition.kind, condition.column, schemas)
    if isinstance(field, str):
        return field
    operand = condition.operand
    if isinstance(operand, CurrentItem):
        other = _field("ITEMS", operand.column, schemas)
        if isinstance(other, str):
            return other
        if field.is_text != other.is_text:
            return f"{field.name} and {other.name} are not of the same type."
    if not condition.is_list_test and field.is_text and not (only_if and condition.operator in ("=", "!=")):
        return f"Operator {condition.operator} tests numbers, {field.name} is of type string; use IN."
    if isinstance(operand, float) and field.is_text:
        return f"{field.name} is of type string, {operand:g} is a number."
    # Guess: a number may be tested with IN, for numbers in double quotes.
    wrong = next((value for value in operand if not _NUMBER.fullmatch(value)), None) if isinstance(operand, tuple) else None
    if wrong is not None and field.is_number:
        return f'{field.name} is of type {field.type}, "{wrong}" is not.'
    return None


def _field(kind: Kind, name: str, schemas: Mapping[Kind, Schema]) -> Field | str:
    """The field of a dataset, or why it can't be filtered by."""
    schema = schemas.get(kind)
    if schema is None:
        return f"The dataset group has no dataset of type {kind}."
    field = schema.field(name)
    if field is None:
        return f"The schema of {kind} has no field {name[:50]}."
    if field.type == "boolean":
        return f"Invalid Expression: {field.name} is boolean, not filterable."
    if field.textual:
        return f"Invalid Expression: {field.name} is textual, not filterable."
    if kind == "ACTIONS" and field.name in _NOT_FILTERABLE:
        return f"Invalid Expression: {field.name} is not filterable."
    return field
