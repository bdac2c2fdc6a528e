"""`personalize_rules` travels in the code of functions and Spark jobs: the standard library is all that it stands on."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import personalize_rules

FILES = list(Path(personalize_rules.__file__).parent.rglob("*.py"))


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module if node.module and not node.level else "personalize_rules"


def test_the_standard_library_is_all_that_is_imported() -> None:
    found = {name.partition(".")[0] for file in FILES for name in imported(file)}
    assert len(FILES) >= 15
    assert found <= sys.stdlib_module_names | {"personalize_rules"}
