"""`reco validate`: a config, before anything is deployed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lambdas.config.validation import json_schema
from reco.config_reference import reference
from reco.console import results, show_json
from reco.options import DEFAULT_CONFIG, JsonOption, config_of, problems_of


def validate(
    config: Annotated[Path, typer.Argument(help="A config file.")] = DEFAULT_CONFIG,
    write_schema: Annotated[Path | None, typer.Option(help="Write the JSON schema of configs to this file, for editors.")] = None,
    write_reference: Annotated[Path | None, typer.Option(help="Write the reference of all keys to this Markdown file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a config; every problem is shown with its path."""
    if write_schema is not None:
        write_schema.write_text(json.dumps(json_schema(), indent=2) + "\n")
    if write_reference is not None:
        write_reference.write_text(reference())
    if as_json:
        problems = problems_of(config)
        show_json({"valid": not problems, "problems": problems})
        raise typer.Exit(1 if problems else 0)
    found = config_of(config)
    parts = f"{len(found.solutions)} solutions, {len(found.filters)} filters, {len(found.placements)} placements"
    results.print(f"{config} is valid: {found.name}, {parts}.")
