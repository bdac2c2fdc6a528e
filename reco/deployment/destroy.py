"""Takes a deployment down: what it has in Amazon Personalize, what its functions wrote outside their stacks, the stacks."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from botocore.exceptions import ClientError, WaiterError

from lambdas.aws import backoff
from lambdas.aws.ensure import short
from lambdas.config import Config
from lambdas.stores.deployment import parameter_name
from reco.deployment.teardown import Owner, Resources, Teardown
from reco.errors import RecoError
from reco.target import Target

_Tell = Callable[[str], None]
#: How often a stack is tried whose buckets are written to until the last moment, and the seconds before the second attempt.
TRIES, PAUSE = 6, 2.0


@dataclass(frozen=True)
class _Deletion:
    """What is there to delete: running executions, Personalize resources (one entry for each owner), stacks."""

    executions: list[str]
    resources: list[Resources]
    parameters: list[str]
    stacks: list[str]

    @property
    def empty(self) -> bool:
        return not (self.executions or any(self.resources) or self.parameters or self.stacks)

    def lines(self) -> list[str]:
        """All of it, a line each."""
        arns = [arn for resources in self.resources for arns in resources.values() for arn in arns]
        running = [f"the running execution {name.rsplit(':', 1)[-1]}" for name in self.executions]
        return [
            *running,
            *map(short, arns),
            *(f"parameter {name}" for name in self.parameters),
            *(f"stack {s}" for s in self.stacks),
        ]


@dataclass
class Deleted:
    """What was deleted, and the buckets that were kept because they hold data."""

    resources: list[str] = field(default_factory=list)
    parameters: list[str] = field(default_factory=list)
    stacks: list[str] = field(default_factory=list)
    kept_buckets: list[str] = field(default_factory=list)


class Destruction:
    """One deployment's end. Looking changes nothing; carrying out may be repeated until nothing is left."""

    def __init__(self, target: Target, config: Config, *, keep_stacks: bool = False, tell: _Tell = lambda said: None) -> None:
        self.target = target
        self.config = config
        self.keep_stacks = keep_stacks
        self.tell = tell
        self.teardown = Teardown(target.client("personalize"), tell)
        self.owners = (Owner.evaluation(config), Owner.deployment(config))

    @cached_property
    def cloudformation(self) -> Any:
        return self.target.client("cloudformation")

    def look(self) -> _Deletion:
        """What there is. Raises RecoError when something that is not the deployment's stands in the way."""
        stacks = self.stacks()
        resources = [self.teardown.find(owner) for owner in self.owners]
        for owner, found in zip(self.owners, resources, strict=True):
            self.teardown.refuse_strangers(owner, found)
        return _Deletion(
            executions=list(self.running(stacks)),
            resources=resources,
            parameters=self.parameters(),
            stacks=[] if self.keep_stacks else stacks,
        )

    def carry_out(self, deletion: _Deletion) -> Deleted:
        """Delete it, the runs first: they would make anew what is deleted. Raises RecoError with what can't be deleted."""
        done = Deleted()
        for execution in deletion.executions:
            self.target.client("stepfunctions").stop_execution(executionArn=execution, cause="reco destroy")
            self.tell(f"stopped the execution {execution.rsplit(':', 1)[-1]}")
        for owner in self.owners:
            done.resources += self.teardown.remove(owner)
        for name in deletion.parameters:
            self.target.client("ssm").delete_parameter(Name=name)
            done.parameters.append(name)
            self.tell(f"deleted parameter {name}")
        buckets = [bucket for stack in deletion.stacks for bucket in self.physical(stack, "AWS::S3::Bucket")]
        if self.config.protection.keep == "nothing":
            self.stop_access_logs(buckets)
        for stack in deletion.stacks:
            self.delete_stack(stack)
            done.stacks.append(stack)
        done.kept_buckets = [bucket for bucket in buckets if self.bucket_exists(bucket)]
        return done

    def stacks(self) -> list[str]:
        """`recostack-<deployment>-<capability>`, newest first: later stacks use earlier ones; that of the buckets last, when
        nothing writes to them any more. A capability is one word, so the stacks of a deployment whose name begins with this
        one's don't match."""
        wanted = re.compile(rf"recostack-{re.escape(self.config.name)}-[a-z]+")
        pages = self.cloudformation.get_paginator("describe_stacks").paginate()
        found = [stack for page in pages for stack in page["Stacks"] if wanted.fullmatch(stack["StackName"])]
        live = [stack for stack in found if stack["StackStatus"] != "DELETE_COMPLETE"]
        newest_first = [stack["StackName"] for stack in sorted(live, key=lambda stack: stack["CreationTime"], reverse=True)]
        return sorted(newest_first, key=lambda name: name.endswith("-storage"))

    def physical(self, stack: str, resource_type: str) -> list[str]:
        """The names or ARNs of a stack's resources of one type."""
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        summaries = [summary for page in pages for summary in page["StackResourceSummaries"]]
        return [s["PhysicalResourceId"] for s in summaries if s["ResourceType"] == resource_type and s.get("PhysicalResourceId")]

    def running(self, stacks: list[str]) -> Iterator[str]:
        """Executions that are under way, of every state machine of the stacks."""
        paginator = self.target.client("stepfunctions").get_paginator("list_executions")
        for stack in stacks:
            for machine in self.physical(stack, "AWS::StepFunctions::StateMachine"):
                for page in paginator.paginate(stateMachineArn=machine, statusFilter="RUNNING"):
                    yield from (execution["executionArn"] for execution in page["executions"])

    def parameters(self) -> list[str]:
        """What a run publishes in SSM belongs to no stack."""
        ssm, name = self.target.client("ssm"), parameter_name(self.config.name)
        try:
            ssm.get_parameter(Name=name)
        except ssm.exceptions.ParameterNotFound:
            return []
        return [name]

    def delete_stack(self, stack: str) -> None:
        """Delete it; where something was still written to a bucket that has to be empty, empty that again. Raises RecoError."""
        buckets = self.buckets(stack) if self.config.protection.keep == "nothing" else {}
        for attempt in range(TRIES):
            for bucket in buckets.values():
                if self.bucket_exists(bucket):
                    self.empty_bucket(bucket)
            reason = self._try_to_delete(stack)
            if reason is None:
                self.tell(f"deleted stack {stack}")
                return
            if attempt == TRIES - 1 or not any(name in reason for name in (*buckets, *buckets.values())):
                raise RecoError(f"The stack {stack} could not be deleted: {reason}")
            self.tell(f"something was written to a bucket of {stack} meanwhile: emptying it again")
            time.sleep(backoff.doubled(attempt, PAUSE, 60))

    def _try_to_delete(self, stack: str) -> str | None:
        """None when it is deleted, else why not."""
        try:
            self.cloudformation.delete_stack(StackName=stack)
            self.cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 5})
        except WaiterError as error:
            last = cast(Any, error.last_response).get("Stacks", [{}])[0]
            return str(last.get("StackStatusReason") or last.get("StackStatus") or error)
        except ClientError as error:
            return error.response["Error"]["Message"]
        return None

    def buckets(self, stack: str) -> dict[str, str]:
        """The stack's buckets that are there, by their logical ids: CloudFormation's reasons name those."""
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        summaries = [summary for page in pages for summary in page["StackResourceSummaries"]]
        found = [s for s in summaries if s["ResourceType"] == "AWS::S3::Bucket" and s.get("PhysicalResourceId")]
        return {s["LogicalResourceId"]: s["PhysicalResourceId"] for s in found}

    def stop_access_logs(self, buckets: list[str]) -> None:
        """S3 delivers access logs for a while after what they tell of: without new ones, the log bucket stays empty."""
        for bucket in buckets:
            if self.bucket_exists(bucket):
                self.target.client("s3").put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})

    def empty_bucket(self, bucket: str) -> None:
        """All versions of all objects: CloudFormation deletes empty buckets alone. Raises RecoError for what can't be deleted."""
        s3 = self.target.client("s3")
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if versions:
                keys = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
                answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
                for error in answer.get("Errors", []):
                    raise RecoError(f"S3 does not delete {error['Key']} of the bucket {bucket}: {error['Message']}")
        self.tell(f"emptied the bucket {bucket}")

    def bucket_exists(self, bucket: str) -> bool:
        try:
            self.target.client("s3").head_bucket(Bucket=bucket)
        except ClientError:
            return False
        return True
