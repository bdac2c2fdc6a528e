"""The one description of a deployment: validated models, loaded from YAML at synth, and packed for the functions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from lambdas.config.api import Api
from lambdas.config.batch import BATCH, Archive, Batch, Segment
from lambdas.config.data import Dataset, Datasets, Display, EventType
from lambdas.config.local_filters import parse_filter
from lambdas.config.operations import Alarms, Protection, Schedules
from lambdas.config.problems import ConfigError
from lambdas.config.recipes import RECIPES
from lambdas.config.rules import Rule
from lambdas.config.section import MAX_NAME, FilterName, Name, Section
from lambdas.config.serving import GIVEN, Experiment, Placement, Serving, Variant
from lambdas.config.solutions import Approval, Campaign, EventWeight, Gate, Solution
from lambdas.config.storefront import Storefront, Switch
from personalize_rules.limits import MAX_FILTER

__all__ = [
    "BATCH",
    "GIVEN",
    "MAX_NAME",
    "Alarms",
    "Api",
    "Approval",
    "Archive",
    "Batch",
    "Campaign",
    "Config",
    "ConfigError",
    "Dataset",
    "Datasets",
    "Display",
    "EventType",
    "EventWeight",
    "Experiment",
    "Gate",
    "Placement",
    "Protection",
    "Schedules",
    "Segment",
    "Serving",
    "Solution",
    "Storefront",
    "Variant",
]


class Config(Section):
    """A whole deployment."""

    name: Name = Field(description="prefixes the name of every resource")
    datasets: Datasets
    event_types: dict[str, EventType] = Field(
        json_schema_extra={"minProperties": 1}, description="what the shop sends, by the name in EVENT_TYPE"
    )
    filters: dict[FilterName, Annotated[str, Field(min_length=1, max_length=MAX_FILTER)]] = Field(
        default_factory=dict, description="filter expressions of Personalize, applied by campaigns and on fallbacks"
    )
    solutions: dict[Name, Solution] = Field(json_schema_extra={"minProperties": 1})
    placements: dict[Name, Placement] = Field(json_schema_extra={"minProperties": 1})
    batch: dict[Name, Batch] = Field(default_factory=dict)
    segments: dict[Name, Segment] = Field(default_factory=dict)
    rules: dict[FilterName, Rule] = Field(default_factory=dict)
    display: Display = Field(default_factory=Display)
    serving: Serving = Field(default_factory=Serving)
    api: Api = Field(default_factory=Api)
    storefront: Switch = Field(
        None, description="`true`, or a section: pages that show what the deployment recommends (docs/storefront.md)"
    )
    archive: Archive = Field(default_factory=Archive)
    schedules: Schedules = Field(default_factory=Schedules)
    alarms: Alarms = Field(default_factory=Alarms)
    protection: Protection = Field(default_factory=Protection)
    kms_key: Annotated[str, Field(pattern=r"^arn:[\w-]+:kms:.+:key/.+$")] | None = Field(
        None, description="encrypts the data bucket; its policy must let Personalize use it (docs/deploying.md)"
    )
    tags: dict[Annotated[str, Field(min_length=1, max_length=128)], Annotated[str, Field(max_length=256)]] = Field(
        default_factory=dict, max_length=40, description="put on every resource, in AWS and in Personalize"
    )
    prune: bool = Field(False, description="delete campaigns and solutions that the config no longer names")

    @field_validator("tags")
    @classmethod
    def tags_are_free(cls, tags: dict[str, str]) -> dict[str, str]:
        for key in tags:
            if key.startswith(("aws:", "recostack:")):
                raise ValueError(f"the key '{key}' is taken: keys that begin with aws: or recostack: are not the config's")
        return tags

    @property
    def item_columns(self) -> tuple[str, ...]:
        """The columns of the items, as their schema spells them."""
        return tuple(field.name for field in self.datasets.items.avro.fields) if self.datasets.items else ()

    @property
    def title_column(self) -> str | None:
        """The column of the items that holds their name."""
        return self.display.title or ("TITLE" if "TITLE" in self.item_columns else None)

    def answers(self, solution: str) -> bool:
        """Whether lists can be had of the solution: from its campaign, or from its snapshot."""
        return self.solutions[solution].campaign is not None or self.has_snapshot(solution)

    def has_snapshot(self, solution: str) -> bool:
        """The list of a popularity count is the same for all: it is kept as a file, and needs no campaign."""
        return self.solutions[solution].recipe == "aws-popularity-count"

    def batch_of(self, solution: str) -> str | None:
        """The batch whose lists are the solution's, None when there is none."""
        return next((name for name, batch in self.batch.items() if batch.solution == solution), None)

    def fallbacks(self, of: Placement | Batch) -> list[str]:
        """Who answers where the first source does not. A ranking has the items as they came, unless it says otherwise."""
        if of.fallback is not None:
            return of.fallback
        return [GIVEN] if RECIPES[self.solutions[of.solution].recipe].type == "PERSONALIZED_RANKING" else []

    def needs_local_filter(self, of: Placement | Batch) -> bool:
        """Whether the filter must also be applied to items that neither a campaign nor a job has filtered."""
        return bool(self.fallbacks(of)) or self.pins(of) or (isinstance(of, Placement) and self.has_snapshot(of.solution))

    def pins(self, of: Placement | Batch) -> bool:
        """Whether a rule puts an item into the lists. A ranking orders what it is given and no more."""
        ranks = isinstance(of, Placement) and RECIPES[self.solutions[of.solution].recipe].type == "PERSONALIZED_RANKING"
        return not ranks and any(self.rules[name].pin is not None for name in of.rules)

    def recent_event_types(self) -> set[str]:
        """The event types whose latest items are kept for each user: rules and local filters read them."""
        found = {kind for rule in self.rules.values() if rule.drop_recent for kind in rule.drop_recent.event_types}
        readers: list[Placement | Batch] = [*self.placements.values(), *self.batch.values()]
        readers += [variant for placement in self.placements.values() for variant in placement.variants().values()]
        for reader in readers:
            if reader.filter and self.needs_local_filter(reader):
                found |= parse_filter(self.filters[reader.filter], self.item_columns).event_types(self.event_types)
        return found
