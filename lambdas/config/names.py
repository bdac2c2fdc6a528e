"""The names and ARNs of everything a deployment has in Personalize: all follow from the config.

ARN shapes: personalize/latest/dg/API_Types.html. An event tracker alone has an ARN that its name does not give.
"""

from __future__ import annotations

import hashlib

from lambdas.config import Config, environment
from lambdas.config.schemas import DatasetKind

#: Between a deployment and a part of it. Neither can hold it, so that no name of `shop` is one of `shop-prod`, and no role of the
#: one reaches what is the other's.
SEPARATOR = "_"


def own_name(config: Config, part: str) -> str:
    """The name of a deployment's resource: `movielens_recommend`. `part` may be a pattern of IAM."""
    return f"{config.name}{SEPARATOR}{part}"


def fingerprint(text: str) -> str:
    """Eight hex digits that change with the text."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def arn(resource: str) -> str:
    """The ARN of `solution/movielens-for-you`; its prefix, up to the account, comes with the environment of the function."""
    return f"{environment.current().personalize_arn_prefix}:{resource}"


def dataset_group_arn(config: Config) -> str:
    return arn(f"dataset-group/{config.name}")


def dataset_arn(config: Config, kind: DatasetKind) -> str:
    return arn(f"dataset/{config.name}/{kind.upper()}")


def schema_name(config: Config, kind: DatasetKind) -> str:
    """Schemas can't be changed, so a changed one has another name."""
    return own_name(config, f"{kind}-{config.datasets.present()[kind].avro.fingerprint}")


def import_job_name(config: Config, kind: DatasetKind, files: str, run_id: str) -> str:
    """Says what was imported (`files`: the fingerprint of the CSVs) and by which run; import jobs can't be deleted."""
    return own_name(config, f"{kind}-{files}-{fingerprint(run_id)}")


def imported_files(job_name: str) -> str:
    """The fingerprint of the CSVs that an import job of ours took in."""
    return job_name.rsplit("-", 2)[-2] if job_name.count("-") >= 2 else ""


def event_tracker_name(config: Config) -> str:
    return config.name


def filter_name(config: Config, name: str) -> str:
    """Filters can't be changed, so a changed expression makes another filter."""
    return own_name(config, f"{name.replace('_', '-')}-{fingerprint(config.filters[name])}")


def solution_name(config: Config, solution: str) -> str:
    return own_name(config, solution)


def solution_arn(config: Config, solution: str) -> str:
    return arn(f"solution/{solution_name(config, solution)}")


def campaign_name(config: Config, solution: str) -> str:
    return own_name(config, solution)


def campaign_arn(config: Config, solution: str) -> str:
    return arn(f"campaign/{campaign_name(config, solution)}")
