"""Checks that the rooms of the project stay apart; `make lint` calls it.

    python -m tools.rooms

No packages and no modules of one package import each other in a circle; each imports only what MAY_IMPORT lets it; none has a
name that says nothing of what it holds; a name that only its own file uses begins with an underscore; and none is used by nobody.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
#: Where Python finds our modules.
_IMPORT_ROOTS = (".", "packages/personalize-emulator/src", "glue")
_FOLDERS = ("bench", "lambdas", "localaws", "reco", "stacks", "tests", "tools")
_VAGUE = {"common", "helper", "helpers", "manager", "managers", "misc", "shared", "util", "utils"}

_CAPABILITY = ("lambdas.config", "lambdas.aws", "lambdas.stores", "personalize_rules")
_GLUE = ("archive", "batch_input", "erasure", "interactions", "retention")
_RECO = (
    "reco",
    "lambdas.config",
    "lambdas.stores",
    "personalize_rules",
    "lambdas.aws.backoff",
    "lambdas.aws.ensure",  # how an ARN is shown
    "lambdas.aws.tables",  # plain values out of rows
    "lambdas.ingestion.put_events.batch",  # an event is checked before it is sent as it is when it arrives
    "lambdas.serving.recommend.override",  # and a rules override before it is put
    "lambdas.training.data_checks",  # and a CSV before it is loaded
    "lambdas.training.findings",
    "lambdas.training.metric_labels",
    "personalize_emulator.metrics",  # the formulas of the service's metrics
)
#: What each room may import of ours, beside itself; the longest name that fits a module counts. Tests may import all.
_MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "personalize_rules": (),
    "personalize_emulator": ("personalize_rules",),
    "lambdas.config": ("personalize_rules",),
    "lambdas.aws": (),
    "lambdas.stores": ("lambdas.aws", "lambdas.config.environment", "personalize_rules"),
    "lambdas.training": _CAPABILITY,
    "lambdas.ingestion": _CAPABILITY,
    "lambdas.serving": _CAPABILITY,
    "lambdas.batch": _CAPABILITY,
    "lambdas.storefront": _CAPABILITY,
    **dict.fromkeys(_GLUE, ("personalize_rules", *_GLUE)),
    "stacks": ("lambdas.config", "lambdas.stores", "personalize_rules"),
    "app": ("stacks", "lambdas.config"),
    "localaws": ("personalize_emulator",),
    "reco": _RECO,
    "reco.local": (*_RECO, "localaws"),
    "tools": ("lambdas", "reco", "stacks", "personalize_rules", "personalize_emulator"),
    "bench": (
        "lambdas",
        "localaws",
        "personalize_emulator",
        "personalize_rules",
        "reco",
        "stacks",
        "tests.harness",
        "tools.browser",
        *_GLUE,
    ),
    "tests.harness": ("lambdas", "localaws", "personalize_emulator", "personalize_rules", "reco", "stacks"),
}


#: Rooms whose public names are for others. What tests have, they show to nobody.
_WITH_DOORS = ("bench", "lambdas", "localaws", "personalize_emulator", "personalize_rules", "reco", "stacks", "tools", *_GLUE)
#: Names that are used from outside of our files: by entry points, `python -m`, pytest, `import *`.
_ENTRY = re.compile("app|handler|main|test_.*|pytestmark|pytest_.*|__.*__")


class Import(NamedTuple):
    """One module imports another, in this line."""

    importer: str
    imported: str
    place: str


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Our modules by the name that imports them."""
    found = {}
    for import_root in (root / folder for folder in _IMPORT_ROOTS):
        files = [*import_root.glob("*.py"), *import_root.glob("personalize_*/**/*.py")]
        if import_root == root / ".":
            files += [file for folder in _FOLDERS for file in (root / folder).rglob("*.py")]
        for file in files:
            parts = file.relative_to(import_root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(found: dict[str, Path], root: Path = ROOT) -> list[Import]:
    """Every import of one of these modules by another, at whatever place in a module it stands."""
    return [
        Import(importer, imported, f"{file.relative_to(root)}:{line}")
        for importer, file in sorted(found.items())
        for imported, line in _imported(file, found)
        if imported in found and imported != importer
    ]


def _imported(file: Path, found: dict[str, Path]) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                yield module if module in found else node.module, node.lineno


def circles(made: list[Import]) -> list[str]:
    """A circle for each package whose parts import each other in one, with a line of code for each step."""
    packages: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for importer, imported, place in made:
        if _within(importer, "tests") and not _within(importer, "tests.harness"):
            continue  # they import all
        package, part, other = _apart(importer, imported)
        packages[package][part].setdefault(other, place)
    said = []
    for package, parts in sorted(packages.items()):
        try:
            TopologicalSorter(parts).prepare()
        except CycleError as error:
            circle = error.args[1][::-1]
            steps = [f"{a} imports {b} ({parts[a][b]})" for a, b in pairwise(circle)]
            said.append(f"{package or 'The packages'}: {', '.join(steps)}. Move what both need below them.")
    return said


def _apart(importer: str, imported: str) -> tuple[str, str, str]:
    """The innermost package that holds both, and which of its parts each is in."""
    ours, theirs = importer.split("."), imported.split(".")
    depth = 0
    while depth < min(len(ours), len(theirs)) and ours[depth] == theirs[depth]:
        depth += 1
    return ".".join(ours[:depth]), [*ours, "__init__"][depth], [*theirs, "__init__"][depth]


def trespasses(made: list[Import]) -> list[str]:
    """Imports that MAY_IMPORT does not have."""
    said = []
    for importer, imported, place in made:
        room = _room(importer)
        if room and not any(_within(imported, allowed) for allowed in (room, *_MAY_IMPORT[room])):
            may = ", ".join(_MAY_IMPORT[room]) or "nothing of ours"
            said.append(f"{place}: {room} may import {may}, and not {imported}.")
    return said


def _room(module: str) -> str | None:
    return max((room for room in _MAY_IMPORT if _within(module, room)), key=len, default=None)


def _within(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def vague_names(found: dict[str, Path], root: Path = ROOT) -> list[str]:
    """Modules and packages whose name says nothing."""
    return [
        f"{file.relative_to(root)}: {part!r} says nothing of what is in it: name it for that, or put it where it is needed."
        for name, file in sorted(found.items())
        for part in name.split(".")[-1:]
        if part in _VAGUE
    ]


def unused_doors(found: dict[str, Path], root: Path = ROOT) -> list[str]:
    """Names of modules that no other file mentions, but for those that a decorator registers (a command, a fixture).

    A public one is to be private, but for those of tests, and one that its own file does not use either is to go.
    """
    trees = {module: ast.parse(file.read_text(encoding="utf-8")) for module, file in found.items()}
    mentions = Counter(name for tree in trees.values() for name in _mentioned(tree))
    said = []
    for module, tree in sorted(trees.items()):
        own, read = _mentioned(tree), _read(tree)
        has_doors = any(_within(module, room) for room in _WITH_DOORS)
        for name, line in _of_module(tree):
            place = f"{found[module].relative_to(root)}:{line}"
            if mentions[name] > (name in own):
                continue
            if name not in read:
                said.append(f"{place}: nobody uses {name!r}: delete it.")
            elif has_doors and not name.startswith("_"):
                said.append(f"{place}: only this file uses {name!r}: name it _{name}.")
    return said


def _mentioned(tree: ast.Module) -> set[str]:
    """The names that a file takes from others: imported, read of a module, or given as text, as to `monkeypatch.setattr`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.update(part for part in re.split(r"[.:]", node.value[:200]) if part.isidentifier())
    return found


def _read(tree: ast.Module) -> set[str]:
    """The names that a file itself makes use of, those of its types written as text among them."""
    loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return loaded | _mentioned(tree)


def _of_module(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Names at the level of a module, each with its line."""
    for node in tree.body:
        names: list[str] = []
        if (isinstance(node, ast.ClassDef) and not node.bases) or (
            isinstance(node, ast.FunctionDef) and not node.decorator_list
        ):  # the name of a model is in its schema, that of an exception in logs
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        yield from ((name, node.lineno) for name in names if not _ENTRY.fullmatch(name))


def main() -> None:
    found = modules()
    made = imports(found)
    said = [*circles(made), *trespasses(made), *vague_names(found), *unused_doors(found)]
    sys.stderr.write("".join(f"{line}\n" for line in said))
    sys.exit(1 if said else 0)


if __name__ == "__main__":
    main()
