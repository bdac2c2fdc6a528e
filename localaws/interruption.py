"""Ctrl-C and SIGTERM as KeyboardInterrupt.

Python swallows an exception that is raised in a callback of its own, such as imports have: so what was asked for is kept, too.
"""

from __future__ import annotations

from typing import NoReturn

_asked = False


def interrupt(number: int, frame: object) -> NoReturn:
    """The handler of the signals."""
    global _asked
    _asked = True
    raise KeyboardInterrupt


def check() -> None:
    """Raises KeyboardInterrupt if a signal has come."""
    if _asked:
        raise KeyboardInterrupt
