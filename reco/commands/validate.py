"""`reco validate`: a config, before anything is deployed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lambdas.config import Config, ConfigError
from lambdas.config.validation import json_schema
from lambdas.serving.recommend.override import LONGEST, STANDARD_LENGTH, overridden
from reco.config_reference import reference
from reco.console import results, show_json
from reco.errors import RecoError
from reco.options import DEFAULT_CONFIG, JsonOption, config_of, problems_of


def validate(
    config: Annotated[Path, typer.Argument(help="A config file.")] = DEFAULT_CONFIG,
    write_schema: Annotated[Path | None, typer.Option(help="Write the JSON schema of configs to this file, for editors.")] = None,
    write_reference: Annotated[Path | None, typer.Option(help="Write the reference of all keys to this Markdown file.")] = None,
    override: Annotated[
        Path | None, typer.Option(help="Check this document of rules and placements too, before you put it into SSM.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a config; every problem is shown with its path."""
    if write_schema is not None:
        write_schema.write_text(json.dumps(json_schema(), indent=2) + "\n")
    if write_reference is not None:
        write_reference.write_text(reference())
    if as_json:
        problems = problems_of(config)
        if override is not None and not problems:
            problems = _problems_of_override(config_of(config), override)
        show_json({"valid": not problems, "problems": problems})
        raise typer.Exit(1 if problems else 0)
    found = config_of(config)
    parts = f"{len(found.solutions)} solutions, {len(found.filters)} filters, {len(found.placements)} placements"
    results.print(f"{config} is valid: {found.name}, {parts}.")
    if override is not None:
        if problems := _problems_of_override(found, override):
            raise RecoError("\n".join(problems))
        length = len(_text_of(override))
        how = "" if length <= STANDARD_LENGTH else "; put it with --tier Intelligent-Tiering"
        results.print(f"{override} is a valid override: {length} of {LONGEST} characters{how}.", markup=False)


def _problems_of_override(config: Config, path: Path) -> list[str]:
    """All that is wrong with a rules override; what SSM would refuse first."""
    text = _text_of(path)
    if len(text) > LONGEST:
        return [f"{path}: {len(text)} characters, and SSM takes {STANDARD_LENGTH}, or {LONGEST} of an advanced parameter"]
    try:
        overridden(config, text)
    except ConfigError as error:
        return [f"{path}: {problem}" for problem in error.problems]
    return []


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecoError(f"{path} can't be read: {error}") from None
