"""A dataset group that lives for one evaluation: filled, trained, asked through temporary campaigns, and removed."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from botocore.exceptions import ClientError

from lambdas.aws.ensure import short
from lambdas.config import Config
from lambdas.config.names import own_name
from lambdas.config.recipes import recipe_arn
from lambdas.config.requests import solution_config
from lambdas.config.schemas import RECORD_NAME, DatasetKind
from lambdas.stores import prefixes
from reco.deployment.teardown import LONGEST_PAUSE_SECONDS, Owner, Teardown, camel, code
from reco.errors import RecoError
from reco.target import Target

#: Campaigns of a dataset group at a time (docs: personalize/latest/dg/limits.html).
CAMPAIGNS_AT_ONCE = 5


class EvaluationGroup:
    """`with` it: whatever was made, in Personalize and in S3, is removed at the end, after an error or an interrupt too.

    Failures of single solutions are kept in `failures`, by the solution's name; the others go on.
    """

    def __init__(self, target: Target, config: Config, tell: Callable[[str], None]) -> None:
        self.config, self.tell = config, tell
        self.owner = Owner.evaluation(config)
        tags = config.tags | {self.owner.tag: self.owner.value}
        self.tags = [{"tagKey": key, "tagValue": value} for key, value in tags.items()]
        self.name = own_name(
            config, f"evaluate-{''.join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(4))}"
        )
        self.client, self.s3 = target.client("personalize"), target.client("s3")
        self.bucket, self.role = target.output("storage", "DataBucket"), target.output("training", "PersonalizeRoleArn")
        self.prefix = prefixes.dataset(self.name)  # below what the service's role may read
        self.group = ""
        self.failures: dict[str, str] = {}

    def __enter__(self) -> EvaluationGroup:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.tell(f"removing {self.name}")
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix):
            for entry in page.get("Contents", []):
                self.s3.delete_object(Bucket=self.bucket, Key=entry["Key"])
        Teardown(self.client, self.tell).remove(self.owner)

    def load(self, files: Mapping[DatasetKind, Sequence[Path]]) -> None:
        """Make the group and import the CSVs. Raises RecoError with the service's reason."""
        self.group = self.client.create_dataset_group(name=self.name, tags=self.tags)["datasetGroupArn"]
        self._require("dataset_group", [self.group])
        datasets = {kind: self._dataset(kind) for kind in files}
        self._require("dataset", datasets.values())
        jobs = []
        for kind, paths in files.items():
            for path in paths:
                self.s3.upload_file(str(path), self.bucket, f"{self.prefix}{kind}/{path.name}")
            job = self.client.create_dataset_import_job(
                jobName=f"{self.name}-{kind}",
                datasetArn=datasets[kind],
                dataSource={"dataLocation": f"s3://{self.bucket}/{self.prefix}{kind}/"},
                roleArn=self.role,
                tags=self.tags,
            )
            jobs.append(job["datasetImportJobArn"])
        self.tell("importing")
        self._require("dataset_import_job", jobs)

    def train(self, solutions: Iterable[str]) -> dict[str, str]:
        """Train these solutions of the config; the ARNs of the versions that succeeded, by solution."""
        made = {name: self._solution(name) for name in solutions}
        self._require("solution", made.values())
        versions = {
            name: self.client.create_solution_version(solutionArn=solution, tags=self.tags)["solutionVersionArn"]
            for name, solution in made.items()
        }
        self.tell(f"training {', '.join(versions)}")
        return self._succeeded("solution_version", versions)

    def deploy(self, versions: Mapping[str, str]) -> dict[str, str]:
        """A campaign for each version; the ARNs of those that answer, by solution."""
        campaigns = {
            name: self.client.create_campaign(
                name=f"{self.name}-{name}", solutionVersionArn=version, minProvisionedTPS=1, tags=self.tags
            )["campaignArn"]
            for name, version in versions.items()
        }
        self.tell(f"deploying {', '.join(campaigns)}")
        return self._succeeded("campaign", campaigns)

    def undeploy(self, campaigns: Mapping[str, str]) -> None:
        """Delete the campaigns, which are billed while they exist, and wait until their places are free."""
        for campaign in campaigns.values():
            self.client.delete_campaign(campaignArn=campaign)
        self._settle("campaign", campaigns.values())

    def _dataset(self, kind: DatasetKind) -> str:
        avro = self.config.datasets.present()[kind].avro
        schema = self.client.create_schema(name=f"{self.name}-{kind}-{avro.fingerprint}", schema=avro.text)["schemaArn"]
        made = self.client.create_dataset(
            name=f"{self.name}-{kind}",
            schemaArn=schema,
            datasetGroupArn=self.group,
            datasetType=RECORD_NAME[kind],
            tags=self.tags,
        )
        return str(made["datasetArn"])

    def _solution(self, name: str) -> str:
        wanted = self.config.solutions[name]
        made = self.client.create_solution(
            name=f"{self.name}-{name}",
            datasetGroupArn=self.group,
            recipeArn=recipe_arn(wanted.recipe),
            performAutoTraining=False,
            solutionConfig=solution_config(wanted),
            tags=self.tags,
            **({"eventType": wanted.event_type} if wanted.event_type else {}),
        )
        return str(made["solutionArn"])

    def _succeeded(self, kind: str, arns: Mapping[str, str]) -> dict[str, str]:
        """Those that became ACTIVE; why the others did not is kept."""
        failed = self._settle(kind, arns.values())
        self.failures |= {name: failed[arn] for name, arn in arns.items() if arn in failed}
        return {name: arn for name, arn in arns.items() if arn not in failed}

    def _require(self, kind: str, arns: Iterable[str]) -> None:
        for arn, reason in self._settle(kind, arns).items():
            raise RecoError(f"{short(arn)}: {reason}")

    def _settle(self, kind: str, arns: Iterable[str]) -> dict[str, str]:
        """Wait until each is ACTIVE, failed or gone; the status and the service's reason of those that failed, by ARN."""
        waiting, failed, pause = set(arns), dict[str, str](), 0.2
        while waiting:
            for arn in list(waiting):
                state = self._described(kind, arn)
                status = state.get("status", "")
                if "PENDING" in status or "IN_PROGRESS" in status:
                    continue
                waiting.discard(arn)
                if status not in ("ACTIVE", ""):
                    failed[arn] = f"{status}: {state.get('failureReason', 'the service gave no reason')}"
            if waiting:
                time.sleep(pause)
                pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
        return failed

    def _described(self, kind: str, arn: str) -> dict[str, Any]:
        """The resource as Describe shows it; empty when it is gone."""
        try:
            answer = getattr(self.client, f"describe_{kind}")(**{f"{camel(kind)}Arn": arn})
        except ClientError as error:
            if code(error) == "ResourceNotFoundException":
                return {}
            raise
        return dict(answer[camel(kind)])
