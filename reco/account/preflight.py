"""Looks at an account before the first deployment: what is missing, what is too small, what is in the way. Only reads.

docs: personalize/latest/dg/limits.html, lambda/latest/dg/gettingstarted-limits.html,
kinesis/latest/dev/service-sizes-and-limits.html,
systems-manager/latest/userguide/parameter-store-public-parameters-global-infrastructure.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.config import Config
from personalize_rules import limits
from reco.account.needs import Needs

#: `ask`: ask for more; `mend`: do something first; `unknown`: the check could not be made.
State = Literal["ok", "ask", "mend", "unknown"]
_REFUSED = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403"})
_ABSENT = frozenset(
    {
        *("404", "NoSuchBucket", "ResourceNotFoundException", "ParameterNotFound", "StateMachineDoesNotExist"),
        *("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "ResourceNotFound"),
    }
)
#: Of a stack that the next deployment can update.
_STEADY = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"})
#: As Systems Manager names them.
SERVICES = (
    *("apigateway", "athena", "cloudwatch", "dynamodb", "eventbridge", "firehose", "glue", "kinesis", "kms", "lambda"),
    *("personalize", "s3", "scheduler", "sns", "sqs", "ssm", "stepfunctions"),
)
#: How a name is looked up: the service, the operation, its parameters.
_LOOKUPS: dict[str, tuple[str, str, Callable[[str], dict[str, Any]]]] = {
    "AWS::DynamoDB::Table": ("dynamodb", "describe_table", lambda name: {"TableName": name}),
    "AWS::Kinesis::Stream": ("kinesis", "describe_stream_summary", lambda name: {"StreamName": name}),
    "AWS::KinesisFirehose::DeliveryStream": ("firehose", "describe_delivery_stream", lambda name: {"DeliveryStreamName": name}),
    "AWS::Lambda::Function": ("lambda", "get_function_configuration", lambda name: {"FunctionName": name}),
    "AWS::S3::Bucket": ("s3", "head_bucket", lambda name: {"Bucket": name}),
    "AWS::SQS::Queue": ("sqs", "get_queue_url", lambda name: {"QueueName": name}),
}


@dataclass(frozen=True)
class Finding:
    """One check: what was found beside what is needed, and what to do where that is not enough."""

    check: str
    state: State
    found: str
    needed: str = ""
    remedy: str = ""


#: Of `cdk bootstrap`, where nobody chose another.
QUALIFIER = "hnb659fds"


class Preflight:
    """`client` gives boto3 clients by their service; `qualifier` is that of the bootstrap."""

    def __init__(
        self, client: Callable[[str], Any], config: Config, needs: Needs, region: str, qualifier: str = QUALIFIER
    ) -> None:
        self._qualifier = qualifier
        self._client = client
        self._config = config
        self._needs = needs
        self._region = region

    def findings(self) -> Iterator[Finding]:
        """All checks in their order; one that is refused or fails is a finding, too."""
        checks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
            ("services in the region", self._services),
            ("CDK bootstrap", self._bootstrap),
            ("stacks", self._stacks),
            ("names", self._names),
            ("Lambda concurrency", self._concurrency),
            ("Kinesis streams", self._streams),
            ("Personalize quotas", self._personalize),
        )
        for name, check in checks:
            try:
                yield from check()
            except (ClientError, BotoCoreError) as error:
                yield _failed(name, error)

    def _services(self) -> Iterator[Finding]:
        ssm, missing = self._client("ssm"), []
        for start in range(0, len(SERVICES), 10):
            paths = [
                f"/aws/service/global-infrastructure/regions/{self._region}/services/{name}"
                for name in SERVICES[start : start + 10]
            ]
            missing += [path.rsplit("/", 1)[-1] for path in ssm.get_parameters(Names=paths)["InvalidParameters"]]
        if missing:
            remedy = "Choose another region: make deploy REGION=... (docs/deploying.md lists those with Personalize)."
            yield Finding(
                "services in the region", "mend", f"{self._region} lacks {', '.join(missing)}", str(len(SERVICES)), remedy
            )
        else:
            yield Finding("services in the region", "ok", f"all in {self._region}", str(len(SERVICES)))

    def _bootstrap(self) -> Iterator[Finding]:
        wanted = self._needs.bootstrap_version
        try:
            value = self._client("ssm").get_parameter(Name=f"/cdk-bootstrap/{self._qualifier}/version")["Parameter"]["Value"]
        except ClientError as error:
            if error.response["Error"]["Code"] not in _ABSENT:
                raise
            value = "0"
        found, remedy = f"version {value}" if int(value) else "not done", f"npx cdk bootstrap aws://ACCOUNT/{self._region}"
        if self._qualifier != QUALIFIER:
            remedy += f" --qualifier {self._qualifier} --toolkit-stack-name CDKToolkit-{self._qualifier}"
        enough = int(value) >= wanted
        yield Finding("CDK bootstrap", "ok" if enough else "mend", found, f"version {wanted}", "" if enough else remedy)

    def _stacks(self) -> Iterator[Finding]:
        statuses = self._statuses
        there = {stack: status for stack, status in statuses.items() if status}
        stuck = {stack: status for stack, status in there.items() if status not in _STEADY}
        for stack, status in stuck.items():
            protected = bool(self._described[stack].get("EnableTerminationProtection"))
            yield Finding(f"stack {stack}", "mend", status, "complete", _remedy_of_stack(stack, status, protected))
        if not stuck:
            found = f"{len(there)} of {len(statuses)} are deployed" if there else "none yet"
            yield Finding("stacks", "ok", found, "complete")

    @cached_property
    def _statuses(self) -> dict[str, str]:
        """The status of each stack; "" of one that is not there."""
        return {stack: str(found.get("StackStatus", "")) for stack, found in self._described.items()}

    @cached_property
    def _described(self) -> dict[str, dict[str, Any]]:
        """Each stack as CloudFormation describes it; {} if there is none."""
        return {stack: self._describe(stack) for stack in self._needs.names}

    def _describe(self, stack: str) -> dict[str, Any]:
        try:
            return dict(self._client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0])
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return {}
            raise

    def _names(self) -> Iterator[Finding]:
        """Names of stacks that are not there yet must be free: those of deployed stacks are their own."""
        new = [stack for stack, status in self._statuses.items() if not status]
        wanted = [named for stack in new for named in self._needs.names[stack] if named[0] in _LOOKUPS]
        taken: list[str] = []
        hidden: list[str] = []
        for kind, name in wanted:
            state = self._lookup(kind, name)
            if state != "free":
                (taken if state == "taken" else hidden).append(f"{kind.split('::')[1]} {name}")
        remedy = "Is it of an earlier deployment? `cdk import` it, or delete it; or change `name` in the config."
        for name in taken:
            yield Finding("names", "mend", f"{name} exists", "free names", remedy)
        if hidden:
            said = f"{len(hidden)} can't be read with your permissions, the first is {hidden[0]}"
            yield Finding(
                "names",
                "unknown",
                said,
                "free names",
                "Allow the read, or look in the console: 403 for a bucket may mean another account's.",
            )
        if not taken and not hidden:
            yield Finding("names", "ok", f"{len(wanted)} free" if wanted else "all are the stacks' own", "free names")

    def _lookup(self, kind: str, name: str) -> Literal["free", "taken", "hidden"]:
        service, operation, parameters = _LOOKUPS[kind]
        try:
            getattr(self._client(service), operation)(**parameters(name))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _ABSENT:
                return "free"
            if code in _REFUSED:
                return "hidden"
            raise
        return "taken"

    def _concurrency(self) -> Iterator[Finding]:
        limit = int(self._client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"])
        wanted, ingesting = self._needs.concurrency, self._needs.ingesting
        if limit >= wanted:
            yield Finding("Lambda concurrency", "ok", str(limit), str(wanted))
            return
        where = "Service Quotas, AWS Lambda, Concurrent executions (L-B99A9384)"
        remedy = f"Ask for {max(1000, wanted):,}: {where}. A new account has 10."
        if limit <= ingesting:
            remedy += f" The stream and the queue alone can hold {ingesting}: calls of the API would fail."
        yield Finding("Lambda concurrency", "ask", str(limit), str(wanted), remedy)

    def _streams(self) -> Iterator[Finding]:
        found = self._client("kinesis").describe_limits()
        deployed = any(status for stack, status in self._statuses.items() if stack.endswith("-ingestion"))
        for check, used, limit, needed in (
            ("Kinesis on-demand streams", "OnDemandStreamCount", "OnDemandStreamCountLimit", self._needs.on_demand_streams),
            ("Kinesis shards", "OpenShardCount", "ShardLimit", self._needs.shards),
        ):
            free = int(found[limit]) - int(found[used])
            enough = deployed or free >= needed
            remedy = "" if enough else "Ask for more: Service Quotas, Amazon Kinesis Data Streams."
            if needed:
                yield Finding(check, "ok" if enough else "ask", f"{free} of {found[limit]} free", str(needed), remedy)

    def _personalize(self) -> Iterator[Finding]:
        config, personalize, quotas = self._config, self._client("personalize"), self._quotas()
        groups = [g for page in personalize.get_paginator("list_dataset_groups").paginate() for g in page["datasetGroups"]]
        schemas = sum(len(page["schemas"]) for page in personalize.get_paginator("list_schemas").paginate())
        ours = any(group["name"] == config.name for group in groups)
        campaigns = sum(solution.campaign is not None for solution in config.solutions.values())
        kinds = len(config.datasets.present())
        for what, used, needed in (
            ("dataset groups", len(groups), 0 if ours else 1),
            ("schemas", schemas, 0 if ours else kinds),
            ("solutions", 0, len(config.solutions)),
            ("campaigns", 0, campaigns),
            ("filters", 0, len(config.filters)),
        ):
            yield _count(what, used, needed, quotas.get(what))

    def _quotas(self) -> dict[str, int]:
        """Quotas of this account by what they count; those of an account that never asked for more where they can't be read."""
        quotas: dict[str, int] = {}
        try:
            pages = list(self._client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="personalize"))
        except (ClientError, BotoCoreError):
            return quotas
        for quota in (quota for page in pages for quota in page["Quotas"]):
            counted = quota["QuotaName"].lower().removesuffix(" per dataset group").split(" per ")[0].removeprefix("active ")
            if counted in _DEFAULTS:
                quotas[counted] = int(quota["Value"])
        return quotas


