"""What a campaign serves with, and how a request becomes a question to its model."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.datasets.tables import Entities, History
from personalize_emulator.errors import InvalidInput
from personalize_emulator.recipes.events import attributes_of
from personalize_emulator.recipes.model import Model, Query
from personalize_rules.recipes import RECIPES, Recipe

if TYPE_CHECKING:
    from personalize_emulator.datasets import DatasetStore
    from personalize_emulator.filters import CompiledFilter

_MAXIMUM_METADATA_COLUMNS = 10
_MAXIMUM_WITH_METADATA = 50

Mask = NDArray[np.bool_]
M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Promotion:
    """One promotion of a request: a share of the answer that comes from the items its filter lets through."""

    name: str
    percent: int
    filter: CompiledFilter | None = None
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Serving:
    """What a campaign (or recommender, or batch job) serves with.

    config: campaignConfig, recommenderConfig or batchInferenceJobConfig, as sent; may be empty. source: the eight
    hexadecimal digits by which recommendation ids tell what recommended.
    """

    model: Model
    store: DatasetStore
    config: Mapping[str, Any] = field(default_factory=dict)
    source: str = "00000000"

    @property
    def recipe(self) -> Recipe:
        return RECIPES[self.model.recipe]

    def recommendation_id(self) -> str:
        return f"RID-{self.source}{str(uuid.uuid4())[len(self.source) :]}"

    def query(self, request: Mapping[str, Any], now: float) -> Query:
        """The question of a request. Raises InvalidInput if a field that the recipe needs is missing."""
        missing = [name for name in self.recipe.required_inputs if not request.get(name)]
        if missing:
            raise InvalidInput("Required fields for the provided recipe are " + ", ".join(self.recipe.required_inputs))
        user = request.get("userId")
        history, attributes = None, {}
        if user and (self.recipe.realtime or self.recipe.drops):
            history = self.store.history(user)
            if not history.item_ids:
                attributes = attributes_of(self.store.entities("USERS"), user)
        context = {
            **request.get("context", {}),
            **{k.upper(): v for k, v in request.get("context", {}).items()},
        }
        return Query(user, request.get("itemId"), history, attributes, context, now)

    def allowed(self, query: Query, compiled: CompiledFilter | None, values: Mapping[str, str]) -> Mask | None:
        """What a filter lets through, over the model's ranked ids; None if there is no filter.

        docs: personalize/latest/dg/creating-filter-expressions.html, "CurrentItem.attribute"
        """
        if compiled is not None and compiled.filter.uses_current_item and self.recipe.type != "RELATED_ITEMS":
            raise InvalidInput(
                f"The filter uses CurrentItem, which is for recipes of related items; {self.recipe.name} has no current item."
            )
        return compiled.mask(values, query.user_id, query.item_id) if compiled is not None else None

    def dropped(self, history: History | None) -> list[int]:
        """Items that a use case never shows again, because the user purchased or watched them."""
        if not self.recipe.drops or history is None:
            return []
        dropping = {name.lower() for name in self.recipe.drops}
        pairs = zip(history.item_ids, history.event_types, strict=True)
        items = {item for item, event_type in pairs if (event_type or "").lower() in dropping}
        return [self.model.index[item] for item in items if item in self.model.index]


class Metadata:
    """The metadata columns that a request asks for, checked; looks them up per item."""

    def __init__(self, serving: Serving, request: Mapping[str, Any], results: int) -> None:
        self._columns: list[str] = []
        self._items: Entities | None = None
        asked = request.get("metadataColumns")
        if not asked:
            return
        config, recipe = serving.config, serving.recipe
        if not config.get("enableMetadataWithRecommendations", recipe.metadata == "default"):
            raise InvalidInput("Metadata with recommendations is not enabled: set enableMetadataWithRecommendations.")
        if set(asked) != {"ITEMS"}:
            raise InvalidInput("metadataColumns takes columns of the dataset type ITEMS only.")
        if len(asked["ITEMS"]) > _MAXIMUM_METADATA_COLUMNS:
            raise InvalidInput(f"metadataColumns takes at most {_MAXIMUM_METADATA_COLUMNS} columns.")
        if results > _MAXIMUM_WITH_METADATA:
            raise InvalidInput(f"At most {_MAXIMUM_WITH_METADATA} results can be asked for with metadataColumns.")
        self._items = serving.store.entities("ITEMS")
        known = self._items.columns if self._items is not None else {}
        unknown = [name for name in asked["ITEMS"] if name not in known]
        if unknown:
            raise InvalidInput(f"metadataColumns names columns that the Items dataset does not have: {unknown}")
        schema = serving.store.schemas["ITEMS"]
        self._whole = {f.name for f in schema.fields if f.type in ("int", "long")}
        self._columns = list(asked["ITEMS"])

    def add_to(self, entry: dict[str, Any]) -> None:
        """Put an item's values into its entry of the answer; a null has no key."""
        if not self._columns:
            return
        record = attributes_of(self._items, entry["itemId"])
        values = {name: record[name] for name in self._columns if record.get(name) is not None}
        entry["metadata"] = {name: str(int(value)) if name in self._whole else str(value) for name, value in values.items()}


def model_of(serving: Serving, operation: str, kind: type[M]) -> M:
    """The model, which must be of this kind for the operation; else InvalidInput."""
    if not isinstance(serving.model, kind):
        raise InvalidInput(f"{operation} is not supported by the recipe {serving.recipe.name}.")
    return serving.model
