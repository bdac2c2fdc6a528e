"""What is deployed in Personalize right now: one SSM document, written by the last step of a train run, read by whoever serves.

The config says what is wanted; this document says what is there. It holds ARNs only, so a reader needs no list or describe call.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict

from lambdas.aws import clients

if TYPE_CHECKING:
    from types_boto3_ssm import SSMClient

#: Seconds for which a reader may go on with what it has.
CACHE_SECONDS = 60.0


def parameter_name(deployment: str) -> str:
    """The document's name in SSM."""
    return f"/recostack/{deployment}/deployment"


def rules_parameter_name(deployment: str) -> str:
    """The name in SSM of the document that overrides rules and placements."""
    return f"/recostack/{deployment}/rules"


class Deployment(BaseModel):
    """Campaigns by solution, filters by their name in the config.

    `catalogue`: a run has loaded all items of the shop into the catalogue, so that an item which is not there is gone.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    dataset_group_arn: str
    tracking_id: str
    campaigns: dict[str, str]
    filters: dict[str, str]
    catalogue: bool = False


class NotDeployed(Exception):
    """No train run has published a deployment yet."""


_cached: tuple[float, Deployment] | None = None


def current_deployment() -> Deployment:
    """The published deployment, at most CACHE_SECONDS old unless SSM does not answer.

    Raises NotDeployed before the first train run.
    """
    global _cached
    if _cached is None or time.monotonic() - _cached[0] > CACHE_SECONDS:
        try:
            _cached = (time.monotonic(), read_deployment(clients.prompt_ssm()))
        except (ClientError, BotoCoreError):
            if _cached is None:
                raise
            _cached = (time.monotonic(), _cached[1])
    return _cached[1]


def keep(text: str) -> None:
    """Take in the document, which the caller has just read beside others."""
    global _cached
    _cached = (time.monotonic(), Deployment.model_validate_json(text))


def forget() -> None:
    """Read the document anew at the next look."""
    global _cached
    _cached = None


def read_deployment(ssm: SSMClient) -> Deployment:
    """The document as it is now. Raises NotDeployed."""
    try:
        parameter = ssm.get_parameter(Name=os.environ["DEPLOYMENT_PARAMETER"])["Parameter"]
    except ssm.exceptions.ParameterNotFound:
        raise NotDeployed("nothing is deployed yet: run the train state machine first") from None
    return Deployment.model_validate_json(parameter["Value"])


def publish(deployment: Deployment) -> None:
    """Make it the deployment that is served from within CACHE_SECONDS."""
    clients.ssm().put_parameter(
        Name=os.environ["DEPLOYMENT_PARAMETER"],
        Value=deployment.model_dump_json(),
        Type="String",
        Tier="Intelligent-Tiering",  # a standard parameter holds 4 KB, some thirty solutions and filters
        Overwrite=True,
    )
