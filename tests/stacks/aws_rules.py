"""What AWS would refuse or do otherwise than meant, looked for in the templates: each rule returns the problems that it finds.

Policies are evaluated as IAM does (localaws/iam/policies.py), over a whole deployment whose bucket has the shop's key.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

from localaws.gateway import vtl
from localaws.iam.policies import Access, allowed_by, listed
from tests.stacks.conftest import Templates

ACCOUNT, REGION = "123456789012", "eu-west-1"
_PSEUDO = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}
#: What the Spark jobs read and write: folders of the data bucket by job.
SPARK = {
    "BatchInput": (("events", "datasets/interactions"), ("batch",)),
    "Erasure": (("events", "batch/erased"), ("events", "events-staging", "reports/erasures")),
    "Retention": (("events", "batch/erased"), ("retention",)),
    "Interactions": (("events", "batch/erased"), ("datasets/interactions", "batch")),
}
#: docs: personalize/latest/dg/granting-personalize-key-access.html
KEY_CALLS = ("kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey", "kms:ListGrants")
#: What fixes a resource's name, by the types that have names in the templates.
NAME_PROPERTIES = (
    "BucketName",
    "TableName",
    "QueueName",
    "FunctionName",
    "LogGroupName",
    "StateMachineName",
    "TopicName",
    "Name",
)


class Deployment:
    """The templates with what policies and names need of them."""

    def __init__(self, templates: Templates) -> None:
        self.templates = templates

    def of_type(self, kind: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(capability, logical id, resource)."""
        for capability, template in self.templates.items():
            for id_, resource in template["Resources"].items():
                if resource["Type"] == kind:
                    yield capability, id_, resource

    def text(self, capability: str, value: Any) -> str:
        """A string of the template with its references resolved; what only AWS knows is named after its logical id."""
        if not isinstance(value, dict):
            return str(value)
        if "Fn::Join" in value:
            separator, parts = value["Fn::Join"]
            return str(separator).join(self.text(capability, part) for part in parts)
        if "Fn::Sub" in value:
            return str(value["Fn::Sub"])
        target = value.get("Ref") or value["Fn::GetAtt"][0]
        if target in _PSEUDO:
            return _PSEUDO[target]
        resource = self.templates[capability]["Resources"].get(target, {"Type": "", "Properties": {}})
        named = next((resource["Properties"][name] for name in NAME_PROPERTIES if name in resource.get("Properties", {})), target)
        name = self.text(capability, named)
        if value.get("Fn::GetAtt", ["", ""])[1] == "Arn":
            return f"arn:aws:s3:::{name}" if resource["Type"] == "AWS::S3::Bucket" else f"arn:aws:{resource['Type']}:{name}"
        return name

    def statements(self, role: str) -> list[dict[str, Any]]:
        """What the role, by the beginning of its logical id (`training/PersonalizeRole`), may do."""
        capability, _, beginning = role.partition("/")
        found = []
        for id_, policy in self.templates[capability]["Resources"].items():
            if policy["Type"] == "AWS::IAM::Policy" and id_.startswith(beginning):
                found += [self._plain(capability, one) for one in policy["Properties"]["PolicyDocument"]["Statement"]]
        return found

    def _plain(self, capability: str, statement: dict[str, Any]) -> dict[str, Any]:
        conditions = {
            operator: {key: [self.text(capability, value) for value in listed(values)] for key, values in keys.items()}
            for operator, keys in statement.get("Condition", {}).items()
        }
        return {
            "Effect": statement["Effect"],
            "Action": listed(statement["Action"]),
            "Resource": [self.text(capability, resource) for resource in listed(statement["Resource"])],
            **({"Condition": conditions} if conditions else {}),
        }

    @property
    def data_bucket(self) -> str:
        return next(
            self.text(c, r["Properties"]["BucketName"])
            for c, i, r in self.of_type("AWS::S3::Bucket")
            if "BucketName" in r["Properties"]
        )

    def may(self, role: str, action: str, resource: str, **context: str) -> bool:
        return bool(
            allowed_by(self.statements(role), Access(action, resource, {k.replace("_", ":"): v for k, v in context.items()}))
        )


