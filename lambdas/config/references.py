"""Whether what a config names is there, and can do what is asked of it: all that is wrong at once, by its path."""

from __future__ import annotations

from collections.abc import Collection

from lambdas.config import BATCH, GIVEN, Batch, Config, Placement, Segment, Solution
from lambdas.config.local_filters import NoLocalFilter, parse_filter
from lambdas.config.problems import Collected, Path, Problem, parsed
from lambdas.config.recipes import RECIPES, Recipe
from lambdas.config.rules import Rule, contradiction
from lambdas.config.section import did_you_mean, require
from personalize_rules.filters import InvalidFilter


def reference_problems(config: Config, broken: Collection[Path]) -> list[Problem]:
    """`broken`: the named parts that are wrong in themselves, and may be missing here."""
    found = Collected(broken)
    _check_references(config, found)
    return found.problems


def _check_references(config: Config, found: Collected) -> None:
    """Names lead somewhere, and what they lead to can do what is asked of it."""
    for section in ("event_types", "solutions", "placements"):
        if not getattr(config, section) and not any(path[0] == section for path in found.broken):
            found.problems.append(Problem((section,), "needs at least one entry"))
    for name, solution in config.solutions.items():
        _check_solution(config, f"solutions.{name}", solution, found)
    for name, placement in config.placements.items():
        _check_placement(config, f"placements.{name}", placement, found)
        _check_experiment(config, f"placements.{name}.experiment", placement, found)
    for name, batch in config.batch.items():
        _check_batch(config, f"batch.{name}", batch, found)
    for name, segment in config.segments.items():
        if not found.is_broken("solutions", segment.solution):
            found(_check_segment, config, f"segments.{name}", segment)
    for position, event_type in enumerate(config.archive.funnel):
        found(require, f"archive.funnel[{position}]", event_type, config.event_types, "event type")
    found(_check_browsers, config)
    for name, rule in config.rules.items():
        _check_rule(config, f"rules.{name}", rule, found)
    _check_display(config, found)


def _check_display(config: Config, found: Collected) -> None:
    title = config.display.title
    if title is not None and title not in config.item_columns and ("datasets", "items") not in found.broken:
        there = did_you_mean(title, config.item_columns) if config.item_columns else ": the config has no items"
        found.problems.append(Problem(("display", "title"), f"the items have no column '{title}'{there}"))


def _check_browsers(config: Config) -> None:
    """Whether pages can ask for what the config lets them ask for."""
    for position, placement in enumerate(config.api.browser_placements):
        require(f"api.browser_placements[{position}]", placement, config.placements, "placement")
    if config.api.browser_placements and not config.api.cors_origins and config.storefront is None:
        raise ValueError("api.browser_placements: no page may ask for them; name its origin in api.cors_origins")
    if config.storefront is not None and not config.api.browser_placements:
        raise ValueError("storefront: it has nothing to show; name its placements in api.browser_placements")


def _check_solution(config: Config, path: str, solution: Solution, found: Collected) -> None:
    if solution.gate and solution.gate.beats is not None:
        found(require, f"{path}.gate.beats", solution.gate.beats, config.solutions, "solution")
    if solution.event_type is not None:
        found(require, f"{path}.event_type", solution.event_type, config.event_types, "event type")
    for position, weight in enumerate(solution.event_weights):
        found(require, f"{path}.event_weights[{position}].event_type", weight.event_type, config.event_types, "event type")


def _check_placement(config: Config, path: str, placement: Placement, found: Collected) -> None:
    """Whether the placement can be served as it says."""
    if not found.is_broken("solutions", placement.solution) and found(_check_source, config, path, placement.solution):
        for position, fallback in enumerate(config.fallbacks(placement)):
            if not found.is_broken("solutions", fallback):
                found(_check_fallback, config, f"{path}.fallback[{position}]", placement, fallback)
    _check_rules(config, path, placement.rules, found)
    found(_check_filter, config, path, placement)


def _check_source(config: Config, path: str, solution: str) -> None:
    require(f"{path}.solution", solution, config.solutions, "solution")
    if not config.answers(solution):
        raise ValueError(
            f"{path}.solution: '{solution}' has no campaign to answer from; give solutions.{solution} one (campaign: {{}})"
        )


def _check_experiment(config: Config, path: str, placement: Placement, found: Collected) -> None:
    """Whether each variant can be served where the placement can, and all of one name split users alike."""
    for name, variant in placement.variants().items():
        _check_placement(config, f"{path}.variants.{name}", variant, found)
        if placement.solution in config.solutions and variant.solution in config.solutions:
            found(_check_variant, config, f"{path}.variants.{name}", placement, variant)
    found(_check_split, config, path, placement)


def _check_variant(config: Config, path: str, placement: Placement, variant: Placement) -> None:
    types = [RECIPES[config.solutions[of.solution].recipe].type for of in (placement, variant)]
    if types[0] != types[1]:
        raise ValueError(f"{path}.solution: '{variant.solution}' answers other calls than the placement")


