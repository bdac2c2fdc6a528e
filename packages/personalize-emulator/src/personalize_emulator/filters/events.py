"""What filters know of the events of users: the newest of each event type, imported and streamed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personalize_emulator.datasets.interactions import InteractionsByUser
from personalize_emulator.datasets.store import DatasetStore
from personalize_rules.limits import EVENTS_SEEN_BY_FILTERS
from personalize_rules.schemas import Kind
from personalize_rules.values import event_type_key

_ANY_EVENT = "*"


class UserEvents:
    """Looks up, over a universe of items or users, who had which events."""

    def __init__(self, store: DatasetStore, ids: Sequence[str] | NDArray[Any]) -> None:
        self._store = store
        self._ids = ids
        self._imported: tuple[InteractionsByUser, NDArray[np.int64]] | None = None

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {identifier: position for position, identifier in enumerate(self._ids)}

    def of_user(self, kind: Kind, user_id: str, event_types: Sequence[str]) -> NDArray[np.bool_]:
        """Marks the items of the universe with which the user had an event of any of these types."""
        imported = self._store.bulk_interactions(kind)
        mask = np.zeros(len(self._ids) + 1, dtype=np.bool_)
        for key in self._keys(kind, user_id, imported, event_types):
            mask[self._newest(kind, user_id, key, imported)] = True
        return mask[:-1]

    def users_with(self, kind: Kind, event_types: Sequence[str]) -> NDArray[np.bool_]:
        """Marks the users of the universe that had an event of any of these types."""
        keys = {event_type_key(name, kind) for name in event_types}
        everything = _ANY_EVENT in keys
        found: set[str] = set()
        for key in [None] if everything else keys:
            found |= self._store.streamed_users(kind, key)
        if (imported := self._store.bulk_interactions(kind)) is not None:
            known = enumerate(imported.event_types)
            found |= imported.users_with([code for code, name in known if everything or name in keys])
        return np.fromiter((identifier in found for identifier in self._ids), np.bool_, len(self._ids))

    def _keys(self, kind: Kind, user_id: str, imported: InteractionsByUser | None, event_types: Sequence[str]) -> set[str]:
        keys = {event_type_key(name, kind) for name in event_types}
        if _ANY_EVENT not in keys:
            return keys
        streamed = self._store.streamed_event_types(kind, user_id)
        return {*streamed, *(imported.event_types if imported else ())}

    def _newest(self, kind: Kind, user_id: str, key: str, imported: InteractionsByUser | None) -> NDArray[np.int64]:
        """Positions of the items of the newest events of one type; the last position stands for unknown items."""
        limit = EVENTS_SEEN_BY_FILTERS[kind]
        streamed = self._store.newest_streamed(kind, user_id, key, limit)
        positions = np.array([self._positions.get(item, -1) for item, _ in reversed(streamed)], dtype=np.int64)
        if imported is None:
            return positions
        rows = imported.newest(user_id, key, limit)
        positions = np.concatenate([self._imported_positions(imported)[rows.items], positions])
        if len(positions) > limit:
            times = np.concatenate([rows.timestamps, [time for _, time in reversed(streamed)]])
            positions = positions[np.argsort(times, kind="stable")[-limit:]]
        return positions

    def _imported_positions(self, imported: InteractionsByUser) -> NDArray[np.int64]:
        """The position in the universe of each code of the imported items."""
        if self._imported is None or self._imported[0] is not imported:
            positions = [self._positions.get(item, -1) for item in imported.item_ids]
            self._imported = (imported, np.array(positions, dtype=np.int64))
        return self._imported[1]