def spark_roles_look_at_folders(of: Deployment) -> Iterator[str]:
    """Hadoop asks HEAD for a folder without its slash, and for those it is in; EMRFS puts `<folder>_$folder$` beside it."""
    bucket = f"arn:aws:s3:::{of.data_bucket}"
    for job, (reads, writes) in SPARK.items():
        role = f"batch/Spark{job}Role"
        for folder in {part for name in (*reads, *writes) for part in _with_parents(name)}:
            for name in (folder, f"{folder}_$folder$"):
                if not of.may(role, "s3:GetObject", f"{bucket}/{name}"):
                    yield f"{role}: HEAD {name} is denied"
            for context in ({"s3_prefix": folder}, {"s3_prefix": f"{folder}/"}, {}):
                if not of.may(role, "s3:ListBucket", bucket, **context):
                    yield f"{role}: ListBucket of {folder} is denied with {context}"
        markers = [f"{bucket}/{part}_$folder$" for name in writes for part in _with_parents(name)]
        for call in ("s3:PutObject", "s3:DeleteObject"):
            yield from (f"{role}: {call} of {marker} is denied" for marker in markers if not of.may(role, call, marker))
        if of.may(role, "s3:GetObject", f"{bucket}/snapshots/x") or of.may(role, "s3:PutObject", f"{bucket}/datasets/users/x"):
            yield f"{role}: is allowed what is not the job's"


def _with_parents(folder: str) -> list[str]:
    parts = folder.split("/")
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def personalize_may_run_batch_jobs(of: Deployment) -> Iterator[str]:
    """docs: personalize/latest/dg/granting-personalize-s3-access.html: batch workflows get, list and put."""
    bucket = f"arn:aws:s3:::{of.data_bucket}"
    for role, folder in (("training/PersonalizeRole", "snapshots/best-sellers/"), ("batch/PersonalizeRole", "batch/for-you/")):
        for call in ("s3:GetObject", "s3:PutObject"):
            if not of.may(role, call, f"{bucket}/{folder}x.json"):
                yield f"{role}: {call} below {folder} is denied"
        if not of.may(role, "s3:ListBucket", bucket, s3_prefix=folder):
            yield f"{role}: s3:ListBucket of {folder} is denied"


def kinesis_gets_its_content_type(of: Deployment) -> Iterator[str]:
    """docs: apigateway/latest/developerguide/integrating-api-with-aws-services-kinesis.html"""
    found = 0
    for _, id_, method in of.of_type("AWS::ApiGateway::Method"):
        integration = method["Properties"]["Integration"]
        if ":kinesis:action/" in json.dumps(integration.get("Uri")):
            found += 1
            sent = integration.get("RequestParameters", {}).get("integration.request.header.Content-Type")
            if sent != "'application/x-amz-json-1.1'":
                yield f"{id_}: sends the Content-Type {sent}"
    if not found:
        yield "no method writes to Kinesis"


def personalize_may_use_the_key_and_reads_deletions_without_it(of: Deployment) -> Iterator[str]:
    """docs: personalize/latest/dg/granting-personalize-key-access.html, delete-records.html"""
    keys = {resource for one in of.statements("batch/PersonalizeRole") for resource in one["Resource"] if ":kms:" in resource}
    if len(keys) != 1:
        yield f"batch/PersonalizeRole: uses the keys {keys}"
    for key in keys:
        for role in ("training/PersonalizeRole", "batch/PersonalizeRole"):
            yield from (f"{role}: {call} is denied" for call in KEY_CALLS if not of.may(role, call, key))
    read = [one["Resource"] for one in of.statements("ingestion/DeletionRole") if "s3:GetObject" in one["Action"]]
    names = {resource.removeprefix("arn:aws:s3:::").partition("/")[0] for resources in read for resource in resources}
    for capability, id_, bucket in of.of_type("AWS::S3::Bucket"):
        if of.text(capability, {"Ref": id_}) in names:
            names.discard(of.text(capability, {"Ref": id_}))
            rules = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            kinds = {rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in rules}
            if kinds != {"AES256"}:
                yield f"{id_}: holds lists of users to delete under {kinds}"
    yield from (f"{name}: is no bucket of the templates" for name in names)


def ids_are_not_the_callers_to_choose(of: Deployment) -> Iterator[str]:
    """Two requests with one x-amzn-RequestId: `$context.requestId` is the caller's, the extended one API Gateway's."""
    found = 0
    for _, id_, method in of.of_type("AWS::ApiGateway::Method"):
        for template in method["Properties"]["Integration"].get("RequestTemplates", {}).values():
            if isinstance(template, str) and "received_at" in template:
                found += 1
                first, second = (_rendered(template, extended) for extended in ("one=", "two="))
                if not first or first & second:
                    yield f"{id_}: two requests share the ids {first & second}"
    if found < 2:
        yield "no template writes records"


