"""Business rules over a list of candidates: pure functions, from most to least relevant in, the answer's items out.

1. `drop` and `drop_recent` take items out. What is left is eligible.
2. `boost` and `diversify` change the order, in the order in which the placement names them.
3. The list is filled from the top; `cap` and `distance` pass over what does not fit yet. An item that was passed over goes
   in wherever it fits in the end: the list is short only if no eligible item can be put anywhere without breaking a rule.
4. `sort` orders what was chosen; `pin` puts its item at its place, whether a source brought the item or not. A pinned item counts
   for caps, not for distances.
"""

from __future__ import annotations

import itertools
import operator
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lambdas.config.local_filters import ITEM_ID, as_number, values
from lambdas.config.rules import Boost, Comparison, Diversify, DropRecent, FromContext, Pin, Rule, Sort


@dataclass(slots=True)
class Candidate:
    """An item that may be recommended, and which source brought it."""

    item_id: str
    source: str
    score: float | None = None
    reason: list[str] | None = None
    attributes: dict[str, Any] = field(default_factory=dict)

    def value(self, attribute: str) -> Any:
        """An attribute; the id is one too, None where the item does not have it."""
        return self.item_id if attribute == ITEM_ID else self.attributes.get(attribute)


@dataclass(slots=True)
class Named:
    """Items that rules name: those that may stand in the list though no source brought them, and why others may not."""

    candidates: Sequence[Candidate] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Effect:
    """What one rule did, by item id; `refused` says why an item that the rule names is not at its place."""

    rule: str
    dropped: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Call:
    """What rules may know of a call: its context, and the user's recent items by event type (item id to seconds ago)."""

    context: Mapping[str, str] = field(default_factory=dict)
    recent: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


Rules = Mapping[str, Rule]
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "above": operator.gt,
    "below": operator.lt,
    "at_least": operator.ge,
    "at_most": operator.le,
}
DAY = 86_400.0


def apply(
    rules: Rules, candidates: Sequence[Candidate], wanted: int, call: Call, named: Named | None = None
) -> tuple[list[Candidate], list[Effect]]:
    """At most `wanted` candidates that keep every rule, and what each rule did. Candidates are distinct.

    `named` are those that no source brought: they are pinned or left out.
    """
    rules = {name: rule for name, rule in rules.items() if applies(rule, call)}
    effects = {name: Effect(name) for name in rules}
    named = named or Named()
    extra = unbrought(named, candidates)
    eligible = drop(rules, [*candidates, *extra.values()], call, effects)
    caps = Caps(rules)
    pinned = Pins(rules, eligible, named.refused, caps, effects).place(wanted)
    taken = extra.keys() | {candidate.item_id for candidate in pinned.values()}
    others = [candidate for candidate in eligible if candidate.item_id not in taken] if taken else eligible
    for name, rule in rules.items():
        before = others
        if rule.boost:
            others = boost(rule.boost, before, call)
        elif rule.diversify:
            others = diversify(rule.diversify, before, wanted)
        effects[name].moved = moved(before, others, wanted)
    chosen = Filling(rules, wanted - len(pinned), caps, effects).fill(others)
    for name, rule in rules.items():
        if rule.sort:
            before, chosen = chosen, sort(rule.sort, chosen)
            effects[name].moved = moved(before, chosen, wanted)
    for position in sorted(pinned):
        chosen.insert(position - 1, pinned[position])
    return chosen, list(effects.values())


def named_items(rules: Rules, call: Call) -> list[str]:
    """The items that the rules of a call would put into the list."""
    return list(dict.fromkeys(rule.pin.item for rule in rules.values() if rule.pin and applies(rule, call)))


def unbrought(named: Named, candidates: Sequence[Candidate]) -> dict[str, Candidate]:
    """The named items that are not among the candidates."""
    if not named.candidates:
        return {}
    brought = {candidate.item_id for candidate in candidates}
    return {candidate.item_id: candidate for candidate in named.candidates if candidate.item_id not in brought}


def applies(rule: Rule, call: Call) -> bool:
    return rule.when is None or tester(rule.when, call)(call.context.get(rule.when.context))


