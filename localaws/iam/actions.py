"""Which actions on which resources a call to an AWS API needs.

docs: service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from localaws.iam.policies import NOT_KNOWN, OF_THE_TOKEN, Access

Parameters = Mapping[str, Any]
ANY = "*"
ASSUME_ROLE = "sts:AssumeRole"


class UnknownOperation(Exception):
    """Nothing is known about what this call needs."""


@dataclass(frozen=True)
class Caller:
    """Where a call is made: parts of the ARNs that its parameters only imply."""

    region: str
    account: str

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


def accesses(caller: Caller, service: str, operation: str, parameters: Parameters) -> list[Access]:
    """What a call needs: usually one access. Raises UnknownOperation for a service or an operation that is not known here."""
    if service not in _SERVICES:
        raise UnknownOperation(f"{service}:{operation}")
    needed = list(_SERVICES[service](caller, operation, parameters))
    role = parameters.get("roleArn") or parameters.get("RoleArn")
    if role and service in _PASSED_TO and operation.startswith(("Create", "Update", "Put")):
        needed.append(Access("iam:PassRole", role, {"iam:PassedToService": _PASSED_TO[service]}))
    if service == "personalize" and operation.startswith("Create") and parameters.get("tags"):
        needed.append(Access("personalize:TagResource", needed[0].resource))
    return needed


def of_unknown_operation(service: str, operation: str) -> Access:
    """The access of a call of which nothing is known but the name of its action."""
    return Access(f"{_PREFIXES.get(service, service)}:{operation}", NOT_KNOWN)


#: The prefixes of actions that are not the service's name in boto3.
_PREFIXES = {"stepfunctions": "states", "personalize-runtime": "personalize", "personalize-events": "personalize"}
_PASSED_TO = {"personalize": "personalize.amazonaws.com", "scheduler": "scheduler.amazonaws.com"}


def _s3(_: Caller, operation: str, parameters: Parameters) -> Iterator[Access]:
    bucket = f"arn:aws:s3:::{parameters.get('Bucket', '')}"
    key = f"{bucket}/{parameters.get('Key', '')}"
    if operation in _S3_OBJECTS or parameters.get("Key"):
        action = _S3_OBJECTS.get(operation, f"s3:{operation}")
        versioned = parameters.get("VersionId") and action in _S3_OF_VERSIONS
        yield Access(f"{action}Version" if versioned else action, key)
        if operation in ("CopyObject", "UploadPartCopy"):
            source = parameters["CopySource"]
            path = f"{source['Bucket']}/{source['Key']}" if isinstance(source, Mapping) else str(source).lstrip("/").split("?")[0]
            yield Access("s3:GetObject", f"arn:aws:s3:::{path}")
    elif operation == "ListBuckets":
        yield Access("s3:ListAllMyBuckets", ANY)
    elif operation == "DeleteObjects":
        for entry in parameters["Delete"]["Objects"]:
            action = "s3:DeleteObjectVersion" if entry.get("VersionId") else "s3:DeleteObject"
            yield Access(action, f"{bucket}/{entry['Key']}")
    else:
        yield Access(_S3_BUCKETS.get(operation, f"s3:{operation}"), bucket, _listing(operation, parameters))


def _listing(operation: str, parameters: Parameters) -> dict[str, str]:
    """A listing without a prefix has the empty one."""
    if not operation.startswith("List"):
        return {}
    found = {"s3:prefix": str(parameters.get("Prefix") or "")}
    return found | ({"s3:delimiter": str(parameters["Delimiter"])} if parameters.get("Delimiter") else {})


#: Calls of an object whose action is not their name.
_S3_OBJECTS = {
    **dict.fromkeys(("GetObject", "HeadObject", "SelectObjectContent"), "s3:GetObject"),
    **dict.fromkeys(
        (
            "PutObject",
            "CopyObject",
            "CreateMultipartUpload",
            "UploadPart",
            "UploadPartCopy",
            "CompleteMultipartUpload",
        ),
        "s3:PutObject",
    ),
    "ListParts": "s3:ListMultipartUploadParts",
}
_S3_OF_VERSIONS = ("s3:GetObject", "s3:DeleteObject", "s3:GetObjectTagging")
#: Calls of a bucket whose action is not their name; who may put a setting may delete it.
#: docs: AmazonS3/latest/userguide/using-with-s3-policy-actions.html
_S3_BUCKETS = {
    **dict.fromkeys(("ListObjects", "ListObjectsV2", "HeadBucket"), "s3:ListBucket"),
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "DeleteBucketTagging": "s3:PutBucketTagging",
    "DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "PutObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration",
    **{
        f"{verb}{call}": f"s3:{'Get' if verb in ('Get', 'List') else 'Put'}{action}"
        for call, action in {
            "BucketCors": "BucketCORS",
            "BucketEncryption": "EncryptionConfiguration",
            "BucketLifecycleConfiguration": "LifecycleConfiguration",
            "BucketReplication": "ReplicationConfiguration",
            "BucketOwnershipControls": "BucketOwnershipControls",
            "PublicAccessBlock": "BucketPublicAccessBlock",
            "BucketAccelerateConfiguration": "AccelerateConfiguration",
            "BucketAnalyticsConfiguration": "AnalyticsConfiguration",
            "BucketInventoryConfiguration": "InventoryConfiguration",
            "BucketMetricsConfiguration": "MetricsConfiguration",
            "BucketIntelligentTieringConfiguration": "IntelligentTieringConfiguration",
        }.items()
        for verb in ("Get", "List", "Put", "Delete")
    },
}


def _dynamodb(caller: Caller, operation: str, parameters: Parameters) -> Iterator[Access]:
    if operation in ("TransactWriteItems", "TransactGetItems"):
        for entry in parameters["TransactItems"]:
            for kind, request in entry.items():
                action = "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"
                yield Access(f"dynamodb:{action}", caller.arn("dynamodb", f"table/{request['TableName']}"))
        return
    tables = list(parameters.get("RequestItems") or [parameters.get("TableName") or ""])
    index = f"/index/{parameters['IndexName']}" if parameters.get("IndexName") else ""
    for table in tables:
        arn = table if table.startswith("arn:") else caller.arn("dynamodb", f"table/{table}")
        yield Access(f"dynamodb:{operation}", f"{arn}{index}")


#: The part of an ARN that names the kind of a resource that a call makes, by the call. docs: list_amazonpersonalize.html
_PERSONALIZE_KINDS = {
    "CreateBatchInferenceJob": ("batch-inference-job", "jobName"),
    "CreateBatchSegmentJob": ("batch-segment-job", "jobName"),
    "CreateCampaign": ("campaign", "name"),
    "CreateDataDeletionJob": ("data-deletion-job", "jobName"),
    "CreateDatasetExportJob": ("dataset-export-job", "jobName"),
    "CreateDatasetGroup": ("dataset-group", "name"),
    "CreateDatasetImportJob": ("dataset-import-job", "jobName"),
    "CreateFilter": ("filter", "name"),
    "CreateSchema": ("schema", "name"),
    "CreateSolution": ("solution", "name"),
}
#: Calls that also touch the solution whose version they use.
_OF_A_SOLUTION = ("CreateCampaign", "UpdateCampaign", "CreateBatchInferenceJob", "CreateBatchSegmentJob")


def _personalize(caller: Caller, operation: str, parameters: Parameters) -> Iterator[Access]:
    action = f"personalize:{operation}"
    if operation.startswith("List") and operation != "ListTagsForResource":
        yield Access(action, ANY)
    elif operation == "CreateDataset":
        group = parameters["datasetGroupArn"].rsplit("/", 1)[-1]
        yield Access(action, caller.arn("personalize", f"dataset/{group}/{parameters['datasetType'].upper()}"))
    elif operation == "CreateEventTracker":
        yield Access(action, caller.arn("personalize", "event-tracker/new"))
    elif operation in _PERSONALIZE_KINDS:
        kind, name = _PERSONALIZE_KINDS[operation]
        yield Access(action, caller.arn("personalize", f"{kind}/{parameters[name]}"))
    else:
        arns = [value for key, value in parameters.items() if key.lower().endswith("arn") and key != "roleArn"]
        if not arns:
            raise UnknownOperation(action)
        yield Access(action, _without_version(arns[0]))
    if operation in _OF_A_SOLUTION and parameters.get("solutionVersionArn"):
        yield Access(action, _without_version(parameters["solutionVersionArn"]))


def _without_version(arn: str) -> str:
    """A solution version is authorized by its ARN, which lies below its solution's."""
    return arn.removesuffix("/$LATEST")


