"""Systems Manager's parameters: how long a value may be, and which tier a parameter is of, both of which moto leaves out.

docs: systems-manager/latest/userguide/parameter-store-advanced-parameters.html. SSM has been seen to answer the words about the
standard tier and the downgrade; those about the advanced tier follow them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.ssm.exceptions import ValidationException

from localaws.patching import intercept

#: Characters of a value, by tier.
_LIMITS = {"Standard": 4096, "Advanced": 8192}
_LARGER = (
    " To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see "
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
)
_NO_WAY_BACK = (
    "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier "
    "to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter."
)


def install() -> None:
    intercept("moto.ssm.models:SimpleSystemManagerBackend.put_parameter", _put)


def _put(original: Callable[..., Any], backend: Any, name: str, description: Any, value: str, *more: Any, **named: Any) -> Any:
    versions = backend._parameters[name]
    tier = _tier(named.pop("tier", None), value or "", versions[-1].tier if versions else "Standard")
    if value and len(value) > _LIMITS[tier]:
        refusal = f"{tier} tier parameters support a maximum parameter value of {_LIMITS[tier]} characters."
        raise ValidationException(refusal + (_LARGER if tier == "Standard" else ""))
    return original(backend, name, description, value, *more, tier=tier, **named)


def _tier(asked: str | None, value: str, present: str) -> str:
    """What becomes of the parameter. Raises ValidationException where an advanced one should become a standard one."""
    if asked == "Standard" and present == "Advanced":
        raise ValidationException(_NO_WAY_BACK)
    if asked == "Intelligent-Tiering":
        return "Advanced" if present == "Advanced" or len(value) > _LIMITS["Standard"] else "Standard"
    return asked or present
