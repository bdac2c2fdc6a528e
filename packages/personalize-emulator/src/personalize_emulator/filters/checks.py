"""Checks of a filter against the schemas of its dataset group, when it is created.

docs: personalize/latest/dg/filter-expression-elements.html, how-it-works-dataset-schema.html
"""

from __future__ import annotations

from collections.abc import Mapping

from personalize_emulator.filters.expression import Condition, CurrentItem, Filter
from personalize_emulator.filters.grammar import fault
from personalize_emulator.schemas import Field, Kind, Schema

_NOT_FILTERABLE = frozenset({"EXPIRATION_TIMESTAMP", "ACTION_EXPIRATION_TIMESTAMP", "REPEAT_FREQUENCY"})


def check_filter(f: Filter, schemas: Mapping[Kind, Schema]) -> None:
    """Raises InvalidInput if a field does not exist, cannot be filtered by or does not fit its operator."""
    for expression in f.expressions:
        for condition in expression.conditions:
            _check_condition(f, condition, schemas)
        for condition in expression.only_if:
            _check_condition(f, condition, schemas, only_if=True)


def _check_condition(f: Filter, condition: Condition, schemas: Mapping[Kind, Schema], *, only_if: bool = False) -> None:
    field = _field(f, condition, condition.kind, condition.column, schemas)
    operand = condition.operand
    if isinstance(operand, CurrentItem):
        other = _field(f, condition, "ITEMS", operand.column, schemas)
        if field.is_text != other.is_text:
            raise fault(f.text, condition.position, f"{field.name} and {other.name} are not of the same type.")
    if not condition.is_list_test and field.is_text and not (only_if and condition.operator in ("=", "!=")):
        rule = f"Operator {condition.operator} tests numbers, {field.name} is of type string; use IN."
        raise fault(f.text, condition.position, rule)
    if isinstance(operand, tuple) and field.is_number:
        for value in operand:
            if not _is_number(value):
                raise fault(f.text, condition.position, f'{field.name} is of type {field.type}, "{value}" is not.')
    if isinstance(operand, float) and field.is_text:
        raise fault(f.text, condition.position, f"{field.name} is of type string, {operand:g} is a number.")


def _field(f: Filter, condition: Condition, kind: Kind, name: str, schemas: Mapping[Kind, Schema]) -> Field:
    schema = schemas.get(kind)
    if schema is None:
        raise fault(f.text, condition.position, f"The dataset group has no dataset of type {kind}.")
    field = schema.field(name)
    if field is None:
        raise fault(f.text, condition.position, f"The schema of {kind} has no field {name[:50]}.")
    if field.type == "boolean":
        raise fault(f.text, condition.position, f"Invalid Expression: {field.name} is boolean, not filterable.")
    if field.textual:
        raise fault(f.text, condition.position, f"Invalid Expression: {field.name} is textual, not filterable.")
    if kind == "ACTIONS" and field.name in _NOT_FILTERABLE:
        raise fault(f.text, condition.position, f"Invalid Expression: {field.name} is not filterable.")
    return field


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