def _personalize_runtime(_: Caller, operation: str, parameters: Parameters) -> Iterator[Access]:
    for name in ("campaignArn", "recommenderArn", "filterArn"):
        if parameters.get(name):
            yield Access(f"personalize:{operation}", parameters[name])


def _personalize_events(_: Caller, operation: str, parameters: Parameters) -> Iterator[Access]:
    """PutEvents names a tracking id, from which no ARN can be made: IAM has `*` for it."""
    yield Access(f"personalize:{operation}", str(parameters.get("datasetArn") or ANY))


def _queue(caller: Caller, operation: str, parameters: Parameters) -> Iterator[Access]:
    actions = {"SendMessageBatch": "SendMessage", "DeleteMessageBatch": "DeleteMessage"}
    name = str(parameters.get("QueueUrl") or parameters.get("QueueName") or "").rsplit("/", 1)[-1]
    yield Access(f"sqs:{actions.get(operation, operation)}", caller.arn("sqs", name))


def _function(caller: Caller, operation: str, parameters: Parameters) -> Iterator[Access]:
    if not parameters.get("FunctionName"):
        yield Access(f"lambda:{operation}", NOT_KNOWN)
        return
    name = str(parameters["FunctionName"])
    arn = name if name.startswith("arn:") else caller.arn("lambda", f"function:{name}")
    if operation == "Invoke" and parameters.get("Qualifier"):
        arn += f":{parameters['Qualifier']}"
    yield Access("lambda:InvokeFunction" if operation == "Invoke" else f"lambda:{operation}", arn)


