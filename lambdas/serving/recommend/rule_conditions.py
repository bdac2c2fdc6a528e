"""What a rule says: whether it applies to a call, and which items it means."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambdas.config.local_filters import as_number
from lambdas.config.rules import Comparison, DropRecent, FromContext, Rule
from lambdas.serving.recommend.rule_terms import Call, Candidate, Effect, Rules, column

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "above": operator.gt,
    "below": operator.lt,
    "at_least": operator.ge,
    "at_most": operator.le,
}
DAY = 86_400.0


def applies(rule: Rule, call: Call) -> bool:
    return rule.when is None or tester(rule.when, call)(call.context.get(rule.when.context))


def drop(rules: Rules, candidates: Sequence[Candidate], call: Call, effects: Mapping[str, Effect]) -> list[Candidate]:
    """The eligible candidates."""
    left = list(candidates)
    for name, rule in rules.items():
        if rule.drop:
            out = list(map(tester(rule.drop, call), column(left, rule.drop.attribute)))
        elif rule.drop_recent:
            recent = recent_items(rule.drop_recent, call)
            out = [candidate.item_id in recent for candidate in left]
        else:
            continue
        effects[name].dropped = [candidate.item_id for candidate in itertools.compress(left, out)]
        left = [candidate for candidate, dropped in zip(left, out, strict=True) if not dropped]
    return left


def recent_items(rule: DropRecent, call: Call) -> set[str]:
    limit = rule.within_days * DAY
    return {item for kind in rule.event_types for item, ago in call.recent.get(kind, {}).items() if ago <= limit}


def tester(test: Comparison, call: Call) -> Callable[[Any], bool]:
    """The comparison as a function of a value, or of a list of values. An absent value never meets it."""
    name = test.given()
    wanted = getattr(test, name)
    if isinstance(wanted, FromContext):
        wanted = call.context.get(wanted.context)
        if wanted is None:
            return lambda found: False
    if name in _COMPARE:
        return _ordered(_COMPARE[name], as_number(wanted))
    if name == "one_of":
        equal_one = [equals(one) for one in wanted]
        return lambda found: any(equal(found) for equal in equal_one)
    equal = equals(wanted)
    if name == "differs_from":
        return lambda found: found is not None and not equal(found)
    return equal


def equals(wanted: Any) -> Callable[[Any], bool]:
    """Whether a value, or one of a list of values, is the wanted one. Values of its own type need no closer look."""
    kind = type(wanted)

    def test(found: Any) -> bool:
        if type(found) is kind:
            return bool(found == wanted)
        if isinstance(found, list):
            return any(map(test, found))
        return found is not None and same(found, wanted)

    return test


def _ordered(compare: Callable[[Any, Any], bool], bound: float | None) -> Callable[[Any], bool]:
    """Whether a number, or one of a list of them, lies on the right side of the bound; text may spell a number."""

    if bound is None:
        return lambda found: False

    def test(found: Any) -> bool:
        kind = type(found)
        if kind is int or kind is float:
            return compare(found, bound)
        if kind is list:
            return any(map(test, found))
        number = as_number(found)
        return number is not None and compare(number, bound)

    return test


def same(value: Any, wanted: Any) -> bool:
    """Equality; context values are text, so a number or a truth value equals its spelling."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return str(value).lower() == str(wanted).lower()
    if type(value) is type(wanted) or (isinstance(value, (int, float)) and isinstance(wanted, (int, float))):
        return bool(value == wanted)
    left, right = as_number(value), as_number(wanted)
    return left is not None and left == right
