"""The list of guesses is made from the comments that mark them."""

from __future__ import annotations

from pathlib import Path

from tools.guesses import document, marks


def test_the_page_is_up_to_date() -> None:
    assert Path("docs/guesses.md").read_text(encoding="utf-8") == document(), "python -m tools.guesses docs/guesses.md"


def test_a_mark_is_found_wherever_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "rules.py"
    file.write_text(
        """text = "# Guess: no comment"
# Guess: the first,
# in two lines.
# Guess: the second.
if text:  # Guess: the third.
    # docs: a page
    pass  # another
"""
    )
    assert list(marks(file)) == ["The first, in two lines.", "The second.", "The third."]