def _stepfunctions(caller: Caller, operation: str, parameters: Parameters) -> Iterator[Access]:
    """Which machine a task token belongs to is known to the service alone."""
    arn = parameters.get("stateMachineArn") or parameters.get("executionArn") or parameters.get("mapRunArn")
    without = caller.arn("states", OF_THE_TOKEN) if operation.startswith("SendTask") else ANY
    yield Access(f"states:{operation}", arn or without)


def _by_parameter(
    prefix: str, parameter: str, resource: str, alternative: str = ""
) -> Callable[[Caller, str, Parameters], Iterator[Access]]:
    """For services whose calls name their resource, by name or ARN, in one parameter."""

    def needed(caller: Caller, operation: str, parameters: Parameters) -> Iterator[Access]:
        value = str(parameters.get(parameter) or parameters.get(alternative) or "")
        if not value:
            yield Access(f"{prefix}:{operation}", ANY if operation.startswith("List") else NOT_KNOWN)
        elif value.startswith("arn:"):
            yield Access(f"{prefix}:{operation}", value)
        else:
            yield Access(f"{prefix}:{operation}", caller.arn(prefix, resource.format(value.lstrip("/"))))

    return needed


def _ssm(caller: Caller, operation: str, parameters: Parameters) -> Iterator[Access]:
    for name in parameters.get("Names") or [parameters.get("Name")]:
        yield from _by_parameter("ssm", "Name", "parameter/{}")(caller, operation, {"Name": name})


def _events(caller: Caller, operation: str, parameters: Parameters) -> Iterator[Access]:
    if operation != "PutEvents":
        raise UnknownOperation(f"events:{operation}")
    for entry in parameters["Entries"]:
        yield Access("events:PutEvents", caller.arn("events", f"event-bus/{entry.get('EventBusName', 'default')}"))


def _cloudwatch(_: Caller, operation: str, parameters: Parameters) -> Iterator[Access]:
    namespace = str(parameters.get("Namespace") or "")
    yield Access(f"cloudwatch:{operation}", ANY, {"cloudwatch:namespace": namespace} if namespace else {})


def _secretsmanager(caller: Caller, operation: str, parameters: Parameters) -> Iterator[Access]:
    """A secret's ARN ends in six characters that its name does not tell."""
    secret = str(parameters["SecretId"])
    yield Access(
        f"secretsmanager:{operation}",
        secret if secret.startswith("arn:") else caller.arn("secretsmanager", f"secret:{secret}-AbCdEf"),
    )


def _apigateway(caller: Caller, operation: str, parameters: Parameters) -> Iterator[Access]:
    """Permissions of API Gateway are HTTP methods on paths. docs: list_amazonapigatewaymanagement.html"""
    if operation != "GetApiKey":
        raise UnknownOperation(f"apigateway:{operation}")
    yield Access("apigateway:GET", f"arn:aws:apigateway:{caller.region}::/apikeys/{parameters['apiKey']}")


def _sts(_: Caller, operation: str, parameters: Parameters) -> Iterator[Access]:
    """Who one is may be asked by everybody. docs: STS/latest/APIReference/API_GetCallerIdentity.html"""
    if operation.startswith("AssumeRole"):
        yield Access(f"sts:{operation}", str(parameters.get("RoleArn") or ANY))
    elif operation != "GetCallerIdentity":
        yield Access(f"sts:{operation}", ANY)


def _logs(caller: Caller, operation: str, parameters: Parameters) -> Iterator[Access]:
    """docs: service-authorization/latest/reference/list_amazoncloudwatchlogs.html"""
    group = parameters.get("logGroupName")
    if not group:
        yield Access(f"logs:{operation}", NOT_KNOWN)
        return
    below = f"log-stream:{parameters['logStreamName']}" if parameters.get("logStreamName") else "*"
    yield Access(f"logs:{operation}", caller.arn("logs", f"log-group:{group}:{below}"))


_SERVICES: dict[str, Callable[[Caller, str, Parameters], Iterator[Access]]] = {
    "apigateway": _apigateway,
    "athena": _by_parameter("athena", "WorkGroup", "workgroup/{}"),
    "cloudwatch": _cloudwatch,
    "dynamodb": _dynamodb,
    "events": _events,
    "firehose": _by_parameter("firehose", "DeliveryStreamName", "deliverystream/{}"),
    "glue": _by_parameter("glue", "JobName", "job/{}"),
    "kinesis": _by_parameter("kinesis", "StreamName", "stream/{}", "StreamARN"),
    "lambda": _function,
    "logs": _logs,
    "personalize": _personalize,
    "personalize-events": _personalize_events,
    "personalize-runtime": _personalize_runtime,
    "s3": _s3,
    "secretsmanager": _secretsmanager,
    "sns": _by_parameter("sns", "TopicArn", "{}", "TargetArn"),
    "sqs": _queue,
    "ssm": _ssm,
    "stepfunctions": _stepfunctions,
    "sts": _sts,
}
