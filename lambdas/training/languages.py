"""The language in which pages speak to people: English, or what a table has for the English words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lambdas.config.data import Language

#: Puts words into the reader's language.
Say = Callable[[str], str]


def speaking(language: Language, korean: Mapping[str, str]) -> Say:
    """Words that the table lacks stay English."""
    return lambda words: korean.get(words, words) if language == "ko" else words
