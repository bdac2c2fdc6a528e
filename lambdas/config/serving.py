"""Placements, their experiments, and how the API answers for them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lambdas.config.section import Name, Section

#: The fallback of a ranking: the items in the order in which they were given.
GIVEN = "given"
#: The memory of the function `recommend`: its stack sets it, and `reco cost` counts by it.
RECOMMEND_MB = 1024

Rules = Annotated[list[str], Field(max_length=25)]


class Variant(Section):
    """One arm of an experiment: what it says stands in place of what the placement says."""

    weight: float = Field(gt=0, le=1_000_000, description="its share of the users, in proportion to the other weights")
    solution: str | None = Field(None, description="left out: that of the placement")
    filter: str | None = Field(None, description="left out: that of the placement")
    rules: Rules | None = Field(None, description="left out: those of the placement; [] for none")


class Experiment(Section):
    """Users are split over variants: always the same variant for the same user and name. The first variant is the control."""

    name: Name = Field(description="a new name draws the split anew")
    variants: dict[Name, Variant] = Field(min_length=2, max_length=10)


class Placement(Section):
    """A spot on a page that asks for recommendations."""

    solution: str = Field(description="whose campaign is asked, or the popularity count whose snapshot is read")
    filter: str | None = Field(None, description="one of `filters`")
    num_results: int = Field(25, ge=1, le=500, description="how many items an answer holds unless the call says otherwise")
    rules: Rules = Field(default_factory=list, description="names of rules, in the order in which they apply")
    fallback: Annotated[list[str], Field(max_length=5)] | None = Field(
        None,
        description="solutions that fill the list where the first gives too few items or none, or `batch`: the lists that were "
        "made ahead. A ranking has `given`, the items as they came, unless this is []",
    )
    experiment: Experiment | None = None

    def of_variant(self, name: str) -> Placement:
        """The placement as the users of a variant have it."""
        variant = self.experiment.variants[name] if self.experiment else None
        changed = {slot: value for slot in ("solution", "filter", "rules") if (value := getattr(variant, slot, None)) is not None}
        return self.model_copy(update={**changed, "experiment": None})

    def variants(self) -> dict[str, Placement]:
        """By the name of the variant; none without an experiment."""
        return {name: self.of_variant(name) for name in self.experiment.variants} if self.experiment else {}


class Serving(Section):
    """How the API answers."""

    time_budget_ms: int = Field(400, ge=50, le=5000, description="after it, an answer is made of what has come in so far")
    cache_seconds: int = Field(
        60, ge=0, le=86_400, description="how long anybody may keep an answer that is the same for all users"
    )
    snap_start: bool = Field(
        False,
        description="new workers of `recommend` are restored from a snapshot of one that has started (Lambda SnapStart): first "
        "answers come sooner, deployments take minutes longer, and AWS bills the snapshot (`reco cost` says how much)",
    )