def _check_split(config: Config, path: str, placement: Placement) -> None:
    for other in config.placements.values():
        if placement.experiment and other.experiment and other.experiment.name == placement.experiment.name:
            weights = [{n: v.weight for n, v in e.variants.items()} for e in (placement.experiment, other.experiment)]
            if list(weights[0].items()) != list(weights[1].items()):
                raise ValueError(f"{path}.variants: '{other.experiment.name}' has other variants or weights elsewhere")


def _check_batch(config: Config, path: str, batch: Batch, found: Collected) -> None:
    """Whether a batch inference job can make the lists, and rules and fallbacks can be applied to them."""
    if not found.is_broken("solutions", batch.solution):
        found(_check_batch_source, config, path, batch)
    for position, fallback in enumerate(batch.fallback):
        if not found.is_broken("solutions", fallback):
            found(_check_list_maker, config, f"{path}.fallback[{position}]", fallback)
    _check_rules(config, path, batch.rules, found)
    if found(_check_filter, config, path, batch) and batch.filter is not None and "$" in config.filters[batch.filter]:
        rule = f"'{batch.filter}' has placeholders, for which a batch has no values"
        found.problems.append(Problem((*parsed(path), "filter"), rule))


def _check_batch_source(config: Config, path: str, batch: Batch) -> None:
    recipe = _batch_recipe(config, path, batch.solution)
    if recipe.type == "USER_SEGMENTATION":
        raise ValueError(f"{path}.solution: '{batch.solution}' makes segments; they are under segments")
    if (batch.candidates is not None) is not (recipe.type == "PERSONALIZED_RANKING"):
        raise ValueError(f"{path}.candidates: a ranking needs them, and nothing else takes them")
    if batch.candidates is not None:
        require(f"{path}.candidates", batch.candidates, config.solutions, "solution")
        if not config.has_snapshot(batch.candidates):
            raise ValueError(f"{path}.candidates: '{batch.candidates}' is not a popularity count (aws-popularity-count)")


def _check_segment(config: Config, path: str, segment: Segment) -> None:
    recipe = _batch_recipe(config, path, segment.solution)
    if recipe.type != "USER_SEGMENTATION":
        raise ValueError(f"{path}.solution: '{segment.solution}' makes lists of items; they are under batch")
    by_item = config.solutions[segment.solution].recipe == "aws-item-affinity"
    if by_item is not bool(segment.item_ids):
        raise ValueError(f"{path}.{'item_ids' if by_item else 'item_attributes'}: the solution's recipe needs them")


def _batch_recipe(config: Config, path: str, solution: str) -> Recipe:
    """The recipe of a solution that batch jobs can be made with."""
    require(f"{path}.solution", solution, config.solutions, "solution")
    recipe = config.solutions[solution].recipe
    if not RECIPES[recipe].batch:
        raise ValueError(f"{path}.solution: '{recipe}' has no batch jobs")
    return RECIPES[recipe]


def _check_rules(config: Config, path: str, rules: list[str], found: Collected) -> None:
    for position, rule in enumerate(rules):
        found(require, f"{path}.rules[{position}]", rule, config.rules, "rule")
    against = contradiction({rule: config.rules[rule] for rule in rules if rule in config.rules})
    if against:
        found.problems.append(Problem((*parsed(path), "rules"), against))


def _check_filter(config: Config, path: str, of: Placement | Batch) -> None:
    if of.filter is None:
        return
    require(f"{path}.filter", of.filter, config.filters, "filter")
    try:
        parse_filter(config.filters[of.filter])
    except NoLocalFilter as error:
        if of.solution in config.solutions and config.needs_local_filter(of):
            whom = "fallbacks" if config.fallbacks(of) or not config.pins(of) else "pinned items"
            raise ValueError(f"{path}.filter: '{of.filter}' can't be applied to {whom}: {error}") from None
    except InvalidFilter:
        return  # told where the filter is


def _check_fallback(config: Config, path: str, placement: Placement, fallback: str) -> None:
    ranks = RECIPES[config.solutions[placement.solution].recipe].type == "PERSONALIZED_RANKING"
    if ranks:
        if fallback != GIVEN:
            raise ValueError(f"{path}: a ranking has one fallback, '{GIVEN}': the items as they were given")
    elif fallback != BATCH:
        _check_list_maker(config, path, fallback)
    elif config.batch_of(placement.solution) is None:
        raise ValueError(f"{path}: '{placement.solution}' has no batch; add one under batch")


def _check_list_maker(config: Config, path: str, fallback: str) -> None:
    require(path, fallback, config.solutions, "solution")
    if not config.answers(fallback) or RECIPES[config.solutions[fallback].recipe].type == "PERSONALIZED_RANKING":
        raise ValueError(f"{path}: '{fallback}' can't make a list: it needs a campaign, and a recipe that does not rank")


def _check_rule(config: Config, path: str, rule: Rule, found: Collected) -> None:
    for column in rule.columns() if ("datasets", "items") not in found.broken else []:
        if column not in config.item_columns:
            there = did_you_mean(column, config.item_columns)
            found.problems.append(Problem((*parsed(path), rule.action), f"items have no column '{column}'{there}"))
    for event_type in rule.drop_recent.event_types if rule.drop_recent else []:
        found(require, f"{path}.drop_recent.event_types", event_type, config.event_types, "event type")
