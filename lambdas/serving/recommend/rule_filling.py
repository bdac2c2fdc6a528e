"""How a list is filled: pinned items at their places, then the best that caps and distances leave room for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambdas.config.rules import Pin
from lambdas.serving.recommend.rule_terms import Candidate, Effect, Rules, values_of


class Caps:
    """How often each value has been taken, for all caps of a placement."""

    def __init__(self, rules: Rules) -> None:
        self.caps = [(name, rule.cap) for name, rule in rules.items() if rule.cap]
        self.taken: dict[str, dict[Any, int]] = {name: defaultdict(int) for name, _ in self.caps}

    def blocking(self, candidate: Candidate) -> str | None:
        """The rule that has no room for the candidate."""
        for name, cap in self.caps:
            taken = self.taken[name]
            for value in values_of(candidate, cap.by):
                if taken[value] >= cap.at_most:
                    return name
        return None

    def add(self, candidate: Candidate) -> None:
        for name, cap in self.caps:
            for value in set(values_of(candidate, cap.by)):
                self.taken[name][value] += 1


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
            reach, mine = distance.at_least - 1, values_of(candidate, distance.by)
            for neighbour in self.chosen[max(gap - reach, 0) : gap + reach] if mine else ():
                for value in values_of(neighbour, distance.by):
                    if value in mine:
                        return name
        return None
