"""Solutions: a recipe, how it is trained, what a version must reach, and its campaign."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from lambdas.config.events import Id
from lambdas.config.recipes import RECIPES
from lambdas.config.section import Section, did_you_mean


class Campaign(Section):
    """A real-time endpoint. One that idles is billed for its minimum: about $144 a month for each TPS (v2: $389, unconfirmed)."""

    min_provisioned_tps: int = Field(1, ge=1, description="transactions per second that are held ready, and billed at least")
    exploration_weight: float | None = Field(
        None,
        ge=0,
        le=1,
        description="how much new items are tried out (aws-user-personalization alone; the service's default is 0.3)",
    )
    exploration_item_age_cut_off: int | None = Field(None, ge=1, description="days for which an item counts as new")
    metadata: bool | None = Field(None, description="whether answers may carry item metadata")


class EventWeight(Section):
    """How much one event type counts in training (v2 recipes; only the ratios of the weights matter)."""

    event_type: Id = Field(description="one of `event_types`")
    weight: float = Field(ge=0, le=1, description="against the other weights")
    value_threshold: float | None = Field(None, description="only events of at least this value count")


class Gate(Section):
    """Conditions that a new version must meet before it may serve; one that does not is kept and reported."""

    metric: str = Field("normalized_discounted_cumulative_gain_at_25", description="a metric of the report of a train run")
    at_least: float | None = Field(None, ge=0, description="absolute floor")
    may_fall_by: float | None = Field(None, ge=0, lt=1, description="share of the serving version's value that may be lost")
    beats: str | None = Field(
        None, description="a solution, as baseline: its version of the same run, else the one that serves, else its newest"
    )


class Approval(Section):
    """A person decides, by a link in a mail, before a version that passed its gate goes live."""

    within_hours: float = Field(
        24, gt=0, le=24 * 30, description="without an answer by then the old version stays, and the next run asks again"
    )
    sample_users: int = Field(
        5,
        ge=0,
        le=10,
        description="so many users' lists by both versions are shown with the figures, of recipes that answer for users; "
        "each user is two recommendations of batch inference, $0.00086 for 5 users (unconfirmed); 0: no lists",
    )


class Solution(Section):
    """A recipe of Amazon Personalize, and what it is trained on."""

    recipe: str = Field(description="its name, such as `aws-user-personalization-v2`")
    training_mode: Literal["FULL", "UPDATE"] = Field(
        "FULL", description="UPDATE adds new items to the model between full trainings"
    )
    gate: Gate | None = None
    approval: Approval | None = None
    event_type: str | None = Field(None, description="train on this event type alone")
    event_value_threshold: float | None = Field(None, description="train on events of at least this value")
    event_weights: list[EventWeight] = Field(
        default_factory=list, max_length=10, description="without them all event types count alike"
    )
    hyperparameters: dict[str, str] = Field(default_factory=dict, description="the recipe's own, as text")
    campaign: Campaign | None = Field(
        None, description="without one the solution is trained, and costs nothing between trainings"
    )

    @field_validator("recipe")
    @classmethod
    def recipe_is_known(cls, recipe: str) -> str:
        if recipe not in RECIPES:
            raise ValueError(f"unknown recipe '{recipe}'{did_you_mean(recipe, RECIPES)}")
        return recipe

    @model_validator(mode="after")
    def training_mode_fits_the_recipe(self) -> Solution:
        if self.training_mode == "UPDATE" and not RECIPES[self.recipe].update_mode:
            raise ValueError(f"training_mode: '{self.recipe}' is always trained in full")
        return self

    @property
    def sample_users(self) -> int:
        """Of how many users the person who decides sees lists; 0 where nobody is asked, or where lists are not personal."""
        return self.approval.sample_users if self.approval and RECIPES[self.recipe].personal else 0
