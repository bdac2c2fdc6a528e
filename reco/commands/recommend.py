"""`reco recommend`: what a page would get."""

from __future__ import annotations

from typing import Annotated

import typer

from reco.console import results, show_json, show_table
from reco.deployment import serving
from reco.errors import RecoError
from reco.options import DEFAULT_CONFIG, AwsOption, ConfigOption, JsonOption, target_of


def recommend(
    placement: str,
    user: Annotated[str | None, typer.Option("--user", help="The user to recommend for.")] = None,
    item: Annotated[str | None, typer.Option("--item", help="The item to which others shall relate.")] = None,
    num_results: Annotated[int | None, typer.Option("--num-results", "-n", min=1, max=500)] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--param", help="NAME=VALUE for the placement's filter or context.NAME.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    aws: AwsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the API for recommendations."""
    query: dict[str, str | list[str]] = {}
    for given in parameter or []:
        name, separator, value = given.partition("=")
        if not separator:
            raise RecoError(f"--param {given}: give it as NAME=VALUE.")
        query[name] = [*query.get(name, []), value]
    own = {"user_id": user, "item_id": item, "num_results": num_results}
    query |= {name: str(value) for name, value in own.items() if value is not None}
    answer = serving.recommend(target_of(config, aws), placement, query)
    if as_json:
        show_json(answer)
    else:
        show_table(f"{placement} (from {answer['source']})", *serving.item_rows(answer["items"]))
        for sentence in serving.missing(answer):
            results.print(sentence, style="yellow", markup=False)
