"""What is deployed in Personalize right now: one SSM document, written by the last step of a train run, read by whoever serves.

The config says what is wanted; this document says what is there. It holds ARNs only, so a reader needs no list or describe call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict

from lambdas.aws import clients
from lambdas.aws.cache import TimedCache
from lambdas.config import environment

if TYPE_CHECKING:
    from types_boto3_ssm import SSMClient

    from lambdas.aws.signed import SignedClient

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

    model_config = ConfigDict(frozen=True, defer_build=True)

    run_id: str
    dataset_group_arn: str
    tracking_id: str
    campaigns: dict[str, str]
    filters: dict[str, str]
    catalogue: bool = False


class NotDeployed(Exception):
    """No train run has published a deployment yet."""


class CurrentDeployment:
    """The published deployment, as one worker knows it."""

    def __init__(self, client: SSMClient | SignedClient, parameter: str) -> None:
        self._client, self._parameter = client, parameter
        self._kept = TimedCache[str, Deployment](CACHE_SECONDS)

    def get(self) -> Deployment:
        """The deployment, at most CACHE_SECONDS old unless SSM does not answer.

        Raises NotDeployed before the first train run, ClientError or BotoCoreError when SSM has never answered.
        """
        kept = self._kept.get(self._parameter)
        if kept is not None and kept.fresh:
            return kept.value
        try:
            return self._kept.put(self._parameter, read_deployment(self._client, self._parameter))
        except (ClientError, BotoCoreError):
            if kept is None:
                raise
            return self._kept.put(self._parameter, kept.value)

    def keep(self, text: str) -> None:
        """Take in the document, which the caller has just read beside others."""
        self._kept.put(self._parameter, Deployment.model_validate_json(text))


def read_deployment(client: SSMClient | SignedClient, parameter: str) -> Deployment:
    """The document as it is now. Raises NotDeployed."""
    try:
        found = client.get_parameter(Name=parameter)["Parameter"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        raise NotDeployed("nothing is deployed yet: run the train state machine first") from None
    return Deployment.model_validate_json(found["Value"])


def publish(deployment: Deployment) -> None:
    """Make it the deployment that is served from within CACHE_SECONDS."""
    clients.ssm().put_parameter(
        Name=environment.current().deployment_parameter,
        Value=deployment.model_dump_json(),
        Type="String",
        Tier="Intelligent-Tiering",  # a standard parameter holds 4 KB, some thirty solutions and filters
        Overwrite=True,
    )
