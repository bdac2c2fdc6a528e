"""How rules order a list: `boost` and `diversify` what may be chosen, `sort` what was chosen."""

from __future__ import annotations

from collections.abc import Sequence

from lambdas.config.local_filters import as_number
from lambdas.config.rules import Boost, Diversify, Sort
from lambdas.serving.recommend.rule_conditions import tester
from lambdas.serving.recommend.rule_terms import Call, Candidate, column, values_of


def boost(rule: Boost, candidates: Sequence[Candidate], call: Call) -> list[Candidate]:
    """Sorted by place divided by factor; of two that come to the same place, the boosted one is first."""
    meets = tester(rule, call)
    factors = [rule.factor if meets(value) else 1.0 for value in column(candidates, rule.attribute)]
    keys = [((i + 1) / factor, -factor) for i, factor in enumerate(factors)]
    return [candidates[i] for i in sorted(range(len(candidates)), key=keys.__getitem__)]


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


def moved(before: Sequence[Candidate], after: Sequence[Candidate], wanted: int) -> list[str]:
    """The items in the first `wanted` places that stood elsewhere before."""
    if before is after:
        return []
    return [new.item_id for old, new in zip(before[:wanted], after, strict=False) if old is not new]
