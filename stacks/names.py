"""The names by which the stacks of one deployment find each other's resources: no exports, no order of updates."""

from __future__ import annotations

import aws_cdk as cdk

from lambdas.config import Config
from lambdas.config.names import own_name

_MAX_BUCKET_NAME = 63
#: The alias of `recommend` that stands for its newest version.
LIVE = "live"


class LongName(Exception):
    """A deployment's name of which a resource's name can't be made."""


def data_bucket(config: Config) -> str:
    """Bucket names are global: account and region make this one unique. They hold no underscore, and need none."""
    return _data_bucket(config.name, cdk.Aws.ACCOUNT_ID, cdk.Aws.REGION)


def require_bucket_name(config: Config, region: str | None) -> None:
    """Raises LongName where S3 would refuse the data bucket's name in the region, as far as the region is known.

    docs: AmazonS3/latest/userguide/bucketnamingrules.html
    """
    if region is None:
        return
    over = len(_data_bucket(config.name, "1" * 12, region)) - _MAX_BUCKET_NAME
    if over > 0:
        raise LongName(
            f"name: the data bucket of '{config.name}' would have {_MAX_BUCKET_NAME + over} characters in {region}, and S3 takes "
            f"{_MAX_BUCKET_NAME}: give the deployment, with its environment, at most {len(config.name) - over} characters."
        )


def _data_bucket(deployment: str, account: str, region: str) -> str:
    return f"recostack-{deployment}-data-{account}-{region}"


def catalogue_table(config: Config) -> str:
    return own_name(config, "catalogue")


def recent_items_table(config: Config) -> str:
    return own_name(config, "recent-items")


def runs_table(config: Config) -> str:
    return own_name(config, "runs")


def api_url_parameter(config: Config) -> str:
    """The SSM parameter with the API's base URL: what mails link to."""
    return f"/recostack/{config.name}/api-url"


def function(config: Config, folder: str) -> str:
    """`recommend` -> `movielens_recommend`."""
    return own_name(config, folder.replace("_", "-"))


def function_arn(config: Config, folder: str) -> str:
    return f"arn:{cdk.Aws.PARTITION}:lambda:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:function:{function(config, folder)}"


def recommend_arn(config: Config) -> str:
    """What the APIs call: with SnapStart the alias, since only published versions have snapshots."""
    return f"{function_arn(config, 'recommend')}{f':{LIVE}' if config.serving.snap_start else ''}"


def state_machine(config: Config, name: str) -> str:
    return own_name(config, name)


def personalize_prefix() -> str:
    """What every ARN of this account's Personalize resources starts with."""
    return f"arn:{cdk.Aws.PARTITION}:personalize:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}"


def browser_api(config: Config) -> str:
    return own_name(config, "browsers")


def token_secrets(config: Config) -> str:
    """The secret that signs the tokens of users. No name may end in a hyphen and six characters, as an ARN does.

    docs: secretsmanager/latest/apireference/API_CreateSecret.html
    """
    return own_name(config, "token-secrets")


def token_secrets_arn(config: Config) -> str:
    """Its ARN ends in six characters that Secrets Manager chooses."""
    return f"arn:{cdk.Aws.PARTITION}:secretsmanager:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:secret:{token_secrets(config)}-??????"


def event_stream(config: Config) -> str:
    return own_name(config, "events")


def archive_stream(config: Config) -> str:
    return own_name(config, "archive")


def record_queue(config: Config) -> str:
    return own_name(config, "records")


def dead_letter_queue(config: Config) -> str:
    return own_name(config, "dead-letters")


def erasures_table(config: Config) -> str:
    return own_name(config, "erasures")


def records_table(config: Config) -> str:
    return own_name(config, "records")


def missed_starts_queue(config: Config) -> str:
    """Where EventBridge puts what it could not start, by a rule or by a schedule."""
    return own_name(config, "missed-starts")


def run_topic(config: Config) -> str:
    return own_name(config, "runs")


def batch_lists_table(config: Config) -> str:
    return own_name(config, "batch-lists")


def segments_table(config: Config) -> str:
    return own_name(config, "segments")


def archive_database(config: Config) -> str:
    """Athena takes no hyphens without quotes."""
    return f"{config.name.replace('-', '_')}_archive"
