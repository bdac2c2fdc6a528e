"""What roles are allowed for the lists that a person is shown who decides about a version: nothing where nobody is shown any."""

from __future__ import annotations

import aws_cdk as cdk

from lambdas.config import Config
from lambdas.stores import prefixes
from stacks import names
from stacks.grants import Grant, use_key

_BY_RUN = "each run has a folder of its own"


def shown(config: Config) -> bool:
    return any(solution.sample_users for solution in config.solutions.values())


def files_of_jobs(config: Config, bucket: str) -> list[Grant]:
    """To read and write what the jobs do: for who starts them, and for the role that Personalize assumes."""
    return [Grant(["s3:GetObject", "s3:PutObject"], [f"{bucket}/{prefixes.SAMPLES}*"], _BY_RUN)] if shown(config) else []


def read_kept(config: Config, bucket: str) -> list[Grant]:
    """To read the lists beside the run's report."""
    return [_kept(bucket, "s3:GetObject"), *use_key(config, "Decrypt")] if shown(config) else []


def make(stack: cdk.Stack, config: Config, bucket: str) -> list[Grant]:
    """To leave out erased users, to look up titles, and to keep the lists beside the run's report."""
    if not shown(config):
        return []
    tables = [f"table/{of(config)}" for of in (names.erasures_table, names.catalogue_table)]
    return [
        Grant(["dynamodb:BatchGetItem"], [stack.format_arn(service="dynamodb", resource=table) for table in tables]),
        *files_of_jobs(config, bucket),
        _kept(bucket, "s3:GetObject", "s3:PutObject"),
        *use_key(config, "GenerateDataKey"),
    ]


def _kept(bucket: str, *calls: str) -> Grant:
    return Grant(calls, [f"{bucket}/{prefixes.REPORTS}*/samples-*.json"], _BY_RUN)
