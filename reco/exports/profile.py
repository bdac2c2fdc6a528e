"""What a file of an export holds, as far as its beginning tells: for each column, what its values could be."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from reco.errors import RecoError
from reco.exports import times
from reco.exports.cells import is_empty, is_yes_or_no, number_text
from reco.exports.files import Form, form_of, rows_of

#: Rows that are looked at.
_LOOKED_AT = 50_000
_TAG = re.compile(r"</?[a-zA-Z][^>]*>|&[a-z]+;|&#\d+;")
_SEPARATORS = ("|", " > ", ">", ";", " / ", "/", ",")


@dataclass
class Profile:
    """A column: its values in the first rows."""

    name: str
    cells: Sequence[str]

    @cached_property
    def values(self) -> list[str]:
        """Those that are not empty."""
        return [cell for cell in self.cells if not is_empty(cell)]

    @cached_property
    def distinct(self) -> Counter[str]:
        return Counter(self.values)

    @property
    def is_unique(self) -> bool:
        """Whether it could be a key: hardly a value twice, hardly one missing."""
        return len(self.values) >= 0.98 * len(self.cells) and len(self.distinct) >= 0.95 * len(self.values) > 0

    @cached_property
    def time_forms(self) -> list[str]:
        return times.forms_of(self.values[:: max(1, len(self.values) // 20_000)])

    @cached_property
    def dates_of_birth(self) -> str | None:
        """The form of its dates, which may be before 1970."""
        later = [re.sub(r"\b19\d\d\b", "2000", value) for value in self.values[:2_000]]
        return next(iter(times.forms_of(later)), None)

    @cached_property
    def decimal_mark(self) -> Literal[".", ","] | None:
        """The decimal mark, where the values tell it."""
        commas = [value for value in self.values if "," in value]
        points = [value for value in self.values if "." in value]
        both = next((value for value in commas if "." in value), None)
        if both:
            return "," if both.rfind(",") > both.rfind(".") else "."
        if any(not re.search(r",\d{3}(\D|$)", value) or value.count(",") > 1 for value in commas):
            return "," if all(value.count(",") == 1 for value in commas) else "."
        if any(not re.search(r"\.\d{3}(\D|$)", value) for value in points):
            return "." if all(value.count(".") == 1 for value in points) else ","
        return None

    def is_number(self, decimal: str) -> bool:
        return self._all(lambda value: bool(number_text(value, decimal)))

    def is_whole(self, decimal: str) -> bool:
        return self._all(lambda value: float(number_text(value, decimal)).is_integer())

    @cached_property
    def is_yes_or_no(self) -> bool:
        return 0 < len(self.distinct) <= 2 and all(is_yes_or_no(value) for value in self.distinct)

    @cached_property
    def is_html(self) -> bool:
        return sum(bool(_TAG.search(value)) for value in self.values[:2_000]) > 0.02 * len(self.values[:2_000])

    @cached_property
    def mean_length(self) -> float:
        return sum(map(len, self.values)) / max(1, len(self.values))

    @cached_property
    def separator(self) -> str | None:
        """Of lists: one that stands in many values, and whose parts come again in others."""
        for separator in _SEPARATORS:
            lists = [value for value in self.values if separator in value]
            if len(lists) > 0.05 * len(self.values) and lists:
                parts = Counter(part.strip() for value in self.values for part in value.split(separator))
                if len(parts) < 0.7 * len(self.distinct) or len(parts) <= 60:
                    return separator
        return None

    def _all(self, test: Callable[[str], bool]) -> bool:
        """Whether nearly all values pass; a few mistakes are rejected later, one by one."""
        wrong, allowed = 0, len(self.values) // 50
        for value in self.values:
            try:
                wrong += not test(value)
            except (ValueError, OverflowError):
                wrong += 1
            if wrong > allowed:
                return False
        return bool(self.values)


@dataclass
class Export:
    """A file, or several whose names differ in a number alone and whose columns are the same."""

    pattern: str
    paths: list[Path]
    form: Form
    columns: dict[str, Profile] = field(default_factory=dict)
    rows: int = 0
    whole: bool = True

    @cached_property
    def decimal(self) -> Literal[".", ","]:
        """The decimal mark of the file: what most of its columns tell."""
        marks = Counter(
            mark
            for column in self.columns.values()
            if column.is_number(mark := column.decimal_mark or ".") and column.decimal_mark
        )
        return "," if marks[","] > marks["."] else "."


def look_at(path: Path) -> Export:
    """Raises RecoError for a file that can't be read."""
    form = form_of(path)
    found: dict[str, list[str]] = {}
    count = 0
    for _, row in itertools.islice(rows_of(path, form), _LOOKED_AT):
        count += 1
        if isinstance(row, str):
            continue
        length = max(map(len, found.values()), default=0)
        for name in row.keys() - found.keys():
            found[name] = [""] * length
        for name, cells in found.items():
            cells.append(row.get(name, "").strip())
    if not found:
        raise RecoError(f"{path}: has a header and no rows." if count == 0 else f"{path}: none of its rows can be read.")
    order = {name: None for _, row in itertools.islice(rows_of(path, form), 200) if isinstance(row, dict) for name in row}
    names = [*order, *(name for name in found if name not in order)]
    return Export(path.name, [path], form, {name: Profile(name, found[name]) for name in names}, count, count < _LOOKED_AT)


def grouped(exports: Sequence[Export]) -> list[Export]:
    """Files whose names differ in numbers alone, and which have the same columns and form, as one."""
    groups: dict[tuple[object, ...], list[Export]] = {}
    for export in exports:
        stem = re.sub(r"\d+", "*", export.pattern)
        groups.setdefault((stem, export.form, tuple(export.columns)), []).append(export)
    found = []
    for stem, group in ((str(key[0]), group) for key, group in groups.items()):
        if len(group) == 1:
            found.append(group[0])
            continue
        columns = {
            name: Profile(name, [cell for export in group for cell in export.columns[name].cells][:_LOOKED_AT])
            for name in group[0].columns
        }
        paths, rows = [path for export in group for path in export.paths], sum(export.rows for export in group)
        found.append(Export(stem, paths, group[0].form, columns, rows, all(export.whole for export in group)))
    return found
