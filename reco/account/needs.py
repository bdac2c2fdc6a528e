"""What a deployment asks of an account, read from its synthesized templates."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reco.account.templates import pseudo_parameters, text

#: An on-demand stream starts with so many shards (kinesis/latest/dev/how-do-i-size-a-stream.html).
_ON_DEMAND_SHARDS = 4
#: Seconds for which a call of the API holds its function, at most: what recommend gives itself, and what surrounds it.
_SECONDS_A_CALL = 0.5
#: Steps of the train and batch runs, and schedules, that run at the same time.
_STEPS = 10
#: The type of a resource and the property that holds its name.
_NAMED = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Kinesis::Stream": "Name",
    "AWS::KinesisFirehose::DeliveryStream": "DeliveryStreamName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}


@dataclass(frozen=True)
class Needs:
    """`names` holds (type, name) by stack; names are whole where the account and region are known."""

    names: Mapping[str, list[tuple[str, str]]]
    ingesting: int
    """Executions that the stream and the queue may hold at the same time."""
    concurrency: int
    """All executions at the same time, at the rate that the API admits."""
    on_demand_streams: int
    shards: int
    bootstrap_version: int


def needs_of(assembly: Path, account: str, region: str) -> Needs:
    """What the templates of a cloud assembly ask for."""
    known = pseudo_parameters(account, region)
    templates = {
        path.name.removesuffix(".template.json"): json.loads(path.read_text()) for path in assembly.glob("*.template.json")
    }
    resources = [resource for template in templates.values() for resource in template["Resources"].values()]
    of_type = {kind: [r["Properties"] for r in resources if r["Type"] == kind] for kind in {r["Type"] for r in resources}}
    streams = of_type.get("AWS::Kinesis::Stream", [])
    on_demand = sum(stream.get("StreamModeDetails", {}).get("StreamMode") == "ON_DEMAND" for stream in streams)
    shards = sum(int(stream.get("ShardCount", 0)) for stream in streams)
    ingesting = sum(
        _executions(mapping, shards or _ON_DEMAND_SHARDS) for mapping in of_type.get("AWS::Lambda::EventSourceMapping", [])
    )
    plans = of_type.get("AWS::ApiGateway::UsagePlan", [])
    rate = sum(float(plan.get("Throttle", {}).get("RateLimit", 0)) for plan in plans)
    return Needs(
        names={stack: list(_names(template, known)) for stack, template in sorted(templates.items())},
        ingesting=ingesting,
        concurrency=ingesting + _STEPS + math.ceil(rate * _SECONDS_A_CALL),
        on_demand_streams=on_demand,
        shards=shards,
        bootstrap_version=max(_bootstrap_version(template) for template in templates.values()),
    )


def _executions(mapping: Mapping[str, Any], shards: int) -> int:
    """What an event source mapping may run at the same time: a factor for each shard, or the queue's maximum."""
    if "ScalingConfig" in mapping:
        return int(mapping["ScalingConfig"]["MaximumConcurrency"])
    return int(mapping.get("ParallelizationFactor", 1)) * shards


def _names(template: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for resource in template["Resources"].values():
        value = resource.get("Properties", {}).get(_NAMED.get(resource["Type"], ""))
        name = text(value, known)
        if name is not None:
            yield resource["Type"], name


def _bootstrap_version(template: Mapping[str, Any]) -> int:
    """Of the rule that the CDK writes: the versions that are too old are listed."""
    rule = template.get("Rules", {}).get("CheckBootstrapVersion")
    if not rule:
        return 0
    old = rule["Assertions"][0]["Assert"]["Fn::Not"][0]["Fn::Contains"][0]
    return max(int(version) for version in old) + 1
