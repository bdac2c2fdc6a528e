"""Writes the description of a deployment for a shop's data: config.yaml and its schemas, from what the CSVs hold."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from lambdas.config import words
from lambdas.config.schemas import RECORD_NAME, DatasetKind
from lambdas.config.section import MAX_NAME
from personalize_rules.limits import MIN_INTERACTIONS, MIN_USERS
from personalize_rules.schemas import RULES
from reco.exports.columns import Role, Taken
from reco.exports.convert import Made, Seen

#: Values in a share of rows that still make a category.
_CATEGORIES, _SHARE = 50, 0.2
_TYPES = {"number": "float", "whole": "long", "time": "long", "age_from_year": "int", "age_from_date": "int"}
_SAFE_INT = 7


def name_of(text: str) -> str:
    """A name for the deployment, from a folder's."""
    found = re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")[:MAX_NAME].strip("-")
    return found if re.match(r"[a-z]", found) else "my-shop"


def _roles_of(taken: Sequence[Taken]) -> dict[Role, str]:
    """The first column of each role."""
    found: dict[Role, str] = {}
    for each in taken:
        found.setdefault(each.role, each.name)
    return found


def schema(kind: DatasetKind, taken: Sequence[Taken], made: Made) -> dict[str, Any]:
    """The Avro schema of a CSV. Columns of the shop's own may be empty: tomorrow one may be, and a schema can't be changed."""
    named: dict[str, Taken] = {}
    for each in taken:
        named.setdefault(each.name, each)
    fields = [_field(kind, each, made.columns[each.name], made.rows) for each in named.values()]
    return {
        "type": "record",
        "name": RECORD_NAME[kind],
        "namespace": "com.amazonaws.personalize.schema",
        "fields": _one_textual(fields, made),
        "version": "1.0",
    }


def _field(kind: DatasetKind, taken: Taken, seen: Seen, rows: int) -> dict[str, Any]:
    rules = RULES["INTERACTIONS" if kind == "interactions" else "ITEMS" if kind == "items" else "USERS"]
    if taken.name in rules.types:
        declared = rules.types[taken.name][0]
        nullable = taken.name not in rules.required and taken.name != "EVENT_TYPE" and seen.filled < rows
        return {"name": taken.name, "type": ["null", declared] if nullable else declared}
    own = _TYPES.get(taken.column.as_, "string")
    if own == "long" and taken.column.as_ == "whole" and seen.longest <= _SAFE_INT:
        own = "int"
    found: dict[str, Any] = {"name": taken.name, "type": ["null", own]}
    if own == "string" and taken.role != "title":
        if taken.role == "description":
            found["textual"] = True
        elif _is_category(taken, seen):
            found["categorical"] = True
    return found


def _is_category(taken: Taken, seen: Seen) -> bool:
    if taken.role in ("category", "brand", "yes_no", "context") or taken.column.as_ == "list":
        return True
    return not seen.many and len(seen.distinct) <= max(_CATEGORIES, _SHARE * seen.filled)


def _one_textual(fields: list[dict[str, Any]], made: Made) -> list[dict[str, Any]]:
    """Personalize learns from one textual column; the longest stays one."""
    textual = [field for field in fields if field.get("textual")]
    longest = max(textual, key=lambda field: made.columns[field["name"]].longest, default=None)
    return [{key: value for key, value in f.items() if key != "textual" or f is longest} for f in fields]


def event_types(made: Made) -> dict[str, int]:
    """The events of each type, the most frequent first."""
    return dict(made.columns["EVENT_TYPE"].distinct.most_common())


def config(
    name: str, schemas: Mapping[DatasetKind, dict[str, Any]], taken: Mapping[DatasetKind, Sequence[Taken]], made: Made
) -> str:
    """config.yaml."""
    types, items = event_types(made), _roles_of(taken.get("items", []))
    purchases = [kind for kind in types if words.meaning(kind) == "buy"]
    views = [kind for kind in types if words.meaning(kind) == "view"]
    filters = _filters(items, schemas.get("items"), purchases)
    rules = _rules(items, schemas.get("items"), purchases)
    home = "in_stock" if "in_stock" in filters else "not_bought" if "not_bought" in filters else None
    parts = [
        f"# The shop's recommendations, written by `reco init`; docs/config.md has every key.\nname: {name}\n",
        _dumped({"datasets": {kind: {"schema": f"schemas/{kind}.json"} for kind in schemas}}),
        _dumped({"event_types": {**{kind: {} for kind in types}, **_archive_only(made, types)}}),
        _dumped({"filters": filters}, flow=False) if filters else "",
        "# Business rules act on the list that Personalize gave; it is filled up again.\n" + _dumped({"rules": rules})
        if rules
        else "",
        "# A campaign is billed for each hour that it exists. best-sellers needs none.\n"
        + _dumped({"solutions": _solutions(types, purchases, views, made)}),
        _dumped({"placements": _placements(home, list(rules), filters)}),
        "# A list for every user, made ahead: for mails.\n" + _dumped({"batch": {"for-you": _batch(home)}}),
        _dumped({"display": {"title": items["title"]}}) if "title" in items else "",
        "# UTC. Take the # away when the deployment in your account shall train by itself.\n"
        "# schedules: {train: 'cron(0 3 ? * SUN *)', batch: 'cron(0 4 * * ? *)'}\n",
    ]
    return "\n".join(part for part in parts if part)


