"""What rules are applied to and what they did: candidates, the call, the items that rules name, effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lambdas.config.local_filters import ITEM_ID, values
from lambdas.config.rules import Rule

Rules = Mapping[str, Rule]


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


def column(candidates: Sequence[Candidate], attribute: str) -> list[Any]:
    """The attribute of each candidate, as `value` gives it."""
    if attribute == ITEM_ID:
        return [candidate.item_id for candidate in candidates]
    return [candidate.attributes.get(attribute) for candidate in candidates]


def values_of(candidate: Candidate, attribute: str) -> list[Any]:
    return values(candidate.value(attribute))
