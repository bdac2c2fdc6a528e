"""Batch inference and batch segment jobs: one input line in, one output line out.

docs: personalize/latest/dg/batch-data-upload.html, batch-inference-job-output-examples.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.errors import InvalidInput
from personalize_emulator.recipes.affinity import AffinityModel
from personalize_emulator.recipes.model import best
from personalize_emulator.runtime.realtime import rank, recommend
from personalize_emulator.runtime.serving import Serving, model_of
from personalize_emulator.runtime.themes import Themes

if TYPE_CHECKING:
    from personalize_emulator.filters import CompiledFilter

_CONDITION = re.compile(r'\s*ITEMS\.(\w+)\s*=\s*("(?:[^"]*)"|-?\d+(?:\.\d+)?)\s*', re.IGNORECASE)


def infer_line(
    serving: Serving,
    line: str,
    *,
    num_results: int = 25,
    compiled_filter: CompiledFilter | None = None,
    themes: Themes | None = None,
    now: float,
) -> dict[str, Any]:
    """The output record of one line of a batch inference job; a bad line gives a record with `error` set."""
    try:
        request = _parse(line)
    except InvalidInput as error:
        return _failed(line, str(error.message), "recommendedItems")
    try:
        if serving.recipe.type == "PERSONALIZED_RANKING":
            entries = _ranked(serving, request, compiled_filter, now)
        else:
            asked = {**request, "numResults": num_results}
            entries = recommend(serving, asked, compiled_filter=compiled_filter, now=now)["itemList"]
    except InvalidInput as error:
        return _failed(request, str(error.message), "recommendedItems")
    return {"input": request, "output": _output(serving, entries, themes), "error": None}


def segment_line(
    serving: Serving,
    line: str,
    *,
    num_results: int = 25,
    compiled_filter: CompiledFilter | None = None,
    now: float,
) -> dict[str, Any]:
    """The output record of one line of a batch segment job. `compiled_filter` is built over model.ranked_ids.

    The key of the output is the one observed, `usersList`; the documentation prints `recommendedUsers`.
    """
    model = model_of(serving, "A batch segment job", AffinityModel)
    try:
        request = _parse(line)
    except InvalidInput as error:
        return _failed(line, str(error.message), "usersList")
    try:
        items = _items_of(serving, model, request)
        scores = model.interest(items)
        if compiled_filter is not None:
            mask = compiled_filter.mask(request.get("filterValues", {}), None, request.get("itemId"))
            scores = np.where(mask, scores, -np.inf)
    except InvalidInput as error:
        return _failed(request, str(error.message), "usersList")
    users = [model.ranked_ids[place] for place in best(scores, num_results)]
    return {"input": request, "output": {"usersList": users}, "error": None}


def _parse(line: str) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except ValueError as error:
        raise InvalidInput(f"The line is not valid JSON: {error}") from None
    if not isinstance(request, dict):
        raise InvalidInput("The line is not a JSON object")
    for name in ("userId", "itemId", "itemAttributes"):
        if not isinstance(request.get(name, ""), str):
            raise InvalidInput(f"{name} must be a string")
    if not isinstance(request.get("filterValues", {}), dict) or not isinstance(request.get("context", {}), dict):
        raise InvalidInput("filterValues and context must be objects")
    return request


def _ranked(
    serving: Serving, request: dict[str, Any], compiled_filter: CompiledFilter | None, now: float
) -> list[dict[str, Any]]:
    given = request.get("itemList")
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        raise InvalidInput("Required fields for the provided recipe are userId, itemList")
    asked = {**request, "inputList": given}
    return list(rank(serving, asked, compiled_filter=compiled_filter, now=now)["personalizedRanking"])


def _output(serving: Serving, entries: list[dict[str, Any]], themes: Themes | None) -> dict[str, Any]:
    """What stands under `output`."""
    output: dict[str, Any] = {"recommendedItems": [entry["itemId"] for entry in entries]}
    if serving.recipe.scores:
        output["scores"] = [entry.get("score") for entry in entries]
    if serving.recipe.reasons:
        # Guess: the reasons of a v2 recipe's items stand under `reasons`.
        output["reasons"] = [entry.get("reason", []) for entry in entries]
    if themes:
        output["theme"], output["itemsThemeRelevanceScores"] = themes.of(output["recommendedItems"])
    return output


def _failed(given: Any, message: str, key: str) -> dict[str, Any]:
    return {"input": given, "output": {key: []}, "error": f"User error: {message}"}


def _items_of(serving: Serving, model: AffinityModel, request: Mapping[str, Any]) -> NDArray[np.int64]:
    """The items that a segment is about."""
    if serving.recipe.family == "affinity":
        item = request.get("itemId")
        if not item:
            raise InvalidInput("Required fields for the provided recipe are itemId")
        if item not in model.index:
            raise InvalidInput(f"Item {item} was not in the training data")
        return np.array([model.index[item]])
    if not request.get("itemAttributes"):
        raise InvalidInput("Required fields for the provided recipe are itemAttributes")
    matching = _matching(serving, request["itemAttributes"])
    return np.array([model.index[i] for i in matching if i in model.index], np.int64)


def _matching(serving: Serving, expression: str) -> list[str]:
    """Ids of the items with all the attributes: `ITEMS.name = value`, joined by AND."""
    items = serving.store.entities("ITEMS")
    keep = np.ones(len(items.ids) if items is not None else 0, bool)
    names = {name.upper(): name for name in items.columns} if items is not None else {}
    for part in re.split(r"\s+AND\s+", expression.strip(), flags=re.IGNORECASE):
        found = _CONDITION.fullmatch(part)
        if not found:
            raise InvalidInput(f'itemAttributes: expected ITEMS.<column> = <value>, found "{part}"')
        name, value = names.get(found[1].upper()), found[2].strip('"')
        if items is None or name is None:
            raise InvalidInput(f"itemAttributes: the Items dataset has no column {found[1]}")
        column = items.columns[name]
        if column.kind == "number":
            keep &= column.values == _number(value)
        elif column.kind == "categorical":
            cells = np.array([value in cell.split("|") for cell in column.vocabulary] + [False])
            keep &= cells[column.codes]
        else:
            raise InvalidInput(f"itemAttributes: column {name} is neither numeric nor categorical")
    return [str(i) for i in items.ids[keep]] if items is not None else []


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(f"itemAttributes: {text} is not a number") from None
