"""What a cloud assembly holds, as lanes to draw: who starts it, what runs, what it reads and writes, what it asks of Personalize.

All of it is in the templates: routes and their integrations, event source mappings, schedules and rules, the functions and Glue
jobs that a state machine's definition names, and the calls that roles allow. Left out is what every part has alike: logs,
traces, keys, roles.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdas.config.names import SEPARATOR

READS = ("Get", "BatchGet", "Query", "Scan", "List", "Describe", "Receive")
#: Kinds of what functions keep things in, by the service of the call.
STORES = {"dynamodb": "table", "s3": "bucket", "sqs": "queue", "sns": "topic", "ssm": "parameter", "events": "bus"}
#: The property that names a resource.
NAMES = ("FunctionName", "TableName", "QueueName", "BucketName", "TopicName", "StateMachineName", "Name", "DeliveryStreamName")
#: What is drawn of the stacks, in this order; further stacks with functions come after them.
TITLES = {
    "training": "Bulk: from CSVs to campaigns",
    "ingestion": "Real time: events, items, users",
    "serving": "Serving: answers over HTTP",
    "batch": "Batch: a list for every user",
}


@dataclass(frozen=True)
class Store:
    """A table, a queue, a prefix of the bucket, ..., and whether it is read, written or both."""

    kind: str
    name: str
    reads: bool
    writes: bool


@dataclass(frozen=True)
class Step:
    """A function or a Glue job."""

    kind: str
    name: str
    description: str = ""


@dataclass(frozen=True)
class Lane:
    """What runs in one go. `machine` is empty for a function by itself; `source` is the stream or queue that it reads."""

    machine: str
    steps: list[Step]
    entries: list[str]
    source: tuple[str, str] | None
    stores: list[Store]
    calls: list[str]


@dataclass(frozen=True)
class Band:
    """A capability."""

    title: str
    lanes: list[Lane]


@dataclass(frozen=True)
class Resource:
    """A resource of a template, whose stack is `stack`."""

    stack: str
    id: str
    properties: Mapping[str, Any]


class Assembly:
    """The templates of one deployment."""

    def __init__(self, folder: Path, deployment: str) -> None:
        self.folder, self.deployment = folder, deployment
        prefix, suffix = f"recostack-{deployment}-", ".template.json"
        self.templates: dict[str, dict[str, Any]] = {
            file.name.removeprefix(prefix).removesuffix(suffix): json.loads(file.read_text())["Resources"]
            for file in sorted(folder.glob(f"{prefix}*{suffix}"))
        }

    def of_type(self, kind: str) -> Iterator[Resource]:
        for stack, resources in self.templates.items():
            for id_, resource in resources.items():
                if resource["Type"] == kind:
                    yield Resource(stack, id_, resource.get("Properties", {}))

    def text(self, value: Any, stack: str) -> str:
        """A value with its references replaced by the names of what they refer to."""
        if not isinstance(value, dict):
            return str(value)
        if "Fn::Join" in value:
            separator, parts = value["Fn::Join"]
            return str(separator).join(self.text(part, stack) for part in parts)
        target = value.get("Ref") or value.get("Fn::GetAtt", [""])[0]
        properties = self.templates[stack].get(target, {}).get("Properties", {})
        named = next((properties[name] for name in NAMES if name in properties), "")
        return self.text(named, stack) if named else "" if str(target).startswith("AWS::") else str(target)

    def name(self, resource: Resource) -> str:
        """Without the deployment's: `recommend`."""
        own = next((self.text(resource.properties[name], resource.stack) for name in NAMES if name in resource.properties), "")
        return own.removeprefix(f"{self.deployment}{SEPARATOR}").replace("-", "_") or resource.id

    def allowed(self, role: Any, stack: str) -> Iterator[tuple[str, str]]:
        """(action, resource) of all that the policies of a role, as a property refers to it, allow."""
        for policy in self.of_type("AWS::IAM::Policy"):
            if policy.stack == stack and {"Ref": role["Fn::GetAtt"][0]} in policy.properties["Roles"]:
                for statement in policy.properties["PolicyDocument"]["Statement"]:
                    for action in as_list(statement["Action"]):
                        for resource in as_list(statement["Resource"]):
                            yield action, self.text(resource, stack)

    def buckets(self) -> list[str]:
        """The names of the deployment's own."""
        return [
            self.text(one.properties["BucketName"], one.stack)
            for one in self.of_type("AWS::S3::Bucket")
            if "BucketName" in one.properties
        ]