def moved(before: Sequence[Candidate], after: Sequence[Candidate], wanted: int) -> list[str]:
    """The items in the first `wanted` places that stood elsewhere before."""
    if before is after:
        return []
    return [new.item_id for old, new in zip(before[:wanted], after, strict=False) if old is not new]


def drop(rules: Rules, candidates: Sequence[Candidate], call: Call, effects: Mapping[str, Effect]) -> list[Candidate]:
    """The eligible candidates."""
    left = list(candidates)
    for name, rule in rules.items():
        if rule.drop:
            meets, attribute = tester(rule.drop, call), rule.drop.attribute
            out = [meets(candidate.value(attribute)) for candidate in left]
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
    if name in COMPARE:
        return ordered(COMPARE[name], as_number(wanted))
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


def ordered(compare: Callable[[Any, Any], bool], bound: float | None) -> Callable[[Any], bool]:
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


class Pins:
    """The pins of a call: which of the eligible items stand where, and why the others do not."""

    def __init__(
        self,
        rules: Rules,
        eligible: Sequence[Candidate],
        refused: Mapping[str, str],
        caps: Caps,
        effects: Mapping[str, Effect],
    ) -> None:
        self.wishes = {name: rule.pin for name, rule in rules.items() if rule.pin}
        self.found = {candidate.item_id: candidate for candidate in eligible} if self.wishes else {}
        self.refused, self.caps, self.effects = refused, caps, effects
        self.placed: dict[int, Candidate] = {}

    def place(self, wanted: int) -> dict[int, Candidate]:
        """The pinned items by their place; of two pins for one item or one place the first counts."""
        for name, pin in self.wishes.items():
            reason = self.objection(pin, wanted)
            if reason is not None:
                self.effects[name].refused[pin.item] = reason
                continue
            self.placed[pin.position] = self.found[pin.item]
            self.caps.add(self.placed[pin.position])
            self.effects[name].added = [pin.item]
        return self.placed

    def objection(self, pin: Pin, wanted: int) -> str | None:
        """Why the item can't stand at its place."""
        if pin.position > wanted:
            return f"the answer has {wanted} places"
        if pin.position in self.placed:
            return f"'{self.placed[pin.position].item_id}' is pinned to the same place"
        if any(candidate.item_id == pin.item for candidate in self.placed.values()):
            return "it is pinned to another place"
        if pin.item not in self.found:
            dropping = next((name for name, effect in self.effects.items() if pin.item in effect.dropped), None)
            return f"the rule '{dropping}' drops it" if dropping else self.refused.get(pin.item, "no source has it")
        capping = self.caps.blocking(self.found[pin.item])
        return f"the rule '{capping}' has no room for it" if capping else None


def boost(rule: Boost, candidates: Sequence[Candidate], call: Call) -> list[Candidate]:
    """Sorted by place divided by factor; of two that come to the same place, the boosted one is first."""
    meets = tester(rule, call)
    factors = [rule.factor if meets(c.value(rule.attribute)) else 1.0 for c in candidates]
    places = sorted(range(len(candidates)), key=lambda i: ((i + 1) / factors[i], -factors[i], i))
    return [candidates[i] for i in places]


def diversify(rule: Diversify, candidates: Sequence[Candidate], wanted: int) -> list[Candidate]:
    """The first `wanted` places by marginal relevance, then the others as they were."""
    features = [{(by, v) for by in rule.by for v in values_of(c, by)} for c in candidates]
    step = rule.relevance / max(len(candidates), 1)
    likeness = [0.0] * len(candidates)
    open_, chosen = list(range(len(candidates))), list[int]()
    while open_ and len(chosen) < wanted:
        best = max(open_, key=lambda i: -step * i - (1 - rule.relevance) * likeness[i])
        open_.remove(best)
        chosen.append(best)
        mine = features[best]
        for i in open_:
            shared = len(mine & features[i])
            if shared:
                likeness[i] = max(likeness[i], shared / len(mine | features[i]))
    return [candidates[i] for i in (*chosen, *open_)]


