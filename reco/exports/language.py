"""The words of `reco init`, in English and, with LANG=ko, in Korean."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

#: By the language, and by what is said.
SAID: Mapping[str, Mapping[str, Any]] = yaml.safe_load(Path(__file__).with_name("questions.yaml").read_text(encoding="utf-8"))


def is_korean() -> bool:
    """By the first of the variables that is set, as other programs choose."""
    chosen = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return chosen.startswith("ko")


def said(what: str, /, **parts: object) -> Any:
    """The words for it in the user's language."""
    found = SAID["ko" if is_korean() else "en"][what]
    return found.format(**parts) if isinstance(found, str) else found
