"""A newcomer's walk through the pages: every command as it stands there, in a fresh checkout, its output compared with the page's.

The checkout is a copy of this one with a home and environment variables of its own. Three things are spared: its `.venv` is a new one
that borrows the packages of the environment which runs the tests, instead of installing them again, and the functions' layer and
synthesized templates are borrowed too. Its `reco` takes free ports for `up`, so that the walk can go on beside other tests.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from reco.local import assemblies
from stacks.layer import layer_directory
from tests.pages import ROOT, Block, blocks, is_as_expected
from tools.install import extras_of, fingerprint

RECO = """#!{folder}/.venv/bin/python
import sys
from reco.cli import main
if sys.argv[1] == "up":
    sys.argv += ["--port", "0", "--api-port", "0", "--personalize-port", "0"]
main()
"""
#: What a working checkout holds beside what git does.
LEFT = (".*", "cdk.out", "node_modules", "__pycache__", "*.egg-info", "mine*", "shop-export", "my-csvs", "broken", "events.jsonl")


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "recostack"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT))
    (folder / ".cache").mkdir()
    (folder / ".cache" / layer_directory().name).symlink_to(layer_directory())
    assemblies.KEPT.mkdir(parents=True, exist_ok=True)
    (folder / ".cache" / assemblies.KEPT.name).symlink_to(assemblies.KEPT)
    venv.create(folder / ".venv", symlinks=True)
    own, borrowed = (sysconfig.get_paths(vars=names)["purelib"] for names in (bases(folder / ".venv"), None))
    Path(own, "checkout.pth").write_text(f"{folder}\nimport site; site.addsitedir({borrowed!r})\n")
    (folder / ".venv" / ".installed-demo").write_text(fingerprint(extras_of("demo")))
    reco = folder / ".venv" / "bin" / "reco"
    reco.write_text(RECO.format(folder=folder))
    reco.chmod(0o755)
    yield folder
    run(folder, "reco down")


def bases(environment: Path) -> dict[str, str]:
    return {name: str(environment) for name in ("base", "platbase", "installed_base", "installed_platbase")}


def run(folder: Path, script: str) -> str:
    """What a shell says to the commands; without a terminal, and with nothing of this process but its PATH."""
    path = f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=600,
    )
    return done.stdout


#: Pages whose calls with curl are made while the deployment of own-data.md answers.
CALLED = ("README.md", "README.ko.md", "docs/serving.md", "docs/integrate.md")


def test_own_data(checkout: Path) -> None:
    """From a shop's exports to its recommendations; and the calls that other pages show."""
    commands = [block for block in blocks("docs/own-data.md") if block.language == "sh" and not block.in_an_account]
    assert len(commands) >= 8
    assert commands[-1].text.strip() == "reco down"
    calls = [block for page in CALLED for block in blocks(page) if block.language == "bash"]
    assert {page for page in CALLED for block in blocks(page) if block.language == "bash"} == set(CALLED)
    script = "set -e\n" + "".join(f"echo '=== call {n}'\n{block.text}\necho\n" for n, block in enumerate(calls))
    (checkout / "calls.sh").write_text(script)
    commands[-1:] = [Block("sh", "bash calls.sh\n", False, "…"), commands[-1]]
    said = run(checkout, "set -e\n" + "".join(f"echo '=== block {n}'\n{block.text}" for n, block in enumerate(commands)))
    parts = [part.partition("\n")[2] for part in said.split("=== block ")[1:]]
    assert len(parts) == len(commands), said
    for block, part in zip(commands, parts, strict=True):
        assert "Traceback" not in part
        compare(block, part)
    check_answers(calls, parts[-2])


def check_answers(calls: list[Block], said: str) -> None:
    """Every call is answered by what it asks for."""
    answers = [part.partition("\n")[2] for part in said.split("=== call ")[1:]]
    assert len(answers) == len(calls)
    for block, answer in zip(calls, answers, strict=True):
        found = [json.loads(line) for line in answer.splitlines() if line.strip().startswith("{")]
        assert len(found) == block.text.count("curl "), f"{block.text}\nprinted\n{answer}"
        for one in found:
            assert one.get("items") or one.get("accepted") == 1, one


def compare(block: Block, said: str) -> None:
    if block.printed is None:
        assert said == "", block.text
    else:
        assert is_as_expected(said, block.printed), f"{block.text}\nprinted\n{said}\nand the page says\n{block.printed}"


def test_the_readme(checkout: Path) -> None:
    """`make demo`, and what both pages show of it; `make test` is this very run, so the walk only asks make whether it knows it."""
    demo, test = commands_of("README.md")
    assert commands_of("README.ko.md") == [demo, test]
    said = run(checkout, demo)
    for page in ("README.md", "README.ko.md"):
        shown = next(block.text for block in blocks(page) if block.language == "text")
        assert is_as_expected(masked(said), masked(shown)), f"{demo} printed\n{said}\nand {page} says\n{shown}"
        for measure, values in figures(shown).items():
            assert figures(said)[measure] == pytest.approx(values, rel=0.1), measure
        assert len(films(shown) & films(said)) >= 0.6 * len(films(shown)), said
    assert "`.venv/bin/reco demo --keep`" in " ".join(said[said.rindex("See the lists change") :].split()), said
    assert "make test" in test
    assert "-m pytest" in run(checkout, f"{test} --dry-run")


def commands_of(page: str) -> list[str]:
    """The commands of a page's blocks, without their comments."""
    shown = [block for block in blocks(page) if block.language == "sh" and not block.in_an_account]
    return [line.split("#")[0].strip() for block in shown for line in block.text.splitlines() if line.strip()]


def masked(text: str) -> str:
    """Without what another processor may compute a little differently: figures of models, and the films of a list."""
    without_films = re.sub(r"^│ +(\d+) │.*", r"│ \1 │", text, flags=re.MULTILINE)
    return re.sub(r"\b\d\.\d{4}\b", "0.0000", without_films)


def figures(text: str) -> dict[str, list[float]]:
    """The rows of the table of metrics."""
    rows = re.findall(r"^│ (\S+) +│((?: +\d\.\d{4} │)+)$", text, re.MULTILINE)
    return {measure: [float(value) for value in values.replace("│", " ").split()] for measure, values in rows}


def films(text: str) -> set[str]:
    """The titles in the lists, before and after the events."""
    rows = re.findall(r"^│ +\d+ │(.*)│$", text, re.MULTILINE)
    return {cell.strip(" +") for row in rows for cell in row.split("│")}
