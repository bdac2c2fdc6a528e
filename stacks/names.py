"""The names by which the stacks of one deployment find each other's resources: no exports, no order of updates."""

from __future__ import annotations

import aws_cdk as cdk

from lambdas.config import Config


def data_bucket(config: Config) -> str:
    """Bucket names are global: account and region make this one unique."""
    return f"recostack-{config.name}-data-{cdk.Aws.ACCOUNT_ID}-{cdk.Aws.REGION}"


def catalogue_table(config: Config) -> str:
    return f"{config.name}-catalogue"


def recent_items_table(config: Config) -> str:
    return f"{config.name}-recent-items"


def runs_table(config: Config) -> str:
    return f"{config.name}-runs"


def api_url_parameter(config: Config) -> str:
    """The SSM parameter with the API's base URL: what mails link to."""
    return f"/recostack/{config.name}/api-url"


def function(config: Config, folder: str) -> str:
    """`recommend` -> `movielens-recommend`."""
    return f"{config.name}-{folder.replace('_', '-')}"


def function_arn(config: Config, folder: str) -> str:
    return f"arn:{cdk.Aws.PARTITION}:lambda:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:function:{function(config, folder)}"


def state_machine(config: Config, name: str) -> str:
    return f"{config.name}-{name}"


def personalize_prefix() -> str:
    """What every ARN of this account's Personalize resources starts with."""
    return f"arn:{cdk.Aws.PARTITION}:personalize:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}"


def browser_api(config: Config) -> str:
    return f"{config.name}-browsers"


def event_stream(config: Config) -> str:
    return f"{config.name}-events"


def archive_stream(config: Config) -> str:
    return f"{config.name}-archive"


def record_queue(config: Config) -> str:
    return f"{config.name}-records"


def dead_letter_queue(config: Config) -> str:
    return f"{config.name}-dead-letters"


def erasures_table(config: Config) -> str:
    return f"{config.name}-erasures"


def records_table(config: Config) -> str:
    return f"{config.name}-records"


def missed_starts_queue(config: Config) -> str:
    """Where EventBridge puts what it could not start, by a rule or by a schedule."""
    return f"{config.name}-missed-starts"


def run_topic(config: Config) -> str:
    return f"{config.name}-runs"


def batch_lists_table(config: Config) -> str:
    return f"{config.name}-batch-lists"


def segments_table(config: Config) -> str:
    return f"{config.name}-segments"


def archive_database(config: Config) -> str:
    """Athena takes no hyphens without quotes."""
    return f"{config.name.replace('-', '_')}_archive"
