"""Lists made ahead of time for every user, and segments: users who are likely to care for an item."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from lambdas.config.events import Id
from lambdas.config.section import Section
from personalize_rules.limits import MAX_ATTRIBUTE_QUERIES, MAX_ITEM_QUERIES

#: The fallback of a placement that is read from the batch of its solution.
BATCH = "batch"


class Batch(Section):
    """One list for each active user (of related items: for each item), made by a batch inference job."""

    solution: str = Field(description="whose serving version makes the lists; it needs no campaign")
    filter: str | None = Field(None, description="applied by the job; one without placeholders")
    num_results: int = Field(50, ge=1, le=500, description="how many items a list holds")
    active_within_days: int = Field(90, ge=1, le=36_500, description="who had an event since then gets a list")
    candidates: str | None = Field(
        None, description="of a ranking: the popularity count whose best sellers are put into each user's order"
    )
    keep_days: int = Field(
        30, ge=1, le=365, description="after them a run's lists are gone, also if no newer run has replaced them"
    )
    rules: list[str] = Field(default_factory=list, max_length=25, description="apply when a list is read")
    fallback: list[str] = Field(
        default_factory=list, max_length=5, description="solutions that fill a list that is short or missing when it is read"
    )


class Segment(Section):
    """Users by their interest in items, or in items with some attributes, made by a batch segment job."""

    solution: str = Field(description="one of a segmentation recipe")
    item_ids: list[Id] = Field(
        default_factory=list, max_length=MAX_ITEM_QUERIES, description="of item affinity: one list of users for each of them"
    )
    item_attributes: list[Annotated[str, Field(min_length=1, max_length=1000)]] = Field(
        default_factory=list,
        max_length=MAX_ATTRIBUTE_QUERIES,
        description='of item-attribute affinity: one list of users for each, `ITEMS.CATEGORY = "toys"`, joined by AND',
    )
    num_users: int = Field(1000, ge=1, le=5_000_000, description="how many users a list holds at most")
    keep_days: int = Field(
        30, ge=1, le=365, description="after them a run's users are gone, also if no newer run has replaced them"
    )

    @model_validator(mode="after")
    def one_kind_of_query(self) -> Segment:
        if bool(self.item_ids) == bool(self.item_attributes):
            raise ValueError("item_ids: give either item_ids or item_attributes")
        return self

    @property
    def queries(self) -> list[str]:
        """What the lists of users are about, in the order of the config."""
        return self.item_ids or self.item_attributes


class Archive(Section):
    """For how long events are kept, and what is counted of them."""

    keep_days: int | None = Field(
        365, ge=31, le=36_500, description="after which S3 deletes events of the archive; `null` keeps them for good"
    )
    funnel: list[str] = Field(
        default_factory=list, max_length=10, description="event types through which a user converts, in their order"
    )
    churn_days: int = Field(30, ge=1, le=365, description="a user without an event for so long is gone")