def _dumped(section: Mapping[str, Any], flow: bool | None = None) -> str:
    return yaml.safe_dump(dict(section), sort_keys=False, allow_unicode=True, default_flow_style=flow, width=120)


def _archive_only(made: Made, types: Mapping[str, int]) -> dict[str, Any]:
    """Events that never have an item are kept in the archive."""
    return {kind: {"archive_only": True} for kind in made.without_item if kind and kind not in types}


def _quoted(words_: Sequence[str]) -> str:
    return ", ".join(json.dumps(word, ensure_ascii=False) for word in words_)


def _field_of(document: dict[str, Any] | None, name: str | None) -> dict[str, Any] | None:
    return next((field for field in (document or {}).get("fields", []) if field["name"] == name), None)


def _filters(items: Mapping[Role, str], document: dict[str, Any] | None, purchases: Sequence[str]) -> dict[str, str]:
    found = {}
    sold = [word for word in purchases if re.fullmatch(r"[\w -]+", word)]
    if sold:
        found["not_bought"] = f"EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ({_quoted(sold)})"
    stock = _field_of(document, items.get("stock"))
    if stock is not None:
        test = 'IN ("yes")' if "string" in stock["type"] else "> 0"
        found["in_stock"] = f"INCLUDE ItemID WHERE Items.{stock['name']} {test}"
    category = _field_of(document, items.get("category"))
    if category is not None and category.get("categorical"):
        found["in_category"] = f"INCLUDE ItemID WHERE Items.{category['name']} IN ($CATEGORY)"
    return found


def _rules(items: Mapping[Role, str], document: dict[str, Any] | None, purchases: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    stock = _field_of(document, items.get("stock"))
    if stock is not None:
        found["sold_out"] = {
            "drop": {"attribute": stock["name"], **({"equals": "no"} if "string" in stock["type"] else {"at_most": 0})}
        }
    if purchases:
        found["just_bought"] = {"drop_recent": {"event_types": list(purchases), "within_days": 30}}
    if "brand" in items:
        found["few_of_a_brand"] = {"cap": {"by": items["brand"], "at_most": 5}}
    return found


def _solutions(types: Mapping[str, int], purchases: Sequence[str], views: Sequence[str], made: Made) -> dict[str, Any]:
    """Each event type weighs by what it means; a solution of one type alone only where there are enough of it."""
    weigh = {"buy": 1.0, "cart": 0.5, "view": 0.2}
    for_you: dict[str, Any] = {"recipe": "aws-user-personalization-v2"}
    if len(types) > 1 and any(words.meaning(kind) for kind in types) and len(types) <= 10:
        for_you["event_weights"] = [{"event_type": kind, "weight": weigh.get(words.meaning(kind) or "", 0.2)} for kind in types]
    for_you["campaign"] = {}
    return {
        "for-you": for_you,
        "related": {"recipe": "aws-similar-items", "campaign": {}},
        "best-sellers": {"recipe": "aws-popularity-count", **_trained_on(types, purchases, made)},
    }


def _trained_on(types: Mapping[str, int], purchases: Sequence[str], made: Made) -> dict[str, str]:
    """The purchases, where there are clearly enough of them."""
    best = max(purchases, key=lambda kind: types[kind], default=None)
    if best is None or len(types) < 2 or types[best] < max(2 * MIN_INTERACTIONS, 20 * MIN_USERS):
        return {}
    users = made.columns["USER_ID"]
    return {"event_type": best} if users.many or types[best] > 3 * len(users.distinct) else {}


def _placements(home: str | None, rules: Sequence[str], filters: Mapping[str, str]) -> dict[str, Any]:
    filtered = {"filter": home} if home else {}
    ruled = {"rules": list(rules)} if rules else {}
    found: dict[str, Any] = {
        "home": {"solution": "for-you", **filtered, **ruled, "fallback": ["best-sellers"], "num_results": 20},
        "item-page": {"solution": "related", **filtered, "fallback": ["best-sellers"], "num_results": 12},
        "best-sellers": {"solution": "best-sellers", **filtered},
    }
    if "in_category" in filters:
        found["category"] = {"solution": "for-you", "filter": "in_category"}
    return found


def _batch(home: str | None) -> dict[str, Any]:
    return {"solution": "for-you", **({"filter": home} if home else {}), "fallback": ["best-sellers"], "num_results": 50}
