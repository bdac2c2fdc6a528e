"""mapping.yaml: from which files of an export the CSVs of Personalize come, and what becomes of each column."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lambdas.config.file import UniqueKeyLoader
from lambdas.config.problems import ConfigError
from lambdas.config.schemas import DATASET_TYPES, DatasetKind
from reco.errors import RecoError
from reco.exports import times
from reco.exports.cells import Column
from reco.exports.files import Form

#: The columns without which a row can't be used.
NEEDED: dict[DatasetKind, tuple[str, ...]] = {
    "interactions": ("USER_ID", "ITEM_ID", "TIMESTAMP"),
    "items": ("ITEM_ID",),
    "users": ("USER_ID",),
}
KEYS: dict[DatasetKind, str | None] = {"interactions": None, "items": "ITEM_ID", "users": "USER_ID"}
_HEAD = """\
# How the shop's exports become the CSVs of Personalize. `reco convert EXPORTS` does it again, each night.
# `from` names a column of the export, `as` says how it is read, `values` replaces your words.
"""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Kept(_Section):
    """Which rows are taken: those whose number in `column` is above `above`."""

    column: str
    above: float = 0
    decimal: Literal[".", ","] = "."


class Source(_Section):
    """A file of the export, or all whose names fit a pattern such as clicks-*.csv."""

    file: str = Field(min_length=1)
    format: Form = Field(default_factory=Form)
    columns: dict[str, Column] = Field(min_length=1)
    keep: Kept | None = None
    of_events: bool = Field(False, description="the file is of events: a row without the id says nothing of the dataset")

    @field_validator("file")
    @classmethod
    def _lies_in_the_folder(cls, file: str) -> str:
        if "/" in file or "\\" in file or file in (".", ".."):
            raise ValueError("must be the name of a file in the folder of exports, without a folder")
        return file


class Mapping(_Section):
    """How an export becomes CSVs."""

    timezone: str = "UTC"
    reject_at_most: float = Field(0.01, ge=0, le=1, description="share of rows; if more can't be used, `reco convert` fails")
    interactions: list[Source] = Field(min_length=1)
    items: list[Source] = Field(default_factory=list)
    users: list[Source] = Field(default_factory=list)

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            times.zone(name)
        except RecoError as error:
            raise ValueError(str(error)) from None
        return name

    @model_validator(mode="after")
    def _has_what_rows_need(self) -> Mapping:
        for kind, sources in self.sources().items():
            for source in sources:
                missing = [name for name in NEEDED[kind] if name not in source.columns]
                if missing:
                    raise ValueError(f"{kind}: the columns of {source.file} lack {', '.join(missing)}")
        return self

    def sources(self) -> dict[DatasetKind, list[Source]]:
        """The sources of each dataset that has any."""
        found: dict[DatasetKind, list[Source]] = {kind: getattr(self, kind) for kind in DATASET_TYPES}
        return {kind: sources for kind, sources in found.items() if sources}

    def columns(self, kind: DatasetKind) -> list[str]:
        """All columns of a dataset, those that every row needs first."""
        named = [name for source in getattr(self, kind) for name in source.columns]
        return list(dict.fromkeys([*NEEDED[kind], *named]))


def read(path: Path) -> Mapping:
    """Raises RecoError with each problem and its place."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader)  # noqa: S506  a safe loader
    except FileNotFoundError:
        raise RecoError(f"There is no {path}. `reco init EXPORTS` writes one; name another with --mapping.") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ConfigError, TypeError, RecursionError, ValueError) as error:
        raise RecoError(f"{path}: can't be read as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise RecoError(f"{path}: must map interactions, items and users to their sources.")
    try:
        return Mapping.model_validate(raw)
    except ValidationError as error:
        raise RecoError("\n".join(f"{path}: {_place(problem['loc'])}{_said(problem)}" for problem in error.errors())) from None


def _place(path: tuple[Any, ...]) -> str:
    shown = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    return f"{shown}: " if shown else ""


def _said(problem: Any) -> str:
    return str(problem["msg"]).removeprefix("Value error, ")


def written(mapping: Mapping) -> str:
    """As YAML, without what is the default."""
    plain = mapping.model_dump(by_alias=True, exclude_defaults=True)
    plain = {"timezone": mapping.timezone, **{key: value for key, value in plain.items() if key != "timezone"}}
    return _HEAD + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
