"""The tags of a deployment's resources; `recostack:deployment` marks them as its own: teardown touches nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambdas.config import Config

if TYPE_CHECKING:
    from types_boto3_personalize.type_defs import TagTypeDef


def deployment_tags(config: Config) -> list[TagTypeDef]:
    own: list[TagTypeDef] = [{"tagKey": key, "tagValue": value} for key, value in config.tags.items()]
    return [*own, deployment_tag(config)]


def deployment_tag(config: Config) -> TagTypeDef:
    return {"tagKey": "recostack:deployment", "tagValue": config.name}
