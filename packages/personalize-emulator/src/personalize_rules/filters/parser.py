"""The language of filter expressions, read from left to right.

    filter     = expression { "|" expression }
    expression = ("INCLUDE" | "EXCLUDE") target "WHERE" condition { ("AND" | "OR") condition }
                 [ "IF" condition { "AND" condition } ]
    condition  = column [ "NOT" ] "IN" ( "(" value { "," value } ")" | column )
               | column comparison ( operand | "(" operand ")" )
    column     = dataset "." name

docs: personalize/latest/dg/creating-filter-expressions.html, filter-expression-elements.html, error-messages.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, cast

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
)
from personalize_rules.limits import MAX_FILTER
from personalize_rules.schemas import Kind, normalized

_TOKEN = re.compile(
    r'\s*(?:(?P<string>"[^"]*")|(?P<placeholder>\$[A-Za-z0-9_]+)|(?P<number>-?[0-9]+(?:\.[0-9]+)?)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)'
    r"|(?P<comparison><=|>=|!=|[=<>])|(?P<symbol>[(),.|])|(?P<other>\S)|(?P<end>\Z))"
)
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
_ORDERED = ("<", "<=", ">", ">=")
_NOT_IN = "Placeholders are not allowed with NOT_IN operator."
_FIELD, _STRING, _NUMBER, _PLACEHOLDER = "a field", "a string in double quotes", "a number", "a placeholder"


class Token(NamedTuple):
    kind: str
    text: str
    position: int


class _Column(NamedTuple):
    dataset: Token
    name: str


@lru_cache(maxsize=1024)
def parse_filter(expression: str) -> Filter:
    """The filter that an expression describes. Raises InvalidFilter."""
    if not 1 <= len(expression) <= MAX_FILTER:
        raise InvalidFilter(expression, [Fault(0, f"A filter expression must have 1 to {MAX_FILTER} characters.")])
    parser = _Parser(expression)
    parsed = parser.filter()
    if parser.faults:
        raise InvalidFilter(expression, parser.faults, parsed)
    return parsed


def _tokens(text: str) -> Iterator[Token]:
    position = 0
    while True:
        match = cast("re.Match[str]", _TOKEN.match(text, position))
        kind = str(match.lastgroup)
        yield Token(kind, match[kind], match.start(kind))
        if kind == "end":
            return
        position = match.end()


class _Parser:
    """Goes through the tokens once. A wrong order of tokens ends it; what else is wrong is kept in `faults`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.faults: list[Fault] = []
        self._tokens = _tokens(text)
        self._next = next(self._tokens)

    def filter(self) -> Filter:
        expressions: list[Expression] = []
        first: Target | None = None
        while True:
            include = self._word("INCLUDE", "EXCLUDE").text.upper() == "INCLUDE"
            token = self._word(*_TARGETS, spoken=("ItemID, UserID or ActionID",))
            target = _TARGETS[token.text.upper()]
            if first is None:
                first = target
            elif target != first:
                # Guess: all parts of a filter have the same target.
                self._fault(token.position, "All parts of a filter must have the same target.")
            expressions.append(self._expression(include, target))
            if self._next.kind == "end":
                return Filter(self.text, first, tuple(expressions))
            self._symbol("|")

    def _expression(self, include: bool, target: Target) -> Expression:
        self._word("WHERE")
        groups, group, only_if = list[tuple[Condition, ...]](), [self._condition(target)], list[Condition]()
        while self._is_word("AND", "OR"):
            # Guess: AND binds closer than OR; the documentation does not say.
            if self._take().text.upper() == "OR":
                groups.append(tuple(group))
                group = []
            group.append(self._condition(target))
        if self._is_word("IF"):
            while not only_if or self._is_word("AND"):
                self._take()
                only_if.append(self._user_condition())
        if self._next.text != "|" and self._next.kind != "end":
            raise self._unexpected("'|'", "AND", *(() if only_if else ("OR", "IF")), "the end")
        expression = Expression(include, (*groups, tuple(group)), tuple(only_if))
        self._check_one_dataset(expression)
        return expression

    def _check_one_dataset(self, expression: Expression) -> None:
        first = next(expression.conditions)
        for condition in expression.conditions:
            if condition.kind != first.kind:
                rule = "All conditions of one expression must use the same dataset; combine expressions with '|'."
                self._fault(condition.position, rule)

    def _condition(self, target: Target) -> Condition:
        column = self._column()
        operator, operand = self._test()
        dataset, position = column.dataset.text, column.dataset.position
        kind = _DATASETS.get(dataset.upper())
        testable = kind if kind in _TESTABLE[target] else _TESTABLE[target][0]
        condition = Condition(testable, column.name, operator, operand, position)
        if dataset.upper() == "CURRENTUSER":
            self._fault(position, "CurrentUser can only be used after IF.")
        elif kind not in _TESTABLE[target]:
            allowed = " or ".join(name.title() for name in _TESTABLE[target])
            self._fault(position, f"A filter for {target} can test {allowed}, not {dataset[:50]}.")
        elif condition.is_event_test:
            self._check_event_test(condition)
        elif isinstance(operand, tuple) and not condition.is_list_test:
            self._fault(position, f"Operator {operator} tests numbers; use IN for strings.")
        elif isinstance(operand, tuple) and "*" in operand:
            self._fault(position, 'Only EVENT_TYPE can be tested for "*".')
        elif isinstance(operand, CurrentItem) and target != "ItemID":
            self._fault(position, "CurrentItem can only be used in filters for ItemID.")
        return condition

    def _check_event_test(self, condition: Condition) -> None:
        if normalized(condition.column) != "EVENTTYPE" or not condition.is_list_test:
            self._fault(condition.position, "Of interactions only EVENT_TYPE can be tested, with IN or NOT IN.")
        elif isinstance(condition.operand, CurrentItem):
            self._fault(condition.position, "EVENT_TYPE cannot be compared with CurrentItem.")

    def _user_condition(self) -> Condition:
        column = self._column()
        # Guess: IN and NOT IN, and = with a string, may stand behind IF.
        operator, operand = self._test()
        dataset, position = column.dataset.text, column.dataset.position
        if dataset.upper() != "CURRENTUSER":
            self._fault(position, f"IF can only test CurrentUser, not {dataset[:50]}.")
        elif isinstance(operand, CurrentItem):
            self._fault(position, "CurrentUser cannot be compared with CurrentItem.")
        elif isinstance(operand, tuple) and operator in _ORDERED:
            self._fault(position, f"Operator {operator} tests numbers; use IN for strings.")
        return Condition("USERS", column.name, operator, operand, position)

    def _column(self) -> _Column:
        dataset = self._one_of("word", _FIELD)
        self._symbol(".")
        return _Column(dataset, self._one_of("word", _FIELD).text)

    def _test(self) -> tuple[Operator, Operand]:
        """The comparison of a condition, and what it compares with."""
        if self._next.kind == "comparison":
            operator = cast(Operator, self._take().text)
            opened = self._next.text == "("
            if opened:
                self._take()
            operand = self._operand()
            if opened:
                self._symbol(")")
            return operator, operand
        negated = self._is_word("NOT")
        if negated:
            self._take()
        self._word("IN", spoken=("IN",) if negated else ("IN", "NOT", "a comparison operator"))
        operator = "NOT IN" if negated else "IN"
        if self._next.text != "(":
            return operator, self._current_item("'('", _FIELD)
        self._take()
        return operator, self._list(operator)

    def _list(self, operator: Operator) -> Operand:
        values = [self._value()]
        while self._next.text == ",":
            self._take()
            values.append(self._value())
        self._symbol(")", "','", "')'")
        for value in values:
            if value.kind == "placeholder" and operator == "NOT IN":
                self._fault(value.position, f"Invalid input symbol: {value.text}. {_NOT_IN}")
            elif value.kind == "placeholder" and len(values) > 1:
                rule = f"Invalid input symbol: {value.text}. A placeholder must be the only element of its list."
                self._fault(value.position, rule)
        if values[0].kind == "placeholder":
            return Placeholder(values[0].text[1:])
        return tuple(value.text[1:-1] for value in values)

    def _value(self) -> Token:
        # Guess: strings stand in double quotes, "*" too, as everywhere in the guide; a sheet of AWS's has single quotes.
        if self._next.kind not in ("string", "placeholder"):
            raise self._unexpected(_STRING, _PLACEHOLDER)
        return self._take()

    def _operand(self) -> Operand:
        match self._next.kind:
            case "number":
                return float(self._take().text)
            case "placeholder":
                return Placeholder(self._take().text[1:])
            case "string":
                return (self._take().text[1:-1],)
        return self._current_item("'('", _FIELD, _NUMBER, _PLACEHOLDER, _STRING)

    def _current_item(self, *expected: str) -> CurrentItem:
        if self._next.kind != "word":
            raise self._unexpected(*expected)
        column = self._column()
        if column.dataset.text.upper() != "CURRENTITEM":
            rule = f"Invalid input symbol: {column.dataset.text[:50]}. A field can only be compared with CurrentItem."
            self._fault(column.dataset.position, rule)
        return CurrentItem(column.name)

    def _take(self) -> Token:
        token = self._next
        self._next = next(self._tokens, token)
        return token

    def _is_word(self, *words: str) -> bool:
        return self._next.kind == "word" and self._next.text.upper() in words

    def _word(self, *words: str, spoken: tuple[str, ...] = ()) -> Token:
        if not self._is_word(*words):
            raise self._unexpected(*(spoken or words))
        return self._take()

    def _one_of(self, kind: str, spoken: str) -> Token:
        if self._next.kind != kind:
            raise self._unexpected(spoken)
        return self._take()

    def _symbol(self, symbol: str, *spoken: str) -> None:
        if self._next.kind != "symbol" or self._next.text != symbol:
            raise self._unexpected(*(spoken or (f"'{symbol}'",)))
        self._take()

    def _unexpected(self, *expected: str) -> InvalidFilter:
        token = self._next
        found = token.text[:50] or "end of the expression"
        rule = f"Invalid input symbol: {found}. Expected: {', '.join(sorted(expected))}."
        return InvalidFilter(self.text, [*self.faults, Fault(token.position, rule)])

    def _fault(self, position: int, rule: str) -> None:
        self.faults.append(Fault(position, rule))