def _rendered(template: str, extended: str) -> set[str]:
    """The ids and partition keys of what the template makes of a request."""
    body = json.dumps({"events": [{"event_type": "view"}, {"event_type": "view"}], "TITLE": "x"})
    context = {"requestId": "chosen", "extendedRequestId": extended, "requestTimeEpoch": 1}
    parameters = {"path": {"item_id": "i", "user_id": "u"}, "querystring": {}, "header": {}}
    made = vtl.render(template, body, parameters, context, {})
    if not made.lstrip().startswith("{"):
        message = json.loads(_unquoted(made))
        return {str(message["id"])}
    records = json.loads(made)["Records"]
    ids = {json.loads(base64.b64decode(record["Data"]))["id"] for record in records}
    return ids | {record["PartitionKey"] for record in records}


def _unquoted(form: str) -> str:
    from urllib.parse import parse_qs

    return parse_qs(form)["MessageBody"][0]


#: What may stand behind the browsers' API: the stream of events, the function that checks tokens, and pages.
_WITH_THE_KEY = (":kinesis:action/PutRecords", "_recommend/invocations", "_recommend:live/invocations")
_FOR_EVERYBODY = (":s3:path/", "FunctionsShopWindow")


def browsers_reach_their_own_api_alone(of: Deployment) -> Iterator[str]:
    """A throttle is best effort and authorises nothing: what a key may call is the API that it belongs to.

    docs: apigateway/latest/developerguide/api-gateway-api-usage-plans.html
    """
    plans = [plan["Properties"] for _, _, plan in of.of_type("AWS::ApiGateway::UsagePlan")]
    for plan in plans:
        for stage in plan["ApiStages"]:
            if any(throttle["RateLimit"] == 0 for throttle in stage.get("Throttle", {}).values()):
                yield f"{plan['UsagePlanName']}: forbids methods by a throttle of zero"
    browsers = [plan for plan in plans if "browsers" in plan["UsagePlanName"]]
    if len(browsers) != 1 or not browsers[0].get("Quota"):
        yield "the browsers' plan has no quota"
    apis = {stage["ApiId"]["Ref"] for plan in browsers for stage in plan["ApiStages"]}
    for _, id_, method in of.of_type("AWS::ApiGateway::Method"):
        properties = method["Properties"]
        if properties["RestApiId"]["Ref"] in apis and properties["HttpMethod"] != "OPTIONS":
            yield from _a_browser_may(id_, properties)
    for _, id_, stage in of.of_type("AWS::ApiGateway::Stage"):
        every = [settings for settings in stage["Properties"].get("MethodSettings", []) if settings["ResourcePath"] == "/*"]
        if not any(settings.get("ThrottlingRateLimit") for settings in every):
            yield f"{id_}: has no throttle"


def _a_browser_may(id_: str, properties: dict[str, Any]) -> Iterator[str]:
    reached = json.dumps(properties["Integration"].get("Uri"))
    if not any(one in reached for one in (*_WITH_THE_KEY, *_FOR_EVERYBODY)):
        yield f"{id_}: browsers may call it"
    if any(one in reached for one in _WITH_THE_KEY) and not properties.get("ApiKeyRequired"):
        yield f"{id_}: no ceiling bounds it, since it asks for no key"


def what_has_a_name_goes_with_a_failed_creation(of: Deployment) -> Iterator[str]:
    """`Retain` keeps a resource when its creation is rolled back, and its name blocks the next attempt.

    docs: AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
    """
    retained = 0
    for capability, template in of.templates.items():
        for id_, resource in template["Resources"].items():
            retained += resource.get("DeletionPolicy") == "RetainExceptOnCreate"
            named = any(name in resource.get("Properties", {}) for name in NAME_PROPERTIES)
            if resource.get("DeletionPolicy") == "Retain" and (named or resource["Type"] == "AWS::S3::Bucket"):
                yield f"{capability}/{id_}: outlives a creation that failed"
    if not retained:
        yield "nothing is retained at all"


def nothing_of_a_neighbour_is_ours(of: Deployment) -> Iterator[str]:
    """`shop-prod` is no prefix of a name or a pattern of ours, and ours are none of `shop-prod-two`'s."""
    own = re.escape(next(iter(of.of_type("AWS::Lambda::Function")))[2]["Properties"]["FunctionName"].partition("_")[0])
    neighbour = re.compile(rf"(?<![\w-]){own}-(?!data-{ACCOUNT}-|[a-z]+-\d)")
    for capability, id_, policy in of.of_type("AWS::IAM::Policy"):
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            for resource in listed(statement["Resource"]):
                if neighbour.search(of.text(capability, resource)):
                    yield f"{capability}/{id_}: reaches {of.text(capability, resource)}"
    for capability, template in of.templates.items():
        for id_, made in template["Resources"].items():
            for name in NAME_PROPERTIES:
                given = made.get("Properties", {}).get(name)
                if given is not None and neighbour.search(of.text(capability, given)):
                    yield f"{capability}/{id_}: is called {of.text(capability, given)}"


