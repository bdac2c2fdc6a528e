"""The pages say what is there: links, commands, messages, and the reference of the config."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
import typer

from reco.cli import app
from reco.config_reference import anchor, reference
from tests.pages import ROOT, blocks, pages

LINK = re.compile(r"\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")
PAGES = [str(page) for page in pages()]


def prose(page: str | Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@cache
def anchors(page: Path) -> set[str]:
    titles = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in HEADING.findall(prose(page))]
    made: dict[str, int] = {}
    found = set()
    for fragment in map(anchor, titles):
        count = made.get(fragment, 0)
        found.add(f"{fragment}-{count}" if count else fragment)
        made[fragment] = count + 1
    return found


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for match in LINK.finditer(prose(page)):
        link = match[1] or match[2]
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page}: {link}"
        if fragment and target.suffix == ".md":
            assert fragment in anchors(target.resolve()), f"{page}: {link}"


@cache
def commands() -> click.Group:
    found = typer.main.get_command(app)
    assert hasattr(found, "commands")
    return found  # type: ignore[return-value]


def named(page: str) -> Iterator[str]:
    """Every line of a page that calls `reco`."""
    for block in blocks(page):
        if block.language == "sh":
            yield from re.findall(r"(?:^|[|;&] ?)(reco [^|;&#\n]+)", block.text, re.MULTILINE)
    for code in CODE.findall(prose(page)):
        yield from (part.strip() for part in re.split(r"&&| / ", code) if part.strip().startswith("reco "))


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist(page: str) -> None:
    """A command of a block is parsed with all its options; in a text, the name and the options must exist."""
    for line in named(page):
        words = shlex.split(re.sub(r"[\[\]…]|^reco --env \S+", "", line).removeprefix("reco"))
        if not words or words[0].startswith("-"):
            continue
        command = commands().commands.get(words[0])
        assert command is not None, f"{page}: {line}"
        options = {name for option in command.params for name in option.opts} | {"--help"}
        unknown = [word.split("=")[0] for word in words[1:] if re.match(r"--?[a-z]", word) and word.split("=")[0] not in options]
        assert not unknown, f"{page}: {line}: there is no {', '.join(unknown)}"


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    shown = [code for block in blocks(page) if block.language == "sh" for code in block.text.splitlines()]
    called = {
        word for code in [*shown, *CODE.findall(prose(page))] for word in re.findall(r"^make (?:[A-Z]+=\S+ )?([a-z-]+)", code)
    }
    assert called - targets == set()


def test_the_readmes_name_every_command() -> None:
    for page in ("README.md", "README.ko.md"):
        table = {words[1] for words in (line.split() for line in named(page)) if len(words) > 1}
        assert set(commands().commands) - table == set(), page


def test_the_korean_walk_has_the_commands_of_the_english_one() -> None:
    assert blocks("docs/own-data.ko.md") == blocks("docs/own-data.md")


def test_the_config_reference_is_that_of_the_models() -> None:
    page = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    assert page == reference(), "reco validate --write-reference docs/config.md"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    missing = [page.name for page in (ROOT / "docs").glob("*.md") if page.name != "README.md" and f"({page.name})" not in index]
    assert missing == []


def messages() -> list[str]:
    """Every string that the sources hold, f-strings in pieces."""
    found = []
    for folder in ("lambdas", "localaws", "packages/personalize-emulator/src", "reco", "stacks", "tools"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return found


def test_troubleshooting_quotes_real_messages() -> None:
    known = messages()
    rows = re.findall(r"^\| `([^`]+)` \|", prose("docs/troubleshooting.md"), re.MULTILINE)
    assert len(rows) > 40
    pieces = {piece.strip(" :,") for row in rows for piece in re.split("…", row) if len(piece.strip()) > 8}
    assert sorted(piece for piece in pieces if not any(piece in text for text in known)) == []
