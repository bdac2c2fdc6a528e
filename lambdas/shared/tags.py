"""The tag that marks a resource as one deployment's: teardown touches nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambdas.shared.config import Config

if TYPE_CHECKING:
    from types_boto3_personalize.type_defs import TagTypeDef


def deployment_tags(config: Config) -> list[TagTypeDef]:
    return [{"tagKey": "recostack:deployment", "tagValue": config.name}]
