"""Filter expressions: parsed to a tree, checked against the schemas, and the values of their placeholders."""

from personalize_rules.filters.checks import all_faults, checked_filter, distinct_fields
from personalize_rules.filters.parser import parse_filter
from personalize_rules.filters.request_values import as_number, parse_values, quoted, required_placeholders
from personalize_rules.filters.tree import (
    Condition,
    CurrentItem,
    Expression,
    Fault,
    Filter,
    InvalidFilter,
    Operand,
    Operator,
    Placeholder,
    Target,
    shown,
)

__all__ = [
    "Condition",
    "CurrentItem",
    "Expression",
    "Fault",
    "Filter",
    "InvalidFilter",
    "Operand",
    "Operator",
    "Placeholder",
    "Target",
    "all_faults",
    "as_number",
    "checked_filter",
    "distinct_fields",
    "parse_filter",
    "parse_values",
    "quoted",
    "required_placeholders",
    "shown",
]
