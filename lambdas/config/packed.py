"""The config in the code of the functions: written at synth, where it was checked as a whole, and read without another check.

It is a pickle, since a start that validates it again takes twice as long. Equal configs give equal bytes, so that the code
of the functions changes with them alone.
"""

from __future__ import annotations

import io
import pickle
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lambdas.config import Config
from lambdas.config.environment import variable


class _Pickler(pickle.Pickler):
    """Leaves out which fields were set, a set whose order differs from run to run."""

    def reducer_override(self, value: Any) -> Any:
        return (_section, (type(value), value.__dict__)) if isinstance(value, BaseModel) else NotImplemented


def _section(model: type[BaseModel], values: dict[str, Any]) -> BaseModel:
    section = model.__new__(model)
    state = {"__pydantic_fields_set__": set(values), "__pydantic_extra__": None, "__pydantic_private__": None}
    section.__setstate__({"__dict__": values, **state})
    return section


def pack(config: Config) -> bytes:
    """The config for `packed_config`. It is read anew first: what was computed from one stays behind."""
    packed = io.BytesIO()
    fresh = Config.model_validate_json(config.model_dump_json(by_alias=True, exclude_defaults=True))
    _Pickler(packed, protocol=5).dump(fresh)
    return packed.getvalue()


@cache
def packed_config() -> Config:
    """The config of the deployment that this function belongs to."""
    config: Config = pickle.loads(Path(variable("CONFIG_PATH")).read_bytes())  # noqa: S301  our own code asset
    return config