def bands(assembly: Assembly) -> list[Band]:
    """The capabilities with their lanes."""
    machines = list(assembly.of_type("AWS::StepFunctions::StateMachine"))
    lanes: dict[str, list[Lane]] = {}
    within: set[str] = set()
    starts = entries(assembly)
    for machine in machines:
        steps = steps_of(assembly, machine)
        within |= {step.name for step in steps}
        lanes.setdefault(machine.stack, []).append(lane(assembly, machine, steps, starts))
    alone = [(one, "function") for one in assembly.of_type("AWS::Lambda::Function")]
    alone += [(one, "job") for one in assembly.of_type("AWS::Glue::Job")]
    for resource, kind in alone:
        if assembly.name(resource) not in within:
            lanes.setdefault(resource.stack, []).append(lane(assembly, resource, [step_of(assembly, resource, kind)], starts))
    for stream in assembly.of_type("AWS::KinesisFirehose::DeliveryStream"):
        lanes.setdefault(stream.stack, []).append(delivery(assembly, stream, starts))
    order = [*TITLES, *sorted(lanes.keys() - TITLES.keys())]
    return [Band(TITLES.get(stack, stack.title()), ordered(lanes[stack])) for stack in order if stack in lanes]


def ordered(lanes: list[Lane]) -> list[Lane]:
    """Those that share a source side by side."""
    first: dict[tuple[str, str] | None, int] = {}
    for position, one in enumerate(lanes):
        first.setdefault(one.source, position)
    return sorted(lanes, key=lambda one: first[one.source] if one.source else lanes.index(one))


def lane(assembly: Assembly, resource: Resource, steps: list[Step], starts: Mapping[str, list[str]]) -> Lane:
    machine = assembly.name(resource) if "StateMachineName" in resource.properties else ""
    names = {step.name for step in steps} if machine else set()
    runs = [
        one
        for kind in ("AWS::Lambda::Function", "AWS::Glue::Job")
        for one in assembly.of_type(kind)
        if assembly.name(one) in names
    ]
    calls, stores = access(assembly, [resource, *runs])
    source = source_of(assembly, resource)
    begins = [*starts.get(source[1] if source else "", []), *starts.get(machine, [])]
    begins += [entry for step in steps for entry in starts.get(step.name, [])]
    return Lane(
        machine, steps, list(dict.fromkeys(begins)), source, [one for one in stores if (one.kind, one.name) != source], calls
    )


def access(assembly: Assembly, parts: list[Resource]) -> tuple[list[str], list[Store]]:
    """The calls of Personalize that the roles of these allow, and the stores with how they are used."""
    calls: dict[str, None] = {}
    used: dict[tuple[str, str], set[str]] = {}
    for part in parts:
        role = part.properties.get("RoleArn") or part.properties.get("Role")
        for action, resource in assembly.allowed(role, part.stack):
            service, call = action.split(":")
            if service == "personalize":
                calls[call] = None
            name = stored_in(assembly, service, resource)
            if name:
                used.setdefault((STORES[service], name), set()).add("read" if call.startswith(READS) else "write")
    stores = [Store(kind, name, "read" in how, "write" in how) for (kind, name), how in sorted(used.items())]
    return list(calls), stores


def delivery(assembly: Assembly, stream: Resource, starts: Mapping[str, list[str]]) -> Lane:
    """Firehose: from its stream to a prefix of the bucket."""
    source = assembly.text(stream.properties["KinesisStreamSourceConfiguration"]["KinesisStreamARN"], stream.stack)
    name = plain(source, assembly.deployment)
    prefix = str(stream.properties["ExtendedS3DestinationConfiguration"]["Prefix"]).partition("/")[0] + "/"
    step = Step("delivery", assembly.name(stream), "Firehose: gzipped JSON lines, by the hour")
    return Lane("", [step], starts.get(name, []), ("stream", name), [Store("bucket", prefix, False, True)], [])


