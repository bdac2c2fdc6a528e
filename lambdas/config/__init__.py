"""The one description of a deployment: validated models, loaded from YAML at synth and from the packed JSON in a function."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from functools import cache
from pathlib import Path as FilePath
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from lambdas.config.api import Api
from lambdas.config.batch import BATCH, Archive, Batch, Segment
from lambdas.config.data import Dataset, Datasets, EventType
from lambdas.config.local_filters import NoTwin, parse_filter
from lambdas.config.operations import Alarms, Protection, Schedules
from lambdas.config.problems import Broken, Collected, ConfigError, Path, Problem, parsed, validated
from lambdas.config.recipes import RECIPES, Recipe
from lambdas.config.rules import Rule, contradiction
from lambdas.config.section import MAX_NAME, FilterName, Name, Section, did_you_mean, require
from lambdas.config.service_rules import filter_problems, solution_problems
from lambdas.config.serving import GIVEN, Experiment, Placement, Serving, Variant
from lambdas.config.solutions import Approval, Campaign, EventWeight, Gate, Solution
from personalize_rules.filters import InvalidFilter
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
    def parts_fit_together(self, info: ValidationInfo) -> Config:
        """All that is wrong at once. The context has the named parts that are wrong in themselves, and may be missing here."""
        found = Collected((info.context or {}).get("broken", ()))
        self.check_references(found)
        found.problems += solution_problems(self, found.broken)
        found.problems += filter_problems(self, found.broken)
        if found.problems:
            raise Broken(found.problems)
        return self

    def check_references(self, found: Collected) -> None:
        """Names lead somewhere, and what they lead to can do what is asked of it."""
        for section in ("event_types", "solutions", "placements"):
            if not getattr(self, section) and not any(path[0] == section for path in found.broken):
                found.problems.append(Problem((section,), "needs at least one entry"))
        for name, solution in self.solutions.items():
            self.check_solution(f"solutions.{name}", solution, found)
        for name, placement in self.placements.items():
            self.check_placement(f"placements.{name}", placement, found)
            self.check_experiment(f"placements.{name}.experiment", placement, found)
        for name, batch in self.batch.items():
            self.check_batch(f"batch.{name}", batch, found)
        for name, segment in self.segments.items():
            if not found.is_broken("solutions", segment.solution):
                found(self.check_segment, f"segments.{name}", segment)
        for position, event_type in enumerate(self.archive.funnel):
            found(require, f"archive.funnel[{position}]", event_type, self.event_types, "event type")
        for name, rule in self.rules.items():
            self.check_rule(f"rules.{name}", rule, found)

    def check_solution(self, path: str, solution: Solution, found: Collected) -> None:
        if solution.gate and solution.gate.beats is not None:
            found(require, f"{path}.gate.beats", solution.gate.beats, self.solutions, "solution")
        if solution.event_type is not None:
            found(require, f"{path}.event_type", solution.event_type, self.event_types, "event type")
        for position, weight in enumerate(solution.event_weights):
            found(require, f"{path}.event_weights[{position}].event_type", weight.event_type, self.event_types, "event type")

    def check_placement(self, path: str, placement: Placement, found: Collected) -> None:
        """Whether the placement can be served as it says."""
        if not found.is_broken("solutions", placement.solution) and found(self.check_source, path, placement.solution):
            for position, fallback in enumerate(self.fallbacks(placement)):
                if not found.is_broken("solutions", fallback):
                    found(self.check_fallback, f"{path}.fallback[{position}]", placement, fallback)
        self.check_rules(path, placement.rules, found)
        found(self.check_filter, path, placement)

    def check_source(self, path: str, solution: str) -> None:
        require(f"{path}.solution", solution, self.solutions, "solution")
        if not self.answers(solution):
            raise ValueError(
                f"{path}.solution: '{solution}' has no campaign to answer from; give solutions.{solution} one (campaign: {{}})"
            )

    def check_experiment(self, path: str, placement: Placement, found: Collected) -> None:
        """Whether each variant can be served where the placement can, and all of one name split users alike."""
        for name, variant in placement.variants().items():
            self.check_placement(f"{path}.variants.{name}", variant, found)
            if placement.solution in self.solutions and variant.solution in self.solutions:
                found(self.check_variant, f"{path}.variants.{name}", placement, variant)
        found(self.check_split, path, placement)

    def check_variant(self, path: str, placement: Placement, variant: Placement) -> None:
        types = [RECIPES[self.solutions[of.solution].recipe].type for of in (placement, variant)]
        if types[0] != types[1]:
            raise ValueError(f"{path}.solution: '{variant.solution}' answers other calls than the placement")

    def check_split(self, path: str, placement: Placement) -> None:
        for other in self.placements.values():
            if placement.experiment and other.experiment and other.experiment.name == placement.experiment.name:
                weights = [{n: v.weight for n, v in e.variants.items()} for e in (placement.experiment, other.experiment)]
                if list(weights[0].items()) != list(weights[1].items()):
                    raise ValueError(f"{path}.variants: '{other.experiment.name}' has other variants or weights elsewhere")

    def check_batch(self, path: str, batch: Batch, found: Collected) -> None:
        """Whether a batch inference job can make the lists, and rules and fallbacks can be applied to them."""
        if not found.is_broken("solutions", batch.solution):
            found(self.check_batch_source, path, batch)
        for position, fallback in enumerate(batch.fallback):
            if not found.is_broken("solutions", fallback):
                found(self.check_list_maker, f"{path}.fallback[{position}]", fallback)
        self.check_rules(path, batch.rules, found)
        if found(self.check_filter, path, batch) and batch.filter is not None and "$" in self.filters[batch.filter]:
            rule = f"'{batch.filter}' has placeholders, for which a batch has no values"
            found.problems.append(Problem((*parsed(path), "filter"), rule))

    def check_batch_source(self, path: str, batch: Batch) -> None:
        recipe = self.batch_recipe(path, batch.solution)
        if recipe.type == "USER_SEGMENTATION":
            raise ValueError(f"{path}.solution: '{batch.solution}' makes segments; they are under segments")
        if (batch.candidates is not None) is not (recipe.type == "PERSONALIZED_RANKING"):
            raise ValueError(f"{path}.candidates: a ranking needs them, and nothing else takes them")
        if batch.candidates is not None:
            require(f"{path}.candidates", batch.candidates, self.solutions, "solution")
            if not self.has_snapshot(batch.candidates):
                raise ValueError(f"{path}.candidates: '{batch.candidates}' is not a popularity count (aws-popularity-count)")

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

    def check_rules(self, path: str, rules: list[str], found: Collected) -> None:
        for position, rule in enumerate(rules):
            found(require, f"{path}.rules[{position}]", rule, self.rules, "rule")
        against = contradiction({rule: self.rules[rule] for rule in rules if rule in self.rules})
        if against:
            found.problems.append(Problem((*parsed(path), "rules"), against))

    def check_filter(self, path: str, of: Placement | Batch) -> None:
        if of.filter is None:
            return
        require(f"{path}.filter", of.filter, self.filters, "filter")
        try:
            parse_filter(self.filters[of.filter])
        except NoTwin as error:
            if of.solution in self.solutions and self.needs_twin(of):
                whom = "fallbacks" if self.fallbacks(of) or not self.pins(of) else "pinned items"
                raise ValueError(f"{path}.filter: '{of.filter}' can't be applied to {whom}: {error}") from None
        except InvalidFilter:
            return  # told where the filter is

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

    def check_rule(self, path: str, rule: Rule, found: Collected) -> None:
        for column in rule.columns() if ("datasets", "items") not in found.broken else []:
            if column not in self.item_columns:
                there = did_you_mean(column, self.item_columns)
                found.problems.append(Problem((*parsed(path), rule.action), f"items have no column '{column}'{there}"))
        for event_type in rule.drop_recent.event_types if rule.drop_recent else []:
            found(require, f"{path}.drop_recent.event_types", event_type, self.event_types, "event type")

    @property
    def item_columns(self) -> tuple[str, ...]:
        """The columns of the items, as their schema spells them."""
        return tuple(field.name for field in self.datasets.items.avro.fields) if self.datasets.items else ()

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
                found |= parse_filter(self.filters[reader.filter], self.item_columns).event_types(self.event_types)
        return found


def parse_config(raw: Any, unreadable: Collection[Path] = ()) -> Config:
    """Validate plain data. Raises ConfigError with all that is wrong, but for the `unreadable` paths: that is told elsewhere."""
    config, problems = validated(lambda rest, broken: Config.model_validate(rest, context={"broken": broken}), raw, unreadable)
    if config is None or problems or unreadable:
        raise ConfigError(problems)
    return config


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
    return parse_config(json.loads(FilePath(os.environ["CONFIG_PATH"]).read_text()))
