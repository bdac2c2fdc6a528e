"""The language of filters once more, as a grammar of lark: which texts are expressions, and what they say.

An oracle for the parser by hand. It tells only whether a text follows the grammar, not the rules beyond it.
"""

from __future__ import annotations

from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

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

INCLUDE: /INCLUDE(?![A-Za-z0-9_])/i
EXCLUDE: /EXCLUDE(?![A-Za-z0-9_])/i
TARGET: /(ItemID|UserID|ActionID)(?![A-Za-z0-9_])/i
_WHERE: /WHERE(?![A-Za-z0-9_])/i
_AND: /AND(?![A-Za-z0-9_])/i
_OR: /OR(?![A-Za-z0-9_])/i
_IF: /IF(?![A-Za-z0-9_])/i
NOT: /NOT(?![A-Za-z0-9_])/i
IN: /IN(?![A-Za-z0-9_])/i
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


def words_of(text: str) -> list[str] | None:
    """The tokens of an expression that mean something, in upper case but for values; None for what is no expression."""
    try:
        tree = _PARSER.parse(text)
    except UnexpectedInput:
        return None
    return list(_words(tree))


def position_of(text: str) -> int | None:
    """Where a text stops to be an expression; None if it is one."""
    try:
        _PARSER.parse(text)
    except UnexpectedInput as error:
        token = getattr(error, "token", None)
        if token is not None and token.type == "$END":
            return len(text)
        return int(error.pos_in_stream or 0)
    return None


def _words(node: Any) -> Any:
    for child in node.children:
        if isinstance(child, Tree):
            yield from _words(child)
        elif isinstance(child, Token):
            yield str(child) if child.type in ("STRING", "PLACEHOLDER", "NUMBER") else str(child).upper()
