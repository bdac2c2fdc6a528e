"""The language of filter expressions.

docs: personalize/latest/dg/creating-filter-expressions.html, filter-expression-elements.html
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

from lark import Lark, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from personalize_emulator.errors import InvalidInput
from personalize_emulator.filters.expression import (
    Condition,
    CurrentItem,
    Expression,
    Filter,
    Operand,
    Operator,
    Placeholder,
    Target,
)
from personalize_emulator.schemas import Kind, normalized

MAX_LENGTH = 2500

_GRAMMAR = r"""
filter: expression ("|" expression)*
expression: (INCLUDE | EXCLUDE) TARGET _WHERE all_of (_OR all_of)* [_IF only_if]
all_of: condition (_AND condition)*
only_if: condition (_AND condition)*

condition: reference [NOT] IN (_OPEN list _CLOSE | reference)  -> list_test
         | reference COMPARISON (operand | _OPEN operand _CLOSE)  -> comparison
list: (STRING | PLACEHOLDER) ("," (STRING | PLACEHOLDER))*
operand: NUMBER | STRING | PLACEHOLDER | reference
reference: NAME _DOT NAME

INCLUDE: /INCLUDE\b/i
EXCLUDE: /EXCLUDE\b/i
TARGET: /(ItemID|UserID|ActionID)\b/i
_WHERE: /WHERE\b/i
_AND: /AND\b/i
_OR: /OR\b/i
_IF: /IF\b/i
NOT: /NOT\b/i
IN: /IN\b/i
COMPARISON: "=" | "!=" | "<=" | ">=" | "<" | ">"
PLACEHOLDER: /\$[A-Za-z0-9_]+/
STRING: /"[^"]*"/
NUMBER: /-?[0-9]+(\.[0-9]+)?/
NAME: /[A-Za-z_][A-Za-z0-9_]*/
_DOT: "."
_OPEN: "("
_CLOSE: ")"
%ignore /\s+/
"""
_PARSER = Lark(_GRAMMAR, start="filter", parser="lalr", maybe_placeholders=True)

_SPOKEN = {
    "$END": "the end", "_WHERE": "WHERE", "_AND": "AND", "_OR": "OR", "_IF": "IF", "_DOT": "'.'", "_OPEN": "'('",
    "_CLOSE": "')'", "VBAR": "'|'", "COMMA": "','", "TARGET": "ItemID, UserID or ActionID", "NAME": "a field",
    "STRING": "a string in double quotes", "NUMBER": "a number", "PLACEHOLDER": "a placeholder",
    "COMPARISON": "a comparison operator",
}  # fmt: skip

_DATASETS: dict[str, Kind] = {
    "INTERACTIONS": "INTERACTIONS",
    "ITEMS": "ITEMS",
    "USERS": "USERS",
    "ACTIONS": "ACTIONS",
    "ACTION": "ACTIONS",  # an example of the documentation writes it so
    "ACTION_INTERACTIONS": "ACTION_INTERACTIONS",
}
_TARGETS: dict[str, Target] = {"ITEMID": "ItemID", "USERID": "UserID", "ACTIONID": "ActionID"}
_TESTABLE: dict[Target, tuple[Kind, ...]] = {
    "ItemID": ("ITEMS", "INTERACTIONS"),
    "UserID": ("USERS", "INTERACTIONS"),
    "ActionID": ("ACTIONS", "ACTION_INTERACTIONS"),
}
_PLACEHOLDER_RULE = "Placeholders are not allowed with NOT_IN operator."

_COMPARISONS: dict[str, Operator] = {"=": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}

_Node = Any  # a tree or token of lark, whose types leave open what the grammar settles

_log = logging.getLogger(__name__)


@lru_cache(maxsize=1024)
def parse_filter(expression: str) -> Filter:
    """The filter that an expression describes; raises InvalidInput that points at the fault."""
    if not 1 <= len(expression) <= MAX_LENGTH:
        raise InvalidInput(f"A filter expression must have 1 to {MAX_LENGTH} characters.")
    try:
        tree = _PARSER.parse(expression)
    except UnexpectedInput as error:
        raise _syntax_error(expression, error) from None
    return _Reader(expression).filter(tree)


def fault(expression: str, position: int, rule: str) -> InvalidInput:
    """The error at a position of an expression, with a line that points there."""
    start = max(0, position - 60)
    line = "".join(" " if char.isspace() else char for char in expression[start : position + 40])
    caret = " " * (position - start) + "^"
    return InvalidInput(f"Could not create filter. {rule} (column {position + 1})\n{line}\n{caret}")


def _syntax_error(expression: str, error: UnexpectedInput) -> InvalidInput:
    position = len(expression)
    expected: set[str] = set()
    found = "end of the expression"
    if isinstance(error, UnexpectedCharacters):
        position, expected = error.pos_in_stream or 0, set(error.allowed or ())
        found = expression[position]
    elif isinstance(error, UnexpectedToken):
        expected = set(error.accepts or error.expected)
        if error.token.type != "$END":
            position, found = error.token.start_pos or 0, str(error.token)
    elif isinstance(error, UnexpectedEOF):
        expected = set(error.expected)
    wanted = ", ".join(sorted(_SPOKEN.get(name, name) for name in expected))
    return fault(expression, position, f"Invalid input symbol: {found[:50]}. Expected: {wanted}.")


class _Reader:
    """Reads the syntax tree and checks what the grammar leaves open."""

    def __init__(self, text: str) -> None:
        self._text = text

    def filter(self, tree: _Node) -> Filter:
        parts = _trees(tree)
        targets = [part.children[1] for part in parts]
        target = _TARGETS[targets[0].upper()]
        for token in targets:
            if _TARGETS[token.upper()] != target:
                raise fault(self._text, token.start_pos, "All parts of a filter must have the same target.")
        return Filter(self._text, target, tuple(self._expression(part, target) for part in parts))

    def _expression(self, tree: _Node, target: Target) -> Expression:
        groups = _trees(tree)
        only_if = groups.pop() if groups[-1].data == "only_if" else None
        any_of = tuple(tuple(self._condition(child, target) for child in _trees(group)) for group in groups)
        if len(any_of) > 1 and any(len(group) > 1 for group in any_of):
            _log.warning("Filter mixes AND and OR; AND is taken to bind tighter: %s", self._text)
        conditions = tuple(self._user_condition(child) for child in _trees(only_if)) if only_if else ()
        expression = Expression(tree.children[0].upper() == "INCLUDE", any_of, conditions)
        self._check_one_dataset(expression)
        return expression

    def _check_one_dataset(self, expression: Expression) -> None:
        first = next(expression.conditions)
        for condition in expression.conditions:
            if condition.kind != first.kind:
                rule = "All conditions of one expression must use the same dataset; combine expressions with '|'."
                raise fault(self._text, condition.position, rule)

    def _condition(self, tree: _Node, target: Target) -> Condition:
        dataset, column = _names(tree.children[0])
        position = dataset.start_pos
        if dataset.upper() == "CURRENTUSER":
            raise fault(self._text, position, "CurrentUser can only be used after IF.")
        kind = _DATASETS.get(dataset.upper())
        if kind not in _TESTABLE[target]:
            allowed = " or ".join(name.title() for name in _TESTABLE[target])
            raise fault(self._text, position, f"A filter for {target} can test {allowed}, not {dataset[:50]}.")
        operator, operand = self._test(tree)
        condition = Condition(kind, str(column), operator, operand, position)
        if condition.is_event_test:
            self._check_event_test(condition)
        elif isinstance(operand, tuple) and "*" in operand:
            raise fault(self._text, position, 'Only EVENT_TYPE can be tested for "*".')
        if isinstance(operand, tuple) and not condition.is_list_test:
            raise fault(self._text, position, f"Operator {operator} tests numbers; use IN for strings.")
        if isinstance(operand, CurrentItem) and target != "ItemID":
            raise fault(self._text, position, "CurrentItem can only be used in filters for ItemID.")
        return condition

    def _check_event_test(self, condition: Condition) -> None:
        if normalized(condition.column) != "EVENTTYPE" or not condition.is_list_test:
            rule = "Of interactions only EVENT_TYPE can be tested, with IN or NOT IN."
            raise fault(self._text, condition.position, rule)
        if isinstance(condition.operand, CurrentItem):
            raise fault(self._text, condition.position, "EVENT_TYPE cannot be compared with CurrentItem.")

    def _user_condition(self, tree: _Node) -> Condition:
        dataset, column = _names(tree.children[0])
        position = dataset.start_pos
        if dataset.upper() != "CURRENTUSER":
            raise fault(self._text, position, f"IF can only test CurrentUser, not {dataset[:50]}.")
        operator, operand = self._test(tree)
        if isinstance(operand, CurrentItem):
            raise fault(self._text, position, "CurrentUser cannot be compared with CurrentItem.")
        if isinstance(operand, tuple) and operator in ("<", "<=", ">", ">="):
            raise fault(self._text, position, f"Operator {operator} tests numbers; use IN for strings.")
        return Condition("USERS", str(column), operator, operand, position)

    def _test(self, tree: _Node) -> tuple[Operator, Operand]:
        if tree.data == "comparison":
            _, comparison, operand = tree.children
            return _COMPARISONS[comparison], self._operand(operand.children[0])
        _, negation, _, argument = tree.children
        operator: Operator = "NOT IN" if negation else "IN"
        if argument.data == "reference":
            return operator, self._operand(argument)
        return operator, self._list(argument.children, operator)

    def _list(self, values: list[Any], operator: Operator) -> Operand:
        for value in values:
            if value.type == "PLACEHOLDER" and operator == "NOT IN":
                raise fault(self._text, value.start_pos, f"Invalid input symbol: {value}. {_PLACEHOLDER_RULE}")
            if value.type == "PLACEHOLDER" and len(values) > 1:
                rule = f"Invalid input symbol: {value}. A placeholder must be the only element of its list."
                raise fault(self._text, value.start_pos, rule)
        if values[0].type == "PLACEHOLDER":
            return Placeholder(values[0][1:])
        return tuple(value[1:-1] for value in values)

    def _operand(self, operand: Any) -> Operand:
        if isinstance(operand, Tree):
            dataset, column = _names(operand)
            if dataset.upper() != "CURRENTITEM":
                rule = f"Invalid input symbol: {dataset[:50]}. A field can only be compared with CurrentItem."
                raise fault(self._text, dataset.start_pos, rule)
            return CurrentItem(str(column))
        if operand.type == "NUMBER":
            return float(operand)
        return Placeholder(operand[1:]) if operand.type == "PLACEHOLDER" else (operand[1:-1],)


def _trees(tree: _Node) -> list[_Node]:
    return [child for child in tree.children if isinstance(child, Tree)]


def _names(reference: _Node) -> tuple[Any, Any]:
    dataset, column = reference.children
    return dataset, column
