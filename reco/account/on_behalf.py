"""Calls that AWS services make with the deployment's roles, none of which a run here shows: from the services' documentation.

Roles and resources as in calls.json.
"""

from __future__ import annotations

from collections.abc import Iterable

#: An action, a resource and condition keys. `{output:training/RunTopic}` is an output of a stack.
Call = tuple[str, str, dict[str, str]]
_BUCKET = "arn:aws:s3:::{output:storage/DataBucket}"
_STREAM = "arn:aws:kinesis:{region}:{account}:stream/{output:ingestion/EventStream}"


def _at(resource: str, *actions: str) -> list[Call]:
    return [(action, resource, {}) for action in actions]


def _objects(action: str, *keys: str) -> list[Call]:
    return [(action, f"{_BUCKET}/{key}", {}) for key in keys]


def _listed(*prefixes: str) -> list[Call]:
    return [("s3:ListBucket", _BUCKET, {"s3:prefix": prefix}) for prefix in prefixes]


def _spark(reads: Iterable[str], writes: Iterable[str]) -> list[Call]:
    """Spark asks HEAD for a folder without its last slash and lists it; Glue's EMRFS marks the folders that it writes."""
    calls: list[Call] = []
    for folder in sorted({*reads, *writes}):
        calls += _listed(folder, f"{folder}/")
        calls += _objects("s3:GetObject", folder, f"{folder}/part-0", f"{folder}_$folder$")
    for folder in writes:
        calls += _objects("s3:PutObject", f"{folder}/part-0", f"{folder}_$folder$")
        calls += _objects("s3:DeleteObject", f"{folder}/_temporary/0/part-0", f"{folder}_$folder$")
    return calls


_ARCHIVED = "events/year=2026/month=11/day=30/hour=01/a.gz"
#: personalize/latest/dg/granting-personalize-s3-access.html, lambda/latest/dg/services-kinesis-create.html,
#: firehose/latest/dev/controlling-access.html; Spark: the S3A connector of Hadoop 3.3 and Glue's EMRFS.
CALLS: dict[str, list[Call]] = {
    "training/PersonalizeRole": [
        *_listed("datasets/interactions/", "snapshots/a/"),
        *_objects("s3:GetObject", "datasets/interactions/a.csv", "snapshots/a/input.json"),
        *_objects("s3:PutObject", "snapshots/a/output/input.json.out"),
    ],
    "batch/PersonalizeRole": _objects("s3:GetObject", "batch/users/a.json") + _objects("s3:PutObject", "batch/users/a.json.out"),
    "ingestion/ArchiveRole": [
        *_at(_STREAM, "kinesis:DescribeStream", "kinesis:GetShardIterator", "kinesis:GetRecords", "kinesis:ListShards"),
        *_at(_BUCKET, "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"),
        *_objects("s3:PutObject", _ARCHIVED, "events-errors/a"),
        *_objects("s3:AbortMultipartUpload", _ARCHIVED),
    ],
    "ingestion/FunctionsPutEventsRole": _at(
        _STREAM, "kinesis:DescribeStreamSummary", "kinesis:GetShardIterator", "kinesis:GetRecords", "kinesis:ListShards"
    ),
    "batch/SparkBatchInputRole": _spark(["events", "datasets/interactions"], ["batch"]),
    "batch/SparkErasureRole": _spark(["events", "batch/erased"], ["events", "events-staging", "reports/erasures"]),
    "batch/SparkRetentionRole": _spark(["events", "batch/erased"], ["retention"]),
    "batch/SparkInteractionsRole": _spark(["events", "batch/erased"], ["datasets/interactions", "batch"]),
}

#: The same, of what only some configs have: asked where the role is allowed it.
OF_SOME_CONFIGS: dict[str, list[Call]] = {
    "training/PersonalizeRole": [
        *_objects("s3:GetObject", "samples/run/a/users.json"),
        *_objects("s3:PutObject", "samples/run/a/new/users.json.out"),
    ]
}

_KEY_OF_JOBS = ("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", "kms:ListGrants")
#: What services ask of the data bucket's own key: personalize/latest/dg/granting-personalize-key-access.html, where
#: `kms:CreateGrant` is for the key's own policy; firehose/latest/dev/controlling-access.html.
_KEY_OF_SERVICES = {
    "training/PersonalizeRole": _KEY_OF_JOBS,
    "batch/PersonalizeRole": _KEY_OF_JOBS,
    "ingestion/ArchiveRole": ("kms:Decrypt", "kms:GenerateDataKey"),
}
#: What S3 asks KMS for in the caller's name. AmazonS3/latest/userguide/UsingKMSEncryption.html
_KEY_OF_OBJECTS = {"s3:GetObject": "kms:Decrypt", "s3:PutObject": "kms:GenerateDataKey"}


def calls_with_key(role: str, calls: Iterable[Call], bucket: str, key: str) -> list[Call]:
    """What a role needs of the data bucket's own key, by the calls that it makes; both as ARNs."""
    objects = {action for action, resource, _ in calls if resource.startswith(f"{bucket}/")}
    of_objects = {_KEY_OF_OBJECTS[action] for action in objects if action in _KEY_OF_OBJECTS}
    return _at(key, *sorted(of_objects | set(_KEY_OF_SERVICES.get(role, ()))))
