"""`reco recommend`: what a page would get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from lambdas.config.recipes import RECIPES
from personalize_rules.limits import MAX_RECOMMENDATIONS
from reco.console import results, show_json, show_table
from reco.deployment import serving
from reco.errors import RecoError
from reco.local.attach import connect
from reco.options import DEFAULT_CONFIG, AwsOption, ConfigOption, JsonOption, config_of


def recommend(
    placement: Annotated[str, typer.Argument(help="A placement of the config, such as home.")],
    user: Annotated[str | None, typer.Option("--user", help="The user to recommend for.")] = None,
    item: Annotated[str | None, typer.Option("--item", help="The item to find related items for.")] = None,
    ranking: Annotated[
        str | None, typer.Option("--ranking", metavar="ITEMS", help="Rank these items, such as i1,i2,i3, for the user.")
    ] = None,
    num_results: Annotated[int | None, typer.Option("--num-results", "-n", min=1, max=MAX_RECOMMENDATIONS)] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--param", help="NAME=VALUE for the placement's filter or context.NAME.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show what each business rule did.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the API for recommendations, or for a ranking of items."""
    found = config_of(config)
    values = _values(parameter or [])
    of = found.placements.get(placement)
    ranks = of is not None and RECIPES[found.solutions[of.solution].recipe].type == "PERSONALIZED_RANKING"
    if ranks and ranking is None:
        raise RecoError(f"{placement} ranks items that you name: add --user ID --ranking i1,i2,i3.")
    target = connect(found.name, aws)
    if ranking is None:
        own = {"user_id": user, "item_id": item, "num_results": num_results, "explain": "true" if explain else None}
        query = values | {name: str(value) for name, value in own.items() if value is not None}
        answer = serving.recommend(target, placement, query)
    else:
        if user is None:
            raise RecoError("A ranking is for a user: add --user ID.")
        items = [each.strip() for each in ranking.split(",") if each.strip()]
        answer = serving.rank(target, placement, user, items, values, explain=explain)
    if as_json:
        show_json(answer)
        return
    if not answer["items"]:
        results.print(f"{placement} has no items for this call (source: {answer['source']}).", markup=False)
    else:
        show_table(f"{placement} (from {answer['source']})", *serving.item_rows(answer["items"], found.title_column))
    for sentence in [*_explained(answer.get("explain") or []), *_filtered(answer)]:
        results.print(sentence, markup=False)
    if explain and answer.get("explain") == []:
        results.print(f"{placement} has no business rules.")
    for sentence in serving.missing(answer):
        results.print(sentence, style="yellow", markup=False)


def _values(parameters: Sequence[str]) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    for given in parameters:
        name, separator, value = given.partition("=")
        if not separator:
            raise RecoError(f"--param {given}: give it as NAME=VALUE.")
        found[name] = [*found.get(name, []), value]
    return found


def _explained(effects: Sequence[dict[str, Any]]) -> list[str]:
    """What each business rule did, a sentence each."""
    found = []
    for effect in effects:
        did = [f"{what} {', '.join(effect[what])}" for what in ("dropped", "moved", "added") if effect[what]]
        did += [f"could not place {item}: {why}" for item, why in effect["refused"].items()]
        found.append(f"Rule {effect['rule']}: {'; '.join(did) or 'changed nothing'}.")
    return found


def _filtered(answer: dict[str, Any]) -> list[str]:
    lost = answer.get("filtered")
    return [f"The filter took out {', '.join(lost)}."] if lost else []
