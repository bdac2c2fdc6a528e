"""What runs in Lambda is what was tested here: the layer holds what the functions import, in the versions of this environment."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path

from stacks.bytecode import compile_modules
from stacks.layer import REQUIREMENTS, SERVICES

#: config/file.py runs at synth, not in Lambda.
FUNCTIONS = [path for path in Path("lambdas").rglob("*.py") if path != Path("lambdas/config/file.py")]


def pins() -> dict[str, str]:
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def imported(path: Path) -> set[str]:
    """Top-level names of the packages that a module imports when it runs."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    ours = ("lambdas", "personalize_rules")
    return {name for name in names if name not in {*sys.stdlib_module_names, *ours} and not name.startswith("types_boto3")}


def test_the_layer_holds_every_package_that_a_function_imports() -> None:
    # boto3 brings botocore of its own version and urllib3, pydantic its core, Lambda's Python the hooks.
    by_others = {"botocore", "pydantic-core", "snapshot-restore-py", "urllib3"}
    provided = {name.lower().replace("_", "-") for name in pins()} | by_others
    owners = packages_distributions()
    for path in FUNCTIONS:
        for name in imported(path):
            packages = {owner.lower().replace("_", "-") for owner in owners[name]}
            assert packages & provided, f"{path} imports {name}, which the layer does not hold"


def test_the_layer_has_the_versions_of_this_environment() -> None:
    for package, pinned in pins().items():
        assert version(package) == pinned


def test_the_layer_keeps_the_service_descriptions_that_functions_use() -> None:
    source = Path("lambdas/aws/clients.py").read_text()
    called = {line.split('"')[1] for line in source.splitlines() if "= _made(" in line}
    assert called
    assert called <= SERVICES


def test_byte_code_is_the_same_each_time_and_used_whatever_time_an_archive_gives_to_the_source(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        module = tmp_path / name / "package" / "module.py"
        module.parent.mkdir(parents=True)
        module.write_text("def where():\n    return where.__code__.co_filename\n")
        compile_modules(tmp_path / name, "/var/task", sys.executable)
        (compiled,) = module.parent.glob("__pycache__/*.pyc")
        made.append(compiled.read_bytes())
    assert made[0] == made[1]
    module.write_text("this is no Python any more")
    os.utime(module, (0, 0))
    asked = [sys.executable, "-c", "from package.module import where; print(where())"]
    said = subprocess.run(asked, cwd=tmp_path / "two", capture_output=True, text=True, check=True).stdout
    assert said.endswith("package/module.py\n")
