"""The list of what is guessed about Amazon Personalize, from the comments that mark it.

    python -m tools.guesses docs/guesses.md

A mark is a comment that begins with `Guess:`, beside the line that follows it. A test keeps the list up to date.
"""

from __future__ import annotations

import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "packages" / "personalize-emulator" / "src"
MARK = "Guess: "
HEAD = """# What is guessed

Neither the documentation of Amazon Personalize nor an answer that was recorded says what the service does here. Each line is a
comment in the code, beside the one place where the rule is written; `python -m tools.guesses docs/guesses.md` makes the list.
A recording of the service that says otherwise is a bug report.
"""
#: The packages, and what they are to somebody who reads of their guesses.
_PACKAGES = {
    "personalize_rules": "The rules, which the functions, the Spark jobs, `reco` and the emulator share",
    "personalize_emulator": "The emulator",
}


def marks(file: Path) -> Iterator[str]:
    """The guesses of a file, in its order."""
    with file.open("rb") as source:
        comments = [token for token in tokenize.tokenize(source.readline) if token.type == tokenize.COMMENT]
    for place, comment in enumerate(comments):
        text = _text(comment)
        if not text.startswith(MARK):
            continue
        line = comment.start[0]
        for below in comments[place + 1 :]:
            line += 1
            if below.start != (line, comment.start[1]) or _text(below).startswith(MARK):
                break
            text += f" {_text(below)}"
        text = text.removeprefix(MARK)
        yield text[0].upper() + text[1:]


def _text(comment: tokenize.TokenInfo) -> str:
    return comment.string.removeprefix("#").strip()


def document(sources: Path = SOURCES) -> str:
    """The page."""
    parts = [HEAD]
    for package, title in _PACKAGES.items():
        rows = [
            (file.relative_to(sources / package).as_posix(), guess)
            for file in sorted((sources / package).rglob("*.py"))
            for guess in marks(file)
        ]
        lines = [f"| {guess.replace('|', chr(92) + '|')} | `{file}` |" for file, guess in rows]
        parts.append("\n".join([f"## {title}", "", f"| guess | in `{package}/` |", "|---|---|", *lines, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
