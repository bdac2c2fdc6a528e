"""The CDK app: reads the config, wires the stacks.

`cdk synth -c config=config/shop.yaml -c env=prod -c region=eu-west-1` picks the deployment, its environment and the region.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

# Node releases leave support while this file does not change; the CDK's banner is not our users' news.
os.environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")

import aws_cdk as cdk
import cdk_nag

from lambdas.config import Config, ConfigError
from lambdas.config.file import load_config
from stacks.acknowledged import AcknowledgeByKind
from stacks.api import ApiStack
from stacks.batch import BatchStack
from stacks.ingestion import IngestionStack
from stacks.layer import LayerError
from stacks.names import LongName, require_bucket_name
from stacks.operations import OperationsStack
from stacks.protection import Protect
from stacks.regions import RegionError, require_region
from stacks.serving import ServingStack
from stacks.storage import StorageStack
from stacks.training import TrainingStack

#: The stack of each capability, and those that must be there before it.
CAPABILITIES: dict[str, tuple[Callable[..., cdk.Stack], tuple[str, ...]]] = {
    "storage": (StorageStack, ()),
    "training": (TrainingStack, ("storage",)),
    "ingestion": (IngestionStack, ("training",)),
    "serving": (ServingStack, ("storage",)),
    "api": (ApiStack, ("training", "ingestion", "serving")),
    "batch": (BatchStack, ("ingestion",)),
    "operations": (OperationsStack, ("training",)),
}


def add_stacks(app: cdk.App, config: Config, region: str | None = None) -> None:
    """One stack for each capability, named `recostack-<deployment>-<capability>`."""
    stacks: dict[str, cdk.Stack] = {}
    for name, (stack, needs) in CAPABILITIES.items():
        stacks[name] = stack(
            app,
            f"recostack-{config.name}-{name}",
            config,
            description=f"recostack {config.name}: {name}",
            env=cdk.Environment(region=region),
            termination_protection=config.protection.keep == "everything",
        )
        for needed in needs:
            stacks[name].add_stack_dependency(stacks[needed])
    cdk.Aspects.of(app).add(Protect(config.protection))
    cdk.Aspects.of(app).add(AcknowledgeByKind())
    cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(app))
    for key, value in (config.tags | {"recostack:deployment": config.name}).items():
        cdk.Tags.of(app).add(key, value)


def main() -> None:
    app = cdk.App(outdir=os.environ.get("CDK_OUTDIR", "cdk.out"))
    path = app.node.try_get_context("config") or "config/movielens.yaml"
    region = app.node.try_get_context("region")
    try:
        require_region(region or os.environ.get("CDK_DEFAULT_REGION"))
        config = load_config(Path(path), app.node.try_get_context("env"))
        require_bucket_name(config, region or os.environ.get("CDK_DEFAULT_REGION"))
        add_stacks(app, config, region)
        app.synth()
    except ConfigError as error:
        sys.exit("\n".join(f"{path}: {problem}" for problem in error.problems))
    except (LayerError, LongName, RegionError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
