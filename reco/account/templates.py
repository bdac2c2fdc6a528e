"""What a synthesized template says, as far as it is known before it is deployed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def pseudo_parameters(account: str, region: str) -> dict[str, str]:
    return {"AWS::AccountId": account, "AWS::Region": region, "AWS::Partition": "aws"}


def text(value: Any, known: Mapping[str, str], unknown: str | None = None) -> str | None:
    """A text of a template by what `known` says of its references. `unknown` stands for what only a deployment knows.

    Where `unknown` is None, so is a text that holds anything of the kind.
    """
    if isinstance(value, str) or value is None:
        return value
    if "Ref" in value:
        return known.get(value["Ref"], unknown)
    if "Fn::Join" in value:
        between, parts = value["Fn::Join"]
        texts = [text(part, known, unknown) for part in parts]
        return None if None in texts else str(between).join(one for one in texts if one is not None)
    return unknown
