"""The storefront: pages that show what a deployment recommends, and change as one clicks."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from lambdas.config.events import Id
from lambdas.config.section import Section


class Storefront(Section):
    """Pages at the browsers' API. Whoever opens them may be any of the personas: name no real customers."""

    personas: dict[Id, Annotated[str, Field(min_length=1, max_length=60)]] = Field(
        default_factory=dict,
        max_length=8,
        description="users as whom a visitor may look around, by id: a few words about each",
    )


def _switched(value: Any) -> Any:
    return {True: {}, False: None}.get(value, value) if isinstance(value, bool) else value


Switch = Annotated[Storefront | None, BeforeValidator(_switched, json_schema_input_type=bool | Storefront | None)]