def the_page_of_approvals_may_exchange_an_id_alone(of: Deployment) -> Iterator[str]:
    """Whoever reads a mail's link reaches this function: it has neither Personalize's permissions nor SNS's."""
    functions = {
        match[1]
        for _, _, method in of.of_type("AWS::ApiGateway::Method")
        if not method["Properties"].get("ApiKeyRequired") and method["Properties"]["AuthorizationType"] == "NONE"
        for match in [
            re.search(r":function:[\w-]+_([\w-]+)/", of.text("api", method["Properties"]["Integration"].get("Uri", "")))
        ]
        if match
    }
    if not functions:
        yield "no page is open to all"
    harmless = {"dynamodb:GetItem", "dynamodb:DeleteItem", "states:SendTaskSuccess", "logs:CreateLogStream", "logs:PutLogEvents"}
    harmless |= {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
    for function in functions:
        title = "".join(part.title() for part in function.split("-"))
        actions = {action for one in of.statements(f"training/Functions{title}Role") for action in one["Action"]}
        if not actions:
            yield f"{function}: its role was not found"
        yield from (f"{function}: may {action}" for action in sorted(actions - harmless))


def what_is_not_started_is_kept(of: Deployment) -> Iterator[str]:
    """docs: scheduler/latest/UserGuide/configuring-schedule-dlq.html, eventbridge/latest/userguide/eb-rule-dlq.html"""
    targets = [(c, i, r["Properties"]["Target"]) for c, i, r in of.of_type("AWS::Scheduler::Schedule")]
    targets += [(c, i, target) for c, i, r in of.of_type("AWS::Events::Rule") for target in r["Properties"]["Targets"]]
    if len(targets) < 5:
        yield "schedules are missing"
    for capability, id_, target in targets:
        if "DeadLetterConfig" not in target:
            yield f"{capability}/{id_}: what it can't start is lost"
            continue
        role = f"{capability}/{target['RoleArn']['Fn::GetAtt'][0][:-8]}"
        queue = next(r for _, i, r in of.of_type("AWS::SQS::Queue") if i.startswith("MissedStarts"))["Properties"]["QueueName"]
        if not of.may(role, "sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"):
            yield f"{capability}/{id_}: its role may not keep what it can't start"


def what_never_starts_rings(of: Deployment) -> Iterator[str]:
    alarms = {
        alarm["Properties"]["AlarmName"].partition("_")[2]: alarm["Properties"]
        for _, _, alarm in of.of_type("AWS::CloudWatch::Alarm")
    }
    for name in ("train-overdue", "batch-overdue", "archive-overdue", "user-deletion-overdue"):
        alarm = alarms.get(name, {})
        days = alarm.get("EvaluationPeriods", 0)
        if alarm.get("TreatMissingData") != "breaching" or alarm.get("Period") != 86_400 or not 2 <= days <= 7:
            yield f"{name}: is silent when nothing runs"
    for name, alarm in alarms.items():
        for metric in alarm.get("Metrics", []):
            if "SUM(" in metric.get("Expression", ""):
                yield f"{name}: whether SUM leaves out what has no data is not documented"
    if "missed-starts" not in alarms:
        yield "nobody hears of missed starts"


def data_ends(of: Deployment) -> Iterator[str]:
    bucket = next(r for _, _, r in of.of_type("AWS::S3::Bucket") if "BucketName" in r["Properties"])
    rules = {rule["Prefix"]: rule for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"] if "Prefix" in rule}
    for prefix in ("events/", "events-staging/", "athena/"):
        if "ExpirationInDays" not in rules.get(prefix, {}):
            yield f"{prefix} never ends"


def athena_projects_hours_that_were(of: Deployment) -> Iterator[str]:
    table = next(
        r["Properties"]["TableInput"]
        for _, _, r in of.of_type("AWS::Glue::Table")
        if r["Properties"]["TableInput"]["Name"] == "events"
    )
    for key in table["PartitionKeys"]:
        if table["Parameters"][f"projection.{key['Name']}.type"] != "date":
            yield f"{key['Name']}: is projected over hours that are no dates"
        if not table["Parameters"][f"projection.{key['Name']}.range"].endswith(",NOW"):
            yield f"{key['Name']}: is projected over hours to come"


def roles_that_start_trust_this_account_alone(of: Deployment) -> Iterator[str]:
    for capability, id_, role in of.of_type("AWS::IAM::Role"):
        for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
            service = str(statement["Principal"].get("Service", ""))
            own = statement.get("Condition", {}).get("StringEquals", {}).get("aws:SourceAccount")
            if service.startswith(("events.", "scheduler.", "personalize.")) and own != {"Ref": "AWS::AccountId"}:
                yield f"{capability}/{id_}: {service} may use it for others"
