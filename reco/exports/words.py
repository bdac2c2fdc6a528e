"""The words by which columns, files and event types are known, in the languages of shops' exports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

_WORDS: Mapping[str, Mapping[str, str]] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
_SETS = {role: frozenset(words.split()) for role, words in _WORDS["columns"].items()}
_FILE_WORDS = {kind: tuple(words.split()) for kind, words in _WORDS["files"].items()}
#: What an event type means, by its words.
_MEANING_WORDS = {meaning: words.split() for meaning, words in _WORDS["meanings"].items()}
_TAKEN_BACK = ("remove", "cancel", "return", "refund", "delete", "storno", "취소", "반품", "환불", "삭제")
_ID = ("id", "ids", "no", "nr", "num", "number", "code", "key", "nummer", "번호", "아이디", "코드", "#")


def tokens(name: str) -> list[str]:
    """`customerID`, `Customer-Id`, `customer id` are customer, id."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word for word in re.split(r"[\W_]+", apart.casefold()) if word]


def fits(name: str, role: str) -> float:
    """How surely a column of this name has the role: 0 to 1."""
    words, found = tokens(name), _SETS[role]
    if not words:
        return 0
    joined = "_".join(words)
    without_id = [word for word in words if word not in _ID]
    bare = "_".join(without_id) or joined
    if joined in found or (bare in found and role in ("user", "item")):
        return 1
    for ending in _ID:  # customerid, 고객번호
        for word in words:
            if word.endswith(ending) and word.removesuffix(ending) in found and role in ("user", "item"):
                return 0.95
    if words[-1] in found and role not in ("user", "item"):
        return 0.8
    if any(word in found for word in words):
        return 0.6 if role not in ("user", "item") or any(word in _ID for word in words) else 0.5
    if any(known in joined for known in found if len(known) > 3 or not known.isascii()):
        return 0.4
    return 0


def looks_like_id(name: str) -> bool:
    words = tokens(name)
    return bool(words) and (words[-1] in _ID or words[-1].endswith(("id", "번호", "코드", "nummer", "nr")))


def file_kind(name: str) -> str | None:
    """The dataset that a file's name speaks of."""
    low = name.casefold()
    found = {kind: max((low.find(word) for word in words if word in low), default=-1) for kind, words in _FILE_WORDS.items()}
    best = max(found, key=lambda kind: found[kind])
    if found["interactions"] >= 0:  # product_views are events
        return "interactions"
    return best if found[best] >= 0 else None


def meaning(event_type: str) -> str | None:
    """Whether an event type is a view, a thing put into the cart, or a purchase."""
    joined = "_".join(tokens(event_type))
    if any(word in joined for word in _TAKEN_BACK):
        return None
    for kind in ("cart", "buy", "view"):
        if any(
            word == joined
            or word in joined.split("_")
            or (len(word) > 3 and word in joined)
            or (not word.isascii() and word in joined)
            for word in _MEANING_WORDS[kind]
        ):
            return kind
    return None


def is_own_key(name: str, file: str, role: str) -> bool:
    """Whether a column such as `event_id` numbers the rows of its own file, and is the id of nothing else."""
    return tokens(name) in (["id"], ["event", "id"], ["order", "id"], ["session", "id"], ["transaction", "id"]) and bool(
        file and role
    )
