"""What erasure deletes at once: rows of a user, in tables of the list of all stores (lambdas/stores/user_stores.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lambdas.aws import clients
from lambdas.config import Config, environment
from lambdas.config.recipes import RECIPES
from lambdas.stores import recent_items, whole_records
from lambdas.stores.batch_lists import BatchLists

#: Tables that are emptied of a user when the user is erased, and every day again: what was on its way then is there by now.
TABLES: dict[str, Callable[[Config, Sequence[str]], None]] = {
    "recent-items": lambda config, users: recent_items.delete_items_of(users),
    "records": lambda config, users: whole_records.delete_users(users),
    "batch-lists": lambda config, users: _batch_lists().delete_of(users, _batches_of_users(config)),
}


def _batch_lists() -> BatchLists:
    return BatchLists(clients.dynamodb(), environment.current().batch_lists_table)


def delete_from_tables(config: Config, users: Sequence[str]) -> None:
    for delete in TABLES.values():
        delete(config, users)


def _batches_of_users(config: Config) -> list[str]:
    """The batches whose lists are those of users, not of items."""
    recipes = {name: RECIPES[config.solutions[batch.solution].recipe] for name, batch in config.batch.items()}
    return [name for name, recipe in recipes.items() if recipe.type != "RELATED_ITEMS"]