def sort(rule: Sort, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Numbers by size, else text by letters; what has no value comes last."""
    present = [c for c in candidates if values_of(c, rule.by)]
    absent = [c for c in candidates if not values_of(c, rule.by)]

    def key(candidate: Candidate) -> tuple[bool, float, str]:
        first = values_of(candidate, rule.by)[0]
        number = as_number(first)
        return (number is None, number or 0.0, "" if number is not None else str(first))

    return [*sorted(present, key=key, reverse=rule.order == "descending"), *absent]


def values_of(candidate: Candidate, attribute: str) -> list[Any]:
    return values(candidate.value(attribute))


class Caps:
    """How often each value has been taken, for all caps of a placement."""

    def __init__(self, rules: Rules) -> None:
        self.caps = [(name, rule.cap) for name, rule in rules.items() if rule.cap]
        self.taken = Counter[tuple[str, Any]]()

    def blocking(self, candidate: Candidate) -> str | None:
        """The rule that has no room for the candidate."""
        for name, cap in self.caps:
            if any(self.taken[name, value] >= cap.at_most for value in values_of(candidate, cap.by)):
                return name
        return None

    def add(self, candidate: Candidate) -> None:
        for name, cap in self.caps:
            for value in set(values_of(candidate, cap.by)):
                self.taken[name, value] += 1


class Filling:
    """The answer's list while it is filled; `waiting` holds what a distance passed over."""

    def __init__(self, rules: Rules, room: int, caps: Caps, effects: Mapping[str, Effect]) -> None:
        self.distances = [(name, rule.distance) for name, rule in rules.items() if rule.distance]
        self.room, self.caps, self.effects = room, caps, effects
        self.chosen: list[Candidate] = []
        self.waiting: list[Candidate] = []

    def fill(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Place by place the best candidate that fits there."""
        if not self.distances and not self.caps.caps:
            return list(candidates[: self.room])
        for candidate in candidates:
            if len(self.chosen) >= self.room:
                break
            if self.capped(candidate):
                continue
            if self.place_last(candidate):
                self.place_waiting(self.place_last)
            else:
                self.waiting.append(candidate)
        self.place_waiting(self.place_anywhere)
        return self.chosen

    def capped(self, candidate: Candidate) -> bool:
        """Whether a cap has no room for the candidate; then the cap has dropped it."""
        blocking = self.caps.blocking(candidate)
        if blocking is not None:
            self.effects[blocking].dropped.append(candidate.item_id)
        return blocking is not None

    def place_last(self, candidate: Candidate) -> bool:
        blocking = self.crowding(candidate, len(self.chosen))
        if blocking is None:
            self.place(candidate, len(self.chosen))
        elif candidate.item_id not in self.effects[blocking].moved:
            self.effects[blocking].moved.append(candidate.item_id)
        return blocking is None

    def place_anywhere(self, candidate: Candidate) -> bool:
        gaps = range(len(self.chosen), -1, -1)
        gap = next((gap for gap in gaps if self.crowding(candidate, gap) is None), None)
        if gap is not None:
            self.place(candidate, gap)
        return gap is not None

    def place(self, candidate: Candidate, gap: int) -> None:
        self.caps.add(candidate)
        self.chosen.insert(gap, candidate)

    def place_waiting(self, place: Callable[[Candidate], bool]) -> None:
        """Place who waits, the longest waiting first; each one placed may make room for another."""
        while self.waiting and len(self.chosen) < self.room:
            self.waiting = [candidate for candidate in self.waiting if not self.capped(candidate)]
            placed = next((candidate for candidate in self.waiting if place(candidate)), None)
            if placed is None:
                return
            self.waiting.remove(placed)

    def crowding(self, candidate: Candidate, gap: int) -> str | None:
        """The rule that the candidate would break if it stood before place `gap` of the chosen ones."""
        for name, distance in self.distances:
            reach, mine = distance.at_least - 1, set(values_of(candidate, distance.by))
            for neighbour in self.chosen[max(gap - reach, 0) : gap + reach] if mine else ():
                if not mine.isdisjoint(values_of(neighbour, distance.by)):
                    return name
        return None
