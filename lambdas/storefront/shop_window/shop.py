"""What the pages have to know of a deployment: its placements, what its events mean, and how its items look."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from lambdas.config import Config
from lambdas.config.recipes import RECIPES
from lambdas.stores.user_tokens import sign
from personalize_rules.filters import parse_filter, required_placeholders

_TOKEN_SECONDS = 3600
#: Words in the names of columns and event types by which their part is known; the first that one of them holds is taken.
_COLUMNS = {
    "title": ("TITLE", "NAME"),
    "category": ("GENRE", "CATEGORY", "CATEGOR", "DEPARTMENT", "TOPIC", "TYPE"),
    "brand": ("BRAND", "MAKER", "ARTIST", "AUTHOR"),
    "price": ("PRICE", "COST"),
    "year": ("YEAR",),
    "stock": ("STOCK", "INVENTORY"),
    "description": ("DESCRIPTION", "SUMMARY", "TEXT"),
}
_EVENTS = {
    "view": ("view", "click", "detail", "open"),
    "cart": ("cart", "basket", "wish"),
    "buy": ("buy", "purchase", "order", "checkout"),
}


def shop(config: Config, key: str, secret: str) -> dict[str, Any]:
    """The document `shop.json`, with a token for each persona."""
    expiry = int(time.time()) + _TOKEN_SECONDS
    personas = config.storefront.personas if config.storefront else {}
    return {
        "name": config.name,
        "key": key,
        "personas": [
            {"id": user_id, "label": label, "token": sign(config.name, user_id, expiry, secret)}
            for user_id, label in personas.items()
        ],
        "placements": [placement(config, name) for name in config.api.browser_placements],
        "columns": _parts(config.item_columns, _COLUMNS),
        "events": events(config),
    }


def placement(config: Config, name: str) -> dict[str, Any]:
    """What a page shows of a placement, and what it must ask it with."""
    of = config.placements[name]
    recipe = config.solutions[of.solution].recipe
    return {
        "name": name,
        "solution": of.solution,
        "recipe": recipe,
        "kind": RECIPES[recipe].type,
        "filter": of.filter,
        "rules": of.rules,
        "fallbacks": config.fallbacks(of),
        "parameters": sorted(required_placeholders(parse_filter(config.filters[of.filter]))) if of.filter else [],
        "num_results": of.num_results,
    }


def events(config: Config) -> dict[str, str]:
    """The event types that a click, the cart and the purchase send. A shop with one type of event sends it for a click."""
    with_items = [name for name, kind in config.event_types.items() if not kind.archive_only]
    found = _parts(with_items, _EVENTS)
    others = [name for name in with_items if name not in found.values()]
    return ({"view": others[0]} if others and "view" not in found else {}) | found


def _parts(names: Iterable[str], words: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """The name for each part that there is one for; no name is taken twice."""
    left, found = list(names), {}
    for part, known in words.items():
        for word in known:
            match = next((name for name in left if word.lower() in name.lower()), None)
            if match is not None:
                found[part] = match
                left.remove(match)
                break
    return found
