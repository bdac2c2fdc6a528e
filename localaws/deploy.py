"""Deploys a synthesized CDK app (a cloud assembly) through CloudFormation, as `cdk deploy` does it for an account."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localaws.clients import Aws
from localaws.errors import LocalAwsError

_BOOTSTRAP_VERSION = "30"
#: Archives of the same files are the same bytes, so that unchanged functions stay as they are.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
#: Types without an effect here that are named when they are deployed.
_SHOWN = ("AWS::ServiceCatalogAppRegistry::",)
_NO_UPDATE = "No updates are to be performed"


@dataclass(frozen=True)
class _StackArtifact:
    """One stack of an assembly."""

    name: str
    template: Path
    assets: Path | None
    dependencies: tuple[str, ...]


def deploy(aws: Aws, app: Path, on_progress: Callable[[str], None]) -> None:
    """Publishes the assets of the assembly in folder `app`, and creates or updates its stacks in their order.

    Raises LocalAwsError naming the stack, the resource and the reason.
    """
    stacks = read_assembly(app)
    _bootstrap(aws, stacks)
    for stack in stacks:
        started = time.monotonic()
        _publish_assets(aws, stack)
        verb = _create_or_update(aws, stack)
        on_progress(f"{verb} stack {stack.name} in {time.monotonic() - started:.1f} s")
        kinds = {resource["Type"] for resource in json.loads(stack.template.read_text()).get("Resources", {}).values()}
        for kind in sorted(kind for kind in kinds if kind.startswith(_SHOWN)):
            on_progress(f"stack {stack.name}: {kind} is accepted and not emulated")


def read_assembly(app: Path) -> list[_StackArtifact]:
    """The stacks of a cloud assembly (nested ones of stages too), each after those it depends on."""
    found = dict(_stacks_in(app))
    if not found:
        raise LocalAwsError(f"{app} holds no stack.")
    graph = {artifact_id: [d for d in stack.dependencies if d in found] for artifact_id, stack in found.items()}
    return [found[artifact_id] for artifact_id in TopologicalSorter(graph).static_order()]


def _stacks_in(folder: Path) -> Iterator[tuple[str, _StackArtifact]]:
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        raise LocalAwsError(f"{folder} is not a synthesized CDK app: it has no manifest.json (run `cdk synth` first).")
    artifacts = json.loads(manifest.read_text())["artifacts"]
    for artifact_id, artifact in artifacts.items():
        properties = artifact.get("properties") or {}
        if artifact["type"] == "cdk:cloud-assembly":
            yield from _stacks_in(folder / properties["directoryName"])
        if artifact["type"] != "aws:cloudformation:stack":
            continue
        dependencies = artifact.get("dependencies") or []
        assets = [artifacts[d] for d in dependencies if artifacts.get(d, {}).get("type") == "cdk:asset-manifest"]
        yield (
            artifact_id,
            _StackArtifact(
                name=properties.get("stackName", artifact_id),
                template=folder / properties["templateFile"],
                assets=folder / assets[0]["properties"]["file"] if assets else None,
                dependencies=tuple(dependencies),
            ),
        )


def _bootstrap(aws: Aws, stacks: list[_StackArtifact]) -> None:
    """What `cdk bootstrap` leaves in an account and a template asks for: the version parameter of its qualifier."""
    names = {"/cdk-bootstrap/hnb659fds/version"}
    for stack in stacks:
        parameter = json.loads(stack.template.read_text()).get("Parameters", {}).get("BootstrapVersion", {})
        names.update([parameter["Default"]] if "Default" in parameter else [])
    for name in names:
        aws.client("ssm").put_parameter(Name=name, Value=_BOOTSTRAP_VERSION, Type="String", Overwrite=True)


def _publish_assets(aws: Aws, stack: _StackArtifact) -> None:
    if stack.assets is None:
        return
    manifest = json.loads(stack.assets.read_text())
    if manifest.get("dockerImages"):
        raise LocalAwsError(f"Stack {stack.name} has docker image assets, which the local AWS environment cannot run.")
    jobs = [
        (stack.assets.parent / asset["source"]["path"], asset["source"].get("packaging"), destination)
        for asset in manifest.get("files", {}).values()
        for destination in asset["destinations"].values()
    ]
    buckets = {_placed(aws, destination["bucketName"]) for _, _, destination in jobs}
    for bucket in buckets:
        _ensure_bucket(aws, bucket)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda job: _publish(aws, *job), jobs))


def _publish(aws: Aws, path: Path, packaging: str | None, destination: dict[str, str]) -> None:
    s3 = aws.client("s3")
    bucket, key = _placed(aws, destination["bucketName"]), _placed(aws, destination["objectKey"])
    try:
        s3.head_object(Bucket=bucket, Key=key)  # keys are hashes of the content: what is there is the same
    except ClientError:
        s3.put_object(Bucket=bucket, Key=key, Body=_zipped(path) if packaging == "zip" else path.read_bytes())


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _ZIP_EPOCH)
            entry.external_attr = file.stat().st_mode << 16
            archive.writestr(entry, file.read_bytes())
    return buffer.getvalue()


def _ensure_bucket(aws: Aws, bucket: str) -> None:
    s3 = aws.client("s3")
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError:
        location = {} if aws.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
        s3.create_bucket(Bucket=bucket, **location)


def _placed(aws: Aws, value: str) -> str:
    """Fills in the pseudo parameters of an asset's destination."""
    values = {"AWS::AccountId": aws.account, "AWS::Region": aws.region, "AWS::Partition": "aws"}
    return re.sub(r"\$\{([^}]+)\}", lambda match: values[match[1]], value)


#: A stack of these states is deleted and made again, as `cdk deploy` does it.
_HALF_MADE = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")


def _create_or_update(aws: Aws, stack: _StackArtifact) -> str:
    cloudformation, template = aws.client("cloudformation"), stack.template.read_text()
    status = _status(cloudformation, stack.name)
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
    parameters = {"StackName": stack.name, "TemplateBody": template, "Capabilities": capabilities}
    try:
        if status in _HALF_MADE:
            cloudformation.delete_stack(StackName=stack.name)
        if status in (None, *_HALF_MADE):
            cloudformation.create_stack(**parameters)
            return "created"
        cloudformation.update_stack(**parameters)
        return "updated"
    except ClientError as error:
        message = error.response["Error"].get("Message", str(error))
        if _NO_UPDATE in message:
            return "unchanged"
        raise LocalAwsError(f"Stack {stack.name} could not be deployed: {message}") from error


def _status(cloudformation: Any, name: str) -> str | None:
    try:
        return str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
    except ClientError:
        return None
