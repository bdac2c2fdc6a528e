"""What all parts of a config share: names, strictness, and errors that name the path."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lambdas.config.problems import Unknown

#: Longest deployment name: Personalize names end at 63 characters, and ours append a kind, a fingerprint and a run.
MAX_NAME = 24


def _short_enough(name: str) -> str:
    if len(name) > MAX_NAME:
        raise ValueError(f"'{name}' is longer than {MAX_NAME} characters")
    return name


Name = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", json_schema_extra={"maxLength": MAX_NAME}),
    AfterValidator(_short_enough),
]
FilterName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=MAX_NAME)]


class Section(BaseModel):
    """What every part of the config shares: unknown keys are errors, values don't change."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


#: Where the config has what it calls by these words.
_SECTIONS = {
    "solution": "solutions",
    "event type": "event_types",
    "filter": "filters",
    "rule": "rules",
    "placement": "placements",
}


def require(path: str, name: str, known: dict[str, Any], what: str) -> None:
    """Raise Unknown unless `name` is one of the `known`."""
    if name not in known:
        raise Unknown(f"{path}: there is no {what} '{name}'{did_you_mean(name, known)}", _SECTIONS[what], name)


def did_you_mean(word: str, known: Any) -> str:
    """`, did you mean 'x'?`, or the list of what there is."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean '{close[0]}'?" if close else f" (there are: {', '.join(sorted(known)) or 'none'})"
