"""What is wrong with a config: all of it at once, each with the path where it was written."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from personalize_rules.schemas import InvalidSchema

Path = tuple[str | int, ...]
Made = TypeVar("Made")

#: Sections whose parts other sections name.
_NAMED = ("datasets", "event_types", "filters", "solutions", "placements", "batch", "segments", "rules")

_NO_SETTING = "there is no such setting: correct its name, or take it out"
#: What pydantic says in a programmer's words, by its type of error.
_RULES = {
    "extra_forbidden": _NO_SETTING,
    "missing": "is required",
    "dict_type": "must hold settings, as {name: value}",
    "model_type": "must hold settings, as {name: value}",
    "model_attributes_type": "must hold settings, as {name: value}",
    "list_type": "must be a list, as [one, another]",
    "string_type": "must be a text: put it in quotation marks",
}


class Problem(NamedTuple):
    """`path` leads to what is wrong; it is empty where the config as a whole is meant."""

    path: Path
    rule: str

    def __str__(self) -> str:
        return f"{shown(self.path)}: {self.rule}" if self.path else self.rule


class ConfigError(Exception):
    """A config that can't be used; `problems` holds one sentence each, starting with the path of what is wrong."""

    def __init__(self, found: Sequence[Problem | str]) -> None:
        self.found = [Problem((), one) if isinstance(one, str) else one for one in found]
        self.problems = [str(problem) for problem in self.found]
        super().__init__("\n".join(self.problems))


class Broken(ValueError):
    """Several rules that one part of a config breaks; the paths begin at the part."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = list(problems)


class Unknown(ValueError):
    """A name that leads nowhere."""

    def __init__(self, message: str, section: str, name: str) -> None:
        super().__init__(message)
        self.section, self.name = section, name


class Collected:
    """Runs checks that raise ValueError, and keeps what they say: `solutions.x.recipe: the rule`.

    `broken` are the named parts that are wrong in themselves: that they are missing is no further problem.
    """

    def __init__(self, broken: Collection[Path] = ()) -> None:
        self.broken = broken
        self.problems: list[Problem] = []

    def __call__(self, check: Callable[..., object], *arguments: Any) -> bool:
        """Whether the check found nothing."""
        try:
            check(*arguments)
        except Unknown as error:
            if not self.is_broken(error.section, error.name):
                self.problems += problems_of(error)
            return False
        except ValueError as error:
            self.problems += problems_of(error)
            return False
        return True

    def is_broken(self, section: str, name: str) -> bool:
        return (section, name) in self.broken


def shown(path: Path) -> str:
    """`("rules", "x", 0, "by")` as `rules.x[0].by`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def parsed(path: str) -> Path:
    """`rules.x[0].by` as `("rules", "x", 0, "by")`."""
    return tuple(int(part[1:-1]) if part.startswith("[") else part for part in re.findall(r"\[\d+\]|[^.\[\]]+", path))


def problems_of(error: ValueError) -> list[Problem]:
    """What a check says. A check over several fields begins its message with the path below its own."""
    if isinstance(error, Broken):
        return error.problems
    if isinstance(error, InvalidSchema):
        return [Problem(parsed(problem.where), problem.rule) for problem in error.problems]
    head, separator, rule = str(error).partition(": ")
    return [Problem(parsed(head), rule)] if separator and " " not in head else [Problem((), str(error))]


def shape_problems(error: ValidationError) -> list[Problem]:
    """What pydantic found, and what our own checks of single parts did."""
    found: list[Problem] = []
    for one in error.errors():
        path = tuple(part for part in one["loc"] if part != "[key]")
        cause = one.get("ctx", {}).get("error")
        if isinstance(cause, ValueError):
            found += [Problem((*path, *problem.path), problem.rule) for problem in problems_of(cause)]
        else:
            found.append(Problem(path, _RULES.get(one["type"], one["msg"])))
    return list(dict.fromkeys(found))


def validated(
    make: Callable[[Any, Collection[Path]], Made], raw: Any, unreadable: Iterable[Path] = ()
) -> tuple[Made | None, list[Problem]]:
    """What `make` makes of plain data, and all that is wrong with it.

    What is wrong is left out and the rest made again, until the checks of the whole have been run. `make` gets the data and the
    paths of named parts that are there and wrong, such as `("solutions", "for-you")`: to name them is no mistake. It raises
    ValidationError for what is wrong in a part, Broken for what is wrong between parts.
    """
    rest, found = _Rest(raw), list[Problem]()
    for path in unreadable:
        rest.leave_out(path)
    while True:
        try:
            return make(rest.raw, rest.broken), found
        except Broken as error:
            return None, found + [problem for problem in error.problems if not rest.is_own_doing(problem.path)]
        except ValidationError as error:
            problems = shape_problems(error)
            found += [problem for problem in problems if not rest.is_own_doing(problem.path)]
            if not rest.leave_out_all(problems):
                return None, found


class _Rest:
    """A config without the parts that are wrong."""

    #: What stands in for schemas: other parts of the config can be checked then.
    SCHEMAS = {  # noqa: RUF012
        "interactions": ("Interactions", {"USER_ID": "string", "ITEM_ID": "string", "TIMESTAMP": "long"}),
        "items": ("Items", {"ITEM_ID": "string", "NONE": "int"}),
        "users": ("Users", {"USER_ID": "string", "NONE": "int"}),
    }

    def __init__(self, raw: Any) -> None:
        self.raw: Any = raw
        self.broken: set[Path] = set()
        self.cut: set[Path] = set()
        self._is_copy = False

    def is_own_doing(self, path: Path) -> bool:
        """Whether something is wrong at a path because we have left out what was there, or a part of it."""
        return any(cut[: len(path)] == path for cut in self.cut)

    def leave_out_all(self, problems: Sequence[Problem]) -> bool:
        """Whether there was anything to leave out."""
        left = [self.leave_out(problem.path, harmless=problem.rule == _NO_SETTING) for problem in problems]
        return any(left)

    def leave_out(self, path: Path, *, harmless: bool = False) -> bool:
        """Leave out what is at a path, or what it should be in; `harmless`: nothing else depends on it."""
        if not self._is_copy:
            self.raw, self._is_copy = copy.deepcopy(self.raw), True
        if path == ("name",):
            self.raw["name"] = "unnamed"
            return True
        if path[:1] == ("datasets",) and path[2:3] == ("schema",) and path[1] in self.SCHEMAS:
            return self._replace_schema(path[:3])
        target = self._existing(path)
        while target and isinstance(target[-1], int):
            target = target[:-1]  # the other parts of a list keep their positions
        if not target:
            return False
        parent = self.raw
        for part in target[:-1]:
            parent = parent[part]
        del parent[target[-1]]
        if not harmless:
            self.cut.add(target)
            if len(target) > 1 and target[0] in _NAMED:
                self.broken.add(target[:2])
        return True

    def _replace_schema(self, path: Path) -> bool:
        kind = str(path[1])
        name, columns = self.SCHEMAS[kind]
        fields = [{"name": column, "type": column_type} for column, column_type in columns.items()]
        self.raw["datasets"][kind]["schema"] = {"type": "record", "name": name, "fields": fields}
        self.broken.add(path[:2])
        return True

    def _existing(self, path: Path) -> Path:
        """As much of a path as there is."""
        at = self.raw
        for length, part in enumerate(path):
            there = part in at if isinstance(at, dict) else isinstance(at, list) and isinstance(part, int) and part < len(at)
            if not there:
                return path[:length]
            at = at[part]
        return path
