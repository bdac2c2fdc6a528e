"""Placements, and how the API answers for them."""

from __future__ import annotations

from pydantic import Field

from lambdas.shared.config.section import Section

#: The fallback of a ranking: the items in the order in which they were given.
GIVEN = "given"


class Placement(Section):
    """A spot on a page that asks for recommendations."""

    solution: str
    filter: str | None = None
    num_results: int = Field(25, ge=1, le=500, description="how many items an answer holds unless the call says otherwise")
    rules: list[str] = Field(default_factory=list, max_length=25, description="names of rules, in the order in which they apply")
    fallback: list[str] = Field(
        default_factory=list,
        max_length=5,
        description="solutions that fill the list where the first gives too few items or none; `given` for a ranking",
    )


class Serving(Section):
    """How the API answers."""

    time_budget_ms: int = Field(400, ge=50, le=5000, description="after it, an answer is made of what has come in so far")
