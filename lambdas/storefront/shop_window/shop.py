"""What the pages have to know of a deployment: its placements, what its events mean, and how its items look."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from lambdas.config import Config, words
from lambdas.config.recipes import RECIPES
from lambdas.stores.user_tokens import sign
from personalize_rules.filters import parse_filter, required_placeholders
from personalize_rules.schemas import Field

_TOKEN_SECONDS = 3600
#: What a card or an item's page shows, beside the title; of two that a column fits as well, the first gets it.
_TEXTS, _NUMBERS = ("category", "brand", "description"), ("price", "year", "stock")
#: How well a name has to fit: `lambdas.config.words.fits`.
_FITS = 0.4


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
        "columns": columns(config),
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
    found: dict[str, str] = {}
    for name in with_items:
        if meaning := words.meaning(name):
            found.setdefault(meaning, name)
    others = [name for name in with_items if name not in found.values() and not words.takes_back(name)]
    return ({"view": others[0]} if others and "view" not in found else {}) | found


def columns(config: Config) -> dict[str, str]:
    """The column for each part of an item's look that there is one for; no column is taken twice.

    What the config and the schema say of the title comes first, then what names say in the languages of `words`, and then types:
    a plain text of which nothing is known is the title, a categorical one the category, a lone number with decimals the price.
    """
    fields = config.datasets.items.avro.metadata if config.datasets.items else ()
    said = config.title_column or next((field.name for field in fields if field.item_name), None)
    found = {"title": said} if said else {}
    able = [(part, field.name) for part in _TEXTS for field in fields if field.is_text]
    able += [(part, field.name) for part in _NUMBERS for field in fields if field.is_number]
    able += [("title", field.name) for field in fields if field.is_text and not words.looks_like_id(field.name)]
    fitting = [(words.fits(name, part), part, name) for part, name in able]
    for fit, part, name in sorted(fitting, key=lambda each: -each[0]):
        if fit >= _FITS and part not in found and name not in found.values():
            found[part] = name
    return _by_type(fields, found) | found


def _by_type(fields: Sequence[Field], found: Mapping[str, str]) -> dict[str, str]:
    """Title, category and price, out of the columns that have no part."""
    left = [field for field in fields if field.name not in found.values() and not words.looks_like_id(field.name)]
    decimals = [field.name for field in left if field.type in ("float", "double") and words.fits(field.name, "value") < _FITS]
    candidates = {
        "title": [field.name for field in left if field.is_text and not (field.categorical or field.textual)],
        "category": [field.name for field in left if field.categorical],
        "price": decimals if len(decimals) == 1 else [],
    }
    return {part: names[0] for part, names in candidates.items() if names}
