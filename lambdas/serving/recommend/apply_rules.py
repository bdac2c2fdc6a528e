"""Business rules over a list of candidates: pure functions, from most to least relevant in, the answer's items out.

1. `drop` and `drop_recent` take items out. What is left is eligible.
2. `boost` and `diversify` change the order, in the order in which the placement names them.
3. The list is filled from the top; `cap` and `distance` pass over what does not fit yet. An item that was passed over goes
   in wherever it fits in the end: the list is short only if no eligible item can be put anywhere without breaking a rule.
4. `sort` orders what was chosen; `pin` puts its item at its place, whether a source brought the item or not. A pinned item counts
   for caps, not for distances.
"""

from __future__ import annotations

from collections.abc import Sequence

from lambdas.serving.recommend.rule_conditions import applies, drop
from lambdas.serving.recommend.rule_filling import Caps, Filling, Pins
from lambdas.serving.recommend.rule_ordering import boost, diversify, moved, sort
from lambdas.serving.recommend.rule_terms import Call, Candidate, Effect, Named, Rules


def apply(
    rules: Rules, candidates: Sequence[Candidate], wanted: int, call: Call, named: Named | None = None
) -> tuple[list[Candidate], list[Effect]]:
    """At most `wanted` candidates that keep every rule, and what each rule did. Candidates are distinct.

    `named` are those that no source brought: they are pinned or left out.
    """
    rules = {name: rule for name, rule in rules.items() if applies(rule, call)}
    effects = {name: Effect(name) for name in rules}
    named = named or Named()
    extra = _unbrought(named, candidates)
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


def _unbrought(named: Named, candidates: Sequence[Candidate]) -> dict[str, Candidate]:
    """The named items that are not among the candidates."""
    if not named.candidates:
        return {}
    brought = {candidate.item_id for candidate in candidates}
    return {candidate.item_id: candidate for candidate in named.candidates if candidate.item_id not in brought}
