"""The Markdown pages of the repository, as tests read them."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Stands right above a block whose commands work in an AWS account: they are not run here.
IN_AN_ACCOUNT = "<!-- needs an AWS account -->\n"
BOX = re.compile(r"[─━┄┅┈┉┌┐└┘├┤┬┴┼┏┓┗┛┣┫┳┻╋┡┩╇╞╡╪╭╮╯╰\s]*")


@dataclass(frozen=True)
class Block:
    """A fenced block; `printed` is the text block that follows a block of commands: what they print."""

    language: str
    text: str
    in_an_account: bool
    printed: str | None = None


def pages() -> list[Path]:
    """Every page, from the repository's root."""
    found = {
        path.relative_to(ROOT)
        for pattern in ("*.md", "docs/*.md", "[!.]*/README.md", "packages/*/README.md")
        for path in ROOT.glob(pattern)
    }
    return sorted(found)


def blocks(page: str | Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    matches = list(FENCE.finditer(text))
    found = []
    for match, after in itertools.pairwise([*matches, None]):
        assert match is not None
        follows = after is not None and after[1] == "text" and not text[match.end() : after.start()].strip()
        printed = after[2] if after is not None and follows else None
        found.append(Block(match[1], match[2], text[: match.start()].endswith(IN_AN_ACCOUNT), printed))
    return found


def plain(text: str) -> list[str]:
    """Lines without what varies by terminal: colours, the frames of tables, widths of columns, empty lines."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("┃", "│")
    return [" ".join(line.split()) for line in text.splitlines() if not BOX.fullmatch(line)]


def is_as_expected(said: str, expected: str) -> bool:
    """Whether output is what a page shows: `…` stands for anything within a line, alone in a line for any lines."""
    lines = [r"(?:.*\n)*?" if line == "…" else line_pattern(line) for line in plain(expected)]
    return re.fullmatch("".join(lines), "".join(f"{line}\n" for line in plain(said))) is not None


def line_pattern(line: str) -> str:
    return ".*".join(map(re.escape, line.split("…"))) + r"\n"
