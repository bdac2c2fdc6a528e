"""The rules of Amazon Personalize for solutions, campaigns and filters, with the paths of the config. The rules are its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from lambdas.config import Config, Solution
from lambdas.config.problems import Path, Problem
from lambdas.config.recipes import RECIPES
from lambdas.config.requests import campaign_config, solution_config
from lambdas.config.schemas import KINDS
from lambdas.config.section import did_you_mean
from personalize_rules.filters import Fault, Filter, all_faults, distinct_fields, shown
from personalize_rules.limits import FIELDS_PER_DATASET_GROUP, FIELDS_PER_FILTER
from personalize_rules.schemas import Kind, Schema
from personalize_rules.solutions import check_campaign_config, check_solution
from personalize_rules.values import event_type_key

#: Members of requests, and what the config calls them.
_MEMBERS: dict[str, Path] = {
    "solutionConfig.eventValueThreshold": ("event_value_threshold",),
    "solutionConfig.eventsConfig": ("event_weights",),
    "solutionConfig.algorithmHyperParameters": ("hyperparameters",),
    "solutionConfig.featureTransformationParameters": ("hyperparameters",),
    "solutionVersionArn": ("campaign",),
    "campaignConfig.itemExplorationConfig.explorationItemAgeCutOff": ("campaign", "exploration_item_age_cut_off"),
    "campaignConfig.itemExplorationConfig": ("campaign", "exploration_weight"),
    "enableMetadataWithRecommendations": ("campaign", "metadata"),
}


def solution_problems(config: Config, broken: Collection[Path]) -> Iterator[Problem]:
    """What CreateSolution and CreateCampaign would refuse, or training would end with, by what is known before."""
    schemas = _known_schemas(config, broken)
    for name, solution in config.solutions.items():
        recipe, path = RECIPES[solution.recipe], ("solutions", name)
        request: dict[str, Any] = {"solutionConfig": solution_config(solution)}
        refusals = list(check_solution(request, recipe, schemas))
        if solution.campaign is not None:
            settings = campaign_config(solution.campaign)
            refusals += check_campaign_config(settings, recipe, schemas)
        yield from (Problem((*path, *_place(refusal.member)), refusal.rule) for refusal in refusals)
        lacks = recipe.lacks(schemas)
        if lacks and not any(("datasets", kind) in broken for kind in KINDS):
            yield Problem((*path, "recipe"), f"'{solution.recipe}' needs {lacks}")
        if ("datasets", "interactions") not in broken:
            yield from _event_columns(path, solution, schemas["INTERACTIONS"])


def filter_problems(config: Config, broken: Collection[Path]) -> Iterator[Problem]:
    """What CreateFilter would refuse, and filters for events that the shop does not have."""
    schemas, read = _known_schemas(config, broken), list[Filter]()
    unknown_kinds = {KINDS[kind] for kind in KINDS if ("datasets", kind) in broken}
    for name, expression in config.filters.items():
        path = ("filters", name)
        parsed, faults = all_faults(expression, schemas)
        if parsed:
            read.append(parsed)
            unjudged = {condition.position for condition in parsed.conditions if condition.kind in unknown_kinds}
            faults = [fault for fault in faults if fault.position not in unjudged]
            faults += _unknown_events(parsed, config, broken)
        yield from (Problem(path, shown(expression, fault)) for fault in faults)
        if parsed and len(parsed.fields) > FIELDS_PER_FILTER:
            yield Problem(path, f"a filter can use at most {FIELDS_PER_FILTER} distinct fields, not {len(parsed.fields)}")
    together = distinct_fields(read)
    if len(together) > FIELDS_PER_DATASET_GROUP:
        rule = f"the filters can use at most {FIELDS_PER_DATASET_GROUP} distinct fields together, not {len(together)}"
        yield Problem(("filters",), rule)


def _known_schemas(config: Config, broken: Collection[Path]) -> Mapping[Kind, Schema]:
    """The schemas of the datasets, by the service's names."""
    there = {kind: dataset.avro for kind, dataset in config.datasets.present().items()}
    return {KINDS[kind]: avro for kind, avro in there.items() if kind == "interactions" or ("datasets", kind) not in broken}


def _place(member: str) -> Path:
    member = member.rstrip(":")
    for known, path in _MEMBERS.items():
        if member == known:
            return path
        if member.startswith(f"{known}."):
            rest = member.removeprefix(f"{known}.")
            return (*path, rest) if path == ("hyperparameters",) else path
    return ()


def _event_columns(path: Path, solution: Solution, schema: Schema) -> Iterator[Problem]:
    """docs: personalize/latest/dg/event-values-types.html"""
    lacks = "the schema of the interactions has no column"
    if schema.column("EVENT_TYPE") is None:
        if solution.event_type is not None:
            yield Problem((*path, "event_type"), f"{lacks} EVENT_TYPE")
        if solution.event_weights:
            yield Problem((*path, "event_weights"), f"{lacks} EVENT_TYPE")
    if schema.column("EVENT_VALUE") is None:
        if solution.event_value_threshold is not None:
            yield Problem((*path, "event_value_threshold"), f"{lacks} EVENT_VALUE")
        for position, weight in enumerate(solution.event_weights):
            if weight.value_threshold is not None:
                yield Problem((*path, "event_weights", position, "value_threshold"), f"{lacks} EVENT_VALUE")


def _unknown_events(parsed: Filter, config: Config, broken: Collection[Path]) -> Iterator[Fault]:
    """A rule of the shop: a filter for events that it does not have would never hold anything back."""
    names = [*config.event_types, *(str(path[1]) for path in broken if path[0] == "event_types")]
    known = {event_type_key(name) for name in names}
    for condition in parsed.conditions:
        listed = condition.operand if condition.is_event_test and isinstance(condition.operand, tuple) else ()
        for name in listed:
            if name != "*" and event_type_key(name) not in known:
                yield Fault(condition.position, f"there is no event type '{name}'{did_you_mean(name, names)}")