def steps_of(assembly: Assembly, machine: Resource) -> list[Step]:
    """What a machine's definition names, in the order in which it does."""
    definition = machine.properties["DefinitionString"]
    known = {
        assembly.text({"Ref": one.id}, one.stack): (one, kind)
        for kind, cloud in (("function", "AWS::Lambda::Function"), ("job", "AWS::Glue::Job"))
        for one in assembly.of_type(cloud)
    }
    named = {key: assembly.text(value, machine.stack) for key, value in machine.properties["DefinitionSubstitutions"].items()}
    order = sorted((definition.find(f"${{{key}}}"), name) for key, name in named.items() if name in known)
    return [step_of(assembly, *known[name]) for _, name in order]


def step_of(assembly: Assembly, resource: Resource, kind: str) -> Step:
    return Step(kind, assembly.name(resource), str(resource.properties.get("Description", "")))


def source_of(assembly: Assembly, function: Resource) -> tuple[str, str] | None:
    """The stream or queue that an event source mapping reads for the function."""
    for mapping in assembly.of_type("AWS::Lambda::EventSourceMapping"):
        if mapping.stack == function.stack and mapping.properties["FunctionName"] == {"Ref": function.id}:
            id_ = mapping.properties["EventSourceArn"]["Fn::GetAtt"][0]
            kind = "stream" if assembly.templates[mapping.stack][id_]["Type"] == "AWS::Kinesis::Stream" else "queue"
            return kind, plain(assembly.text({"Ref": id_}, mapping.stack), assembly.deployment)
    return None


def entries(assembly: Assembly) -> dict[str, list[str]]:
    """What starts each function, machine, stream or queue, by its name."""
    found: dict[str, list[str]] = {}
    for target, label in (*routes(assembly), *timers(assembly)):
        found.setdefault(plain(target, assembly.deployment), []).append(label)
    return found


def routes(assembly: Assembly) -> Iterator[tuple[str, str]]:
    """(name of what it calls, `GET /recommendations/{placement}`). A route that calls nothing is none of ours."""
    for method in assembly.of_type("AWS::ApiGateway::Method"):
        integration = method.properties.get("Integration", {})
        uri = assembly.text(integration.get("Uri", ""), method.stack)
        label = f"{method.properties['HttpMethod']} {path_of(assembly, method)}"
        if "/invocations" in uri:
            yield uri.removesuffix("/invocations").rpartition(":")[2], label
        elif integration.get("Credentials"):
            for action, resource in assembly.allowed(integration["Credentials"], method.stack):
                if f":{action.partition(':')[0]}:" in uri:
                    yield resource.replace("/", ":").rpartition(":")[2], label


def path_of(assembly: Assembly, method: Resource) -> str:
    resources, path, at = assembly.templates[method.stack], "", method.properties["ResourceId"]
    while "Ref" in at and "PathPart" in resources[at["Ref"]]["Properties"]:
        properties = resources[at["Ref"]]["Properties"]
        path, at = f"/{properties['PathPart']}{path}", properties["ParentId"]
    return path or "/"


def timers(assembly: Assembly) -> Iterator[tuple[str, str]]:
    """Schedules, and rules that react to something."""
    for schedule in assembly.of_type("AWS::Scheduler::Schedule"):
        target = assembly.text(schedule.properties["Target"]["Arn"], schedule.stack)
        yield target, f"schedule {schedule.properties['ScheduleExpression']}"
    for rule in assembly.of_type("AWS::Events::Rule"):
        pattern = rule.properties.get("EventPattern", {})
        keys = pattern.get("detail", {}).get("object", {}).get("key", [])
        what = f"S3 {keys[0]}" if keys else rule.properties.get("ScheduleExpression") or " ".join(pattern.get("detail-type", []))
        for target in rule.properties.get("Targets", []):
            yield assembly.text(target["Arn"], rule.stack), str(what)


def stored_in(assembly: Assembly, service: str, resource: str) -> str:
    """The name of the store that a call of this service is about; empty for one that keeps nothing, or for a whole bucket."""
    if service not in STORES or resource == "*":
        return ""
    if service == "s3":
        bucket, slash, key = resource.partition("/")
        ours = slash and any(bucket.endswith(name) for name in assembly.buckets())
        return key.partition("*")[0].partition("/")[0] + "/" if ours else ""
    if service == "dynamodb":
        return plain((resource.partition("table/")[2] or resource).partition("/")[0], assembly.deployment)
    return plain(resource.rpartition("/")[2].rpartition(":")[2], assembly.deployment)


def plain(name: str, deployment: str) -> str:
    return name.removeprefix(f"{deployment}{SEPARATOR}").replace("-", "_")


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
