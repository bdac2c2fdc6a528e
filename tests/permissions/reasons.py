"""Why roles hold actions that no recorded call shows: what AWS does on our behalf, and what the local AWS environment has no need of."""

from __future__ import annotations

import re
from functools import cache

LAMBDA = r".*/\w*Functions\w+Role"
#: Roles, actions or resources (regular expressions), and why.
_REASONS: tuple[tuple[str, str, str], ...] = (
    (
        LAMBDA,
        r"logs:(CreateLogStream|PutLogEvents)",
        "Lambda writes a function's log with the function's role (lambda/latest/dg/monitoring-cloudwatchlogs.html)",
    ),
    (
        LAMBDA,
        r"xray:(PutTraceSegments|PutTelemetryRecords)",
        "Lambda's X-Ray daemon sends the traces with the function's role (lambda/latest/dg/services-xray.html)",
    ),
    (
        r"(training|batch)/PersonalizeRole",
        r"kms:(Decrypt|DescribeKey|GenerateDataKey|ListGrants)|arn:[\w-]+:kms:.*:key/.*",
        "Personalize looks at the data bucket's own key and uses it (personalize/latest/dg/granting-personalize-key-access.html)",
    ),
    (
        r".*Role",
        r"kms:(Decrypt|GenerateDataKey)|arn:[\w-]+:kms:.*:key/.*",
        "S3 decrypts and encrypts with the data bucket's own key in the caller's name, in configs with a kms_key "
        "(AmazonS3/latest/userguide/UsingKMSEncryption.html)",
    ),
    (
        r"ingestion/FunctionsPutEventsRole",
        r"kinesis:(DescribeStream|DescribeStreamSummary|GetRecords|GetShardIterator|ListShards|ListStreams)|.*:stream/{name}_events",
        "the event source mapping reads the stream with the function's role (lambda/latest/dg/services-kinesis-create.html)",
    ),
    (
        r"ingestion/FunctionsPutEventsRole",
        r"s3:(ListBucket|PutObject)|.*/aws/lambda/\*|arn:aws:s3:::recostack-{name}-data-\d+-[a-z0-9-]+",
        "the event source mapping writes batches that failed to S3 with the function's role (lambda/latest/dg/kinesis-on-failure-destination.html)",
    ),
    (
        r"ingestion/FunctionsPutEventsRole",
        r"kinesis:(DescribeStreamConsumer|SubscribeToShard)",
        "the CDK gives an event source mapping all calls that read its stream; these two read what the others read",
    ),
    (
        r"(training/Functions(ImportData|TrainSolutions)|ingestion/FunctionsDeleteUserData)Role",
        r".*:dataset-group/{name}",
        "the calls that create datasets, solutions and deletion jobs name their dataset group too, and IAM may hold them against either "
        "(service-authorization/latest/reference/list_amazonpersonalize.html)",
    ),
    (
        r"ingestion/FunctionsPutRecordsRole",
        r"sqs:(ChangeMessageVisibility|DeleteMessage|GetQueueAttributes|GetQueueUrl|ReceiveMessage)|.*:{name}_records",
        "the event source mapping reads the queue with the function's role (lambda/latest/dg/services-sqs-configure.html)",
    ),
    (
        r"api/ApiCloudWatchRole",
        r".*",
        "API Gateway writes its access logs with the account's role (apigateway/latest/developerguide/set-up-logging.html)",
    ),
    (
        r"ingestion/ArchiveRole",
        r".*",
        "Firehose reads the stream and writes the archive and its log by itself (firehose/latest/dev/controlling-access.html)",
    ),
    (
        r"((training|batch)/Personalize|ingestion/Deletion)Role",
        r".*",
        "Personalize reads and writes the bucket by itself (personalize/latest/dg/granting-personalize-s3-access.html)",
    ),
    (
        r"training/FunctionsPlanTrainingRole",
        r".*/reports/counts/\*",
        "where imports add interactions to earlier ones, the plan reads what those brought; in these tests no second import adds any",
    ),
    (
        r"training/FunctionsImportDataRole",
        r"s3:AbortMultipartUpload|.*/datasets/\*/without-erased/\*",
        "CSVs that hold rows of erased users are copied without them, and an upload that breaks off is taken back",
    ),
    (
        r"batch/Spark\w+Role",
        r".*",
        "Glue reads its script, reads and writes the bucket and writes its log by itself (glue/latest/dg/create-an-iam-role.html)",
    ),
    (
        r"batch/(Batch|Archive)Role",
        r"glue:(GetJobRuns|BatchStopJobRun)",
        "Step Functions waits for a job's end, and stops it with its execution (step-functions/latest/dg/connect-glue.html)",
    ),
    (
        r"batch/BatchRole",
        r"states:(StartExecution|DescribeExecution|StopExecution)|.*:(stateMachine:{name}_batch|execution:{name}_batch[:/]\*)",
        "a Distributed Map starts executions of its own machine (step-functions/latest/dg/iam-policies-eg-dist-map.html)",
    ),
    (
        r"batch/FunctionsLoadRecommendationsRole",
        r"s3:PutObject",
        "writes the lines that it rejects, where there are any",
    ),
    (
        r"batch/FunctionsPublishBatchRole",
        r"dynamodb:BatchWriteItem",
        "takes out lists of users who are erased while they are loaded",
    ),
    (
        r"batch/FunctionsRunBatchJobRole",
        r"s3:ListBucket|arn:aws:s3:::recostack-{name}-data-\d+-[a-z0-9-]+(/snapshots/\*)?|.*:filter/{name}_\*",
        "a ranking takes its candidates from a snapshot, and a batch may have a filter; without ListBucket S3 denies what is missing",
    ),
    (
        r"(training|batch)/StartRole|ingestion/DailyRole",
        r"sqs:SendMessage|.*:{name}_missed-starts",
        "EventBridge Scheduler keeps what it could not start (scheduler/latest/UserGuide/configuring-schedule-dlq.html)",
    ),
    (
        r"serving/FunctionsRecommendRole",
        r"ssm:GetParameter",
        "asks for what is deployed alone where the call for that and the rules override has failed",
    ),
    (
        r"ingestion/FunctionsEraseUserRole",
        r"dynamodb:BatchWriteItem",
        "deletes the recent items of a user who has some",
    ),
    (
        r"\w+/\w+Role",
        r"logs:(\w*LogDeliver(y|ies)|DescribeLogGroups|DescribeResourcePolicies|PutResourcePolicy)",
        "Step Functions delivers an execution's log; these calls take no resource but * (step-functions/latest/dg/cw-logs.html)",
    ),
    (
        r"\w+/(?!Functions)\w+Role",
        r"xray:(GetSamplingRules|GetSamplingTargets|PutTelemetryRecords|PutTraceSegments)",
        "Step Functions traces its executions (step-functions/latest/dg/concepts-xray-tracing.html)",
    ),
)


@cache
def reason(role: str, what: str) -> str:
    """Why the role may hold the action or resource; "" when nothing says so."""
    return next((because for roles, things, because in _REASONS if re.fullmatch(roles, role) and re.fullmatch(things, what)), "")
