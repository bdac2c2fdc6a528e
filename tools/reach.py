"""Which tests reach a file: those that import it, or name it, or import what does, and so on; the nearest first.

    python -m tools.reach [FILE ...]     (without files: what changed since the last commit, or in it)

A program that is started by its name, a template that is opened by its name and a page that a test reads are reached like what is
imported. It reads all Python files of the project, in about a second.
"""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]


def reached(changed: Iterable[str]) -> list[str]:
    """Test files, the nearest first; `changed` are paths from the root."""
    importers = _importers()
    found, circle, seen = [], set(changed), set(changed)
    while circle:
        found += sorted(file for file in circle if PurePosixPath(file).name.startswith("test_"))
        circle = {importer for file in circle for importer in importers.get(file, ())} - seen
        seen |= circle
    return found


def changes(since: str | None = None) -> list[str]:
    """Files that differ from a commit: the last one, or what it changed if nothing differs from it."""
    new = _git("ls-files", "--others", "--exclude-standard")
    if since:
        return sorted({*_git("diff", "--name-only", since), *new})
    return sorted({*_git("diff", "--name-only", "HEAD"), *new}) or _git("diff", "--name-only", "HEAD~1")


def _git(*arguments: str) -> list[str]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


@functools.cache
def _importers() -> dict[str, set[str]]:
    """What uses each file directly."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in _files():
        for used in _uses(file):
            found[used].add(file)
    return found


@functools.cache
def _files() -> list[str]:
    """All files of the project."""
    known = {*_git("ls-files"), *_git("ls-files", "--others", "--exclude-standard")}
    return sorted(file for file in known if (ROOT / file).is_file())


@functools.cache
def _modules() -> dict[str, str]:
    """The file of each module, by its name."""
    found = {}
    for file in _files():
        if file.endswith(".py"):
            for root in _import_roots(file):
                parts = PurePosixPath(file).relative_to(root).with_suffix("").parts
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def _import_roots(file: str) -> Iterator[str]:
    """Where Python looks: the root, and the folders above that hold modules and are no packages."""
    yield "."
    for folder in PurePosixPath(file).parents[:-1]:
        if not (ROOT / folder / "__init__.py").exists():
            yield str(folder)
            return


@functools.cache
def _names() -> dict[str, list[str]]:
    """The files that are no modules of a package, by what they are called when they are opened or started."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in _files():
        path = PurePosixPath(file)
        if path.suffix != ".py" or not (ROOT / path.parent / "__init__.py").exists():
            found[path.name].append(file)
    return found


@functools.cache
def _folders() -> dict[str, list[str]]:
    """The files of a folder without modules, by its name: `Path("docs").glob(...)`."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in _files():
        path = PurePosixPath(file)
        if path.suffix != ".py" and not any((ROOT / path.parent).glob("*.py")):
            found[path.parent.name].append(file)
    return found


def _uses(file: str) -> Iterator[str]:
    """The files that a Python file imports, starts or opens."""
    if not file.endswith(".py"):
        return
    if PurePosixPath(file).name.startswith("test_"):
        for folder in PurePosixPath(file).parents:
            yield str(folder / "conftest.py")
    for node in _walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Import):
            yield from (_modules()[alias.name] for alias in node.names if alias.name in _modules())
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            yield from (_modules()[name] for name in names if name in _modules())
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200:
            yield from _named(node.value)
        elif opened := _opened(node):
            yield from _folders().get(PurePosixPath(opened).name, ())


def _opened(node: ast.AST) -> str:
    """The folder that `Path("docs")` or `root / "docs"` names."""
    last = node.right if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Path" and node.args:
        last = node.args[0]
    return last.value if isinstance(last, ast.Constant) and isinstance(last.value, str) else ""


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but docstrings, which open nothing."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            yield node
            yield from _walk(node)


def _named(text: str) -> Iterator[str]:
    """What a string names: a program that is started with `-m`, or a file."""
    for name in (text, f"{text}.__main__"):
        if "." in name and name in _modules():
            yield _modules()[name]
    for part in text.replace("/", " ").split():
        yield from _names().get(part, ())


def main() -> None:
    sys.stdout.write("".join(f"{test}\n" for test in reached(sys.argv[1:] or changes())))


if __name__ == "__main__":
    main()
