"""Business rules as the config writes them: data, validated when loaded.

`lambdas/serving/recommend/apply_rules.py` applies them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lambdas.config.events import Id, Number
from lambdas.config.section import Section
from personalize_rules.limits import MAX_RECOMMENDATIONS

Attribute = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=150, description="a column of the items; `ITEM_ID` is the item itself"),
]
Value = bool | int | Number | str

_COMPARISONS = ("equals", "differs_from", "one_of", "above", "below", "at_least", "at_most")


class FromContext(Section):
    """A value that the call brings along: `{context: BUDGET}` is the query parameter `context.BUDGET`."""

    context: Attribute = Field(description="its name, without `context.`")


class Comparison(Section):
    """Exactly one comparison. Of a list of categories, one that fits is enough; `differs_from` wants that none is equal."""

    equals: Value | FromContext | None = None
    differs_from: Value | FromContext | None = None
    one_of: list[Value] | None = Field(None, min_length=1, max_length=500, description="equal to any of these")
    above: Number | FromContext | None = None
    below: Number | FromContext | None = None
    at_least: Number | FromContext | None = None
    at_most: Number | FromContext | None = None

    @model_validator(mode="after")
    def one_comparison(self) -> Comparison:
        if sum(getattr(self, name) is not None for name in _COMPARISONS) != 1:
            raise ValueError(f"needs exactly one of {', '.join(_COMPARISONS)}")
        return self

    def given(self) -> str:
        """The name of the comparison."""
        return next(name for name in _COMPARISONS if getattr(self, name) is not None)


class AttributeTest(Comparison):
    """A comparison of an item's attribute. An item without the attribute never meets it."""

    attribute: Attribute


class ContextTest(Comparison):
    """A comparison of a value of the call. A call without the value never meets it."""

    context: Attribute = Field(description="the value's name, without `context.`")


class DropRecent(Section):
    """Drops the user's recent items, as of the latest event."""

    event_types: list[str] = Field(min_length=1, max_length=10, description="of `event_types`")
    within_days: Number = Field(30, gt=0, le=365, description="events are known for 90 days at most")


class Cap(Section):
    """At most so many items of one value; each value of a list counts."""

    by: Attribute
    at_most: int = Field(ge=1, le=MAX_RECOMMENDATIONS)


class Distance(Section):
    """Items that share a value stand at least so many places apart (2: not side by side). Pinned items are not looked at."""

    by: Attribute
    at_least: int = Field(ge=2, le=100)


class Pin(Section):
    """This item of the catalogue at this place (from 1), unless the placement's filter or another rule takes it out."""

    item: Id
    position: int = Field(ge=1, le=MAX_RECOMMENDATIONS)


class Boost(AttributeTest):
    """Divides the place of an item by the factor: 2 moves place 10 to place 5, 0.5 moves it to place 20."""

    factor: Number = Field(gt=0, le=1000)


class Sort(Section):
    """Sorts the chosen items; those without the attribute come last."""

    by: Attribute
    order: Literal["ascending", "descending"] = "ascending"


class Diversify(Section):
    """Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): each place takes the item with the largest
    `relevance * place in the list - (1 - relevance) * likeness to those above`; likeness is the share of equal values."""

    by: list[Attribute] = Field(min_length=1, max_length=5)
    relevance: Number = Field(0.7, ge=0, le=1)


ACTIONS = ("drop", "drop_recent", "cap", "distance", "pin", "boost", "sort", "diversify")


class Rule(Section):
    """One action, and optionally the call that it is for."""

    drop: AttributeTest | None = None
    drop_recent: DropRecent | None = None
    cap: Cap | None = None
    distance: Distance | None = None
    pin: Pin | None = None
    boost: Boost | None = None
    sort: Sort | None = None
    diversify: Diversify | None = None
    when: ContextTest | None = Field(None, description="only for calls whose context is so")

    @model_validator(mode="after")
    def one_action(self) -> Rule:
        if sum(getattr(self, name) is not None for name in ACTIONS) != 1:
            raise ValueError(f"needs exactly one of {', '.join(ACTIONS)}")
        return self

    @property
    def action(self) -> str:
        return next(name for name in ACTIONS if getattr(self, name) is not None)

    def columns(self) -> list[str]:
        """The item attributes that the rule reads."""
        test = self.drop or self.boost
        if test:
            return [test.attribute]
        if self.diversify:
            return list(self.diversify.by)
        by = self.cap or self.distance or self.sort
        return [by.by] if by else []


def contradiction(rules: dict[str, Rule]) -> str | None:
    """Why these rules can't be kept together, None when they can."""
    sorts = [name for name, rule in rules.items() if rule.sort]
    shaping = [name for name, rule in rules.items() if rule.distance or rule.diversify]
    if len(sorts) > 1:
        return f"'{sorts[0]}' and '{sorts[1]}' both sort: leave one out"
    if sorts and shaping:
        return f"'{sorts[0]}' sorts what '{shaping[0]}' has spread out: leave one out"
    pinned = [(rule.pin.position, name) for name, rule in rules.items() if rule.pin and rule.when is None]
    for position, name in pinned:
        other = next((n for p, n in pinned if p == position and n != name), None)
        if other:
            return f"'{name}' and '{other}' pin the same place"
    return None