#: Of an account that never asked for more.
_DEFAULTS = {
    "dataset groups": limits.DATASET_GROUPS,
    "schemas": limits.SCHEMAS,
    "solutions": limits.SOLUTIONS_PER_DATASET_GROUP,
    "campaigns": limits.CAMPAIGNS_PER_DATASET_GROUP,
    "filters": limits.FILTERS_PER_DATASET_GROUP,
}


def _count(what: str, used: int, needed: int, quota: int | None) -> Finding:
    limit = _DEFAULTS[what] if quota is None else quota
    found = f"{limit - used} of {limit} free{' (default)' if quota is None else ''}"
    if used + needed <= limit:
        return Finding(f"Personalize {what}", "ok", found, str(needed))
    remedy = f"Ask for {used + needed}: Service Quotas, Amazon Personalize, or delete what is not used."
    return Finding(f"Personalize {what}", "ask", found, str(needed), remedy)


def _remedy_of_stack(stack: str, status: str, protected: bool) -> str:
    """`protected` against deletion, as with `protection: {keep: everything}`."""
    if status == "ROLLBACK_COMPLETE":
        unlock = f"aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name {stack}"
        first = f"it is protected against deletion, so first {unlock}, then " if protected else ""
        return f"Its first deployment failed: {first}aws cloudformation delete-stack --stack-name {stack}, then deploy again."
    if status.endswith("_IN_PROGRESS"):
        return "Wait until it is done."
    return f"aws cloudformation describe-stack-events --stack-name {stack} says why; continue its rollback or delete it."


def _failed(check: str, error: ClientError | BotoCoreError) -> Finding:
    """A check that AWS refused, in a sentence."""
    if isinstance(error, ClientError):
        code, operation = error.response["Error"]["Code"], error.operation_name
        if code in _REFUSED:
            remedy = f"Allow your credentials the call {operation} (ReadOnlyAccess has it), or look in the console."
            return Finding(check, "unknown", f"{operation} is refused to your credentials", "", remedy)
        return Finding(check, "unknown", f"{operation}: {code}", "", "Try again; if it stays, look in the console.")
    return Finding(check, "unknown", str(error), "", "Check the network and the credentials, then try again.")
