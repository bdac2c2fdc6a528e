"""The one description of a deployment: validated models, loaded from YAML at synth and from the packed JSON in a function."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator

from lambdas.shared.config.api import Api
from lambdas.shared.config.batch import BATCH, Archive, Batch, Segment
from lambdas.shared.config.data import Dataset, Datasets, EventType
from lambdas.shared.config.operations import Alarms, Protection, Schedules
from lambdas.shared.config.section import MAX_NAME, FilterName, Name, Section, did_you_mean, require
from lambdas.shared.config.serving import GIVEN, Experiment, Placement, Serving, Variant
from lambdas.shared.config.solutions import Approval, Campaign, EventWeight, Gate, Solution
from lambdas.shared.item_filters import NoTwin, parse_filter
from lambdas.shared.recipes import RECIPES, Recipe
from lambdas.shared.rules import Rule, contradiction

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
    "Variant",
    "json_schema",
    "packed_config",
    "parse_config",
]


class ConfigError(Exception):
    """A config that can't be used; `problems` holds one sentence each, starting with the path of what is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Config(Section):
    """A whole deployment."""

    name: Name = Field(description="prefixes the name of every resource")
    datasets: Datasets
    event_types: dict[str, EventType] = Field(min_length=1, description="what the shop sends, by the name in EVENT_TYPE")
    filters: dict[FilterName, Annotated[str, Field(min_length=1, max_length=2500)]] = Field(
        default_factory=dict, description="filter expressions of Personalize, applied by campaigns and on fallbacks"
    )
    solutions: dict[Name, Solution] = Field(min_length=1)
    placements: dict[Name, Placement] = Field(min_length=1)
    batch: dict[Name, Batch] = Field(default_factory=dict)
    segments: dict[Name, Segment] = Field(default_factory=dict)
    rules: dict[FilterName, Rule] = Field(default_factory=dict)
    serving: Serving = Field(default_factory=Serving)
    api: Api = Field(default_factory=Api)
    archive: Archive = Field(default_factory=Archive)
    schedules: Schedules = Field(default_factory=Schedules)
    alarms: Alarms = Field(default_factory=Alarms)
    protection: Protection = Field(default_factory=Protection)
    kms_key: Annotated[str, Field(pattern=r"^arn:[\w-]+:kms:.+:key/.+$")] | None = Field(
        None, description="encrypts the data bucket; its policy must let Personalize use it"
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

    @model_validator(mode="after")
    def references_resolve(self) -> Config:
        for name, solution in self.solutions.items():
            if solution.gate and solution.gate.beats is not None:
                require(f"solutions.{name}.gate.beats", solution.gate.beats, self.solutions, "solution")
            if solution.event_type is not None:
                require(f"solutions.{name}.event_type", solution.event_type, self.event_types, "event type")
            for position, weight in enumerate(solution.event_weights):
                path = f"solutions.{name}.event_weights[{position}].event_type"
                require(path, weight.event_type, self.event_types, "event type")
        for name, placement in self.placements.items():
            self.check_placement(f"placements.{name}", placement)
            self.check_experiment(f"placements.{name}.experiment", placement)
        for name, batch in self.batch.items():
            self.check_batch(f"batch.{name}", batch)
        for name, segment in self.segments.items():
            self.check_segment(f"segments.{name}", segment)
        for position, event_type in enumerate(self.archive.funnel):
            require(f"archive.funnel[{position}]", event_type, self.event_types, "event type")
        for name, rule in self.rules.items():
            self.check_rule(f"rules.{name}", rule)
        return self

    def check_placement(self, path: str, placement: Placement) -> None:
        """Raise ValueError unless the placement can be served as it says."""
        require(f"{path}.solution", placement.solution, self.solutions, "solution")
        if not self.answers(placement.solution):
            raise ValueError(
                f"{path}.solution: '{placement.solution}' has no campaign to answer from; "
                f"give solutions.{placement.solution} one (campaign: {{}})"
            )
        for position, fallback in enumerate(self.fallbacks(placement)):
            self.check_fallback(f"{path}.fallback[{position}]", placement, fallback)
        self.check_rules(path, placement.rules)
        self.check_filter(path, placement)

    def check_experiment(self, path: str, placement: Placement) -> None:
        """Raise ValueError unless each variant can be served where the placement can, and all of one name split users alike."""
        for name, variant in placement.variants().items():
            self.check_placement(f"{path}.variants.{name}", variant)
            types = [RECIPES[self.solutions[of.solution].recipe].type for of in (placement, variant)]
            if types[0] != types[1]:
                raise ValueError(f"{path}.variants.{name}.solution: '{variant.solution}' answers other calls than the placement")
        for other in self.placements.values():
            if placement.experiment and other.experiment and other.experiment.name == placement.experiment.name:
                weights = [{n: v.weight for n, v in e.variants.items()} for e in (placement.experiment, other.experiment)]
                if list(weights[0].items()) != list(weights[1].items()):
                    raise ValueError(f"{path}.variants: '{other.experiment.name}' has other variants or weights elsewhere")

    def check_batch(self, path: str, batch: Batch) -> None:
        """Raise ValueError unless a batch inference job can make the lists, and rules and fallbacks can be applied to them."""
        recipe = self.batch_recipe(path, batch.solution)
        if recipe.type == "USER_SEGMENTATION":
            raise ValueError(f"{path}.solution: '{batch.solution}' makes segments; they are under segments")
        if (batch.candidates is not None) is not (recipe.type == "PERSONALIZED_RANKING"):
            raise ValueError(f"{path}.candidates: a ranking needs them, and nothing else takes them")
        if batch.candidates is not None:
            require(f"{path}.candidates", batch.candidates, self.solutions, "solution")
            if not self.has_snapshot(batch.candidates):
                raise ValueError(f"{path}.candidates: '{batch.candidates}' is not a popularity count (aws-popularity-count)")
        for position, fallback in enumerate(batch.fallback):
            self.check_list_maker(f"{path}.fallback[{position}]", fallback)
        self.check_rules(path, batch.rules)
        self.check_filter(path, batch)
        if batch.filter is not None and "$" in self.filters[batch.filter]:
            raise ValueError(f"{path}.filter: '{batch.filter}' has placeholders, for which a batch has no values")

    def check_segment(self, path: str, segment: Segment) -> None:
        recipe = self.batch_recipe(path, segment.solution)
        if recipe.type != "USER_SEGMENTATION":
            raise ValueError(f"{path}.solution: '{segment.solution}' makes lists of items; they are under batch")
        by_item = self.solutions[segment.solution].recipe == "aws-item-affinity"
        if by_item is not bool(segment.item_ids):
            raise ValueError(f"{path}.{'item_ids' if by_item else 'item_attributes'}: the solution's recipe needs them")

    def batch_recipe(self, path: str, solution: str) -> Recipe:
        """The recipe of a solution that batch jobs can be made with."""
        require(f"{path}.solution", solution, self.solutions, "solution")
        recipe = self.solutions[solution].recipe
        if not RECIPES[recipe].batch:
            raise ValueError(f"{path}.solution: '{recipe}' has no batch jobs")
        return RECIPES[recipe]

    def check_rules(self, path: str, rules: list[str]) -> None:
        for position, rule in enumerate(rules):
            require(f"{path}.rules[{position}]", rule, self.rules, "rule")
        against = contradiction({rule: self.rules[rule] for rule in rules})
        if against:
            raise ValueError(f"{path}.rules: {against}")

    def check_filter(self, path: str, of: Placement | Batch) -> None:
        if of.filter is None:
            return
        require(f"{path}.filter", of.filter, self.filters, "filter")
        if self.needs_twin(of):
            try:
                parse_filter(self.filters[of.filter])
            except NoTwin as error:
                whom = "fallbacks" if self.fallbacks(of) or not self.pins(of) else "pinned items"
                raise ValueError(f"{path}.filter: '{of.filter}' can't be applied to {whom}: {error}") from None

    def check_fallback(self, path: str, placement: Placement, fallback: str) -> None:
        ranks = RECIPES[self.solutions[placement.solution].recipe].type == "PERSONALIZED_RANKING"
        if ranks:
            if fallback != GIVEN:
                raise ValueError(f"{path}: a ranking has one fallback, '{GIVEN}': the items as they were given")
        elif fallback != BATCH:
            self.check_list_maker(path, fallback)
        elif self.batch_of(placement.solution) is None:
            raise ValueError(f"{path}: '{placement.solution}' has no batch; add one under batch")

    def check_list_maker(self, path: str, fallback: str) -> None:
        require(path, fallback, self.solutions, "solution")
        if not self.answers(fallback) or RECIPES[self.solutions[fallback].recipe].type == "PERSONALIZED_RANKING":
            raise ValueError(f"{path}: '{fallback}' can't make a list: it needs a campaign, and a recipe that does not rank")

    def check_rule(self, path: str, rule: Rule) -> None:
        items = self.datasets.items
        for column in rule.columns():
            if items is None or items.avro.column(column) is None:
                there = [field.name for field in items.avro.fields] if items else []
                raise ValueError(f"{path}.{rule.action}: items have no column '{column}'{did_you_mean(column, there)}")
        for event_type in rule.drop_recent.event_types if rule.drop_recent else []:
            require(f"{path}.drop_recent.event_types", event_type, self.event_types, "event type")

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

    def needs_twin(self, of: Placement | Batch) -> bool:
        """Whether the filter must also be applied to items that neither a campaign nor a job has filtered."""
        return bool(self.fallbacks(of)) or self.pins(of) or (isinstance(of, Placement) and self.has_snapshot(of.solution))

    def pins(self, of: Placement | Batch) -> bool:
        """Whether a rule puts an item into the lists. A ranking orders what it is given and no more."""
        ranks = isinstance(of, Placement) and RECIPES[self.solutions[of.solution].recipe].type == "PERSONALIZED_RANKING"
        return not ranks and any(self.rules[name].pin is not None for name in of.rules)

    def recent_event_types(self) -> set[str]:
        """The event types whose latest items are kept for each user: rules and the twins of filters look at them."""
        found = {kind for rule in self.rules.values() if rule.drop_recent for kind in rule.drop_recent.event_types}
        readers: list[Placement | Batch] = [*self.placements.values(), *self.batch.values()]
        readers += [variant for placement in self.placements.values() for variant in placement.variants().values()]
        for reader in readers:
            if reader.filter and self.needs_twin(reader):
                found |= parse_filter(self.filters[reader.filter]).event_types(self.event_types)
        return found


def parse_config(raw: Any) -> Config:
    """Validate plain data. Raises ConfigError with one problem for each wrong path."""
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError([describe(problem) for problem in error.errors()]) from None


def describe(problem: Any) -> str:
    """One pydantic error as `path: rule`. A check over several fields has put the rest of the path into its message."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"] if part != "[key]")
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = "there is no such setting"
    elif problem["type"] == "missing":
        message = "is required"
    path = path.lstrip(".")
    joint = "." if path and problem["type"] == "value_error" and _starts_with_path(message) else ": "
    return f"{path}{joint}{message}" if path else message


def _starts_with_path(message: str) -> bool:
    head = message.split(": ", 1)[0]
    return head != message and " " not in head


def json_schema() -> dict[str, Any]:
    """The JSON schema of a config file, for editors: there an Avro schema may be the path of its file."""
    schema = Config.model_json_schema(by_alias=True)
    avro = schema["$defs"]["Dataset"]["properties"]["schema"]
    schema["$defs"]["Dataset"]["properties"]["schema"] = {
        "anyOf": [{"type": "string", "description": "path of the Avro schema, from the config's folder"}, avro]
    }
    schema["properties"]["environments"] = {
        "type": "object",
        "description": "what differs in each environment: laid over the rest, whose `name` gets the environment's after a hyphen",
        "additionalProperties": {"type": "object"},
    }
    return schema


@cache
def packed_config() -> Config:
    """The config that was packed into the function's code at synth."""
    return parse_config(json.loads(Path(os.environ["CONFIG_PATH"]).read_text()))
