"""Every day: erased users leave the tables once more, and a job deletes from Personalize all that it holds about them.

It names every erased user each time, since an import may have brought one back.
docs: personalize/latest/dg/delete-records.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.aws import clients
from lambdas.aws.ensure import newest
from lambdas.aws.observability import count, logger, metrics
from lambdas.config import Config, environment
from lambdas.config.names import dataset_group_arn, own_name
from lambdas.config.packed import packed_config
from lambdas.config.tags import deployment_tags
from lambdas.ingestion import user_data
from lambdas.stores.erasures import all_erased
from lambdas.stores.prefixes import address
from personalize_rules.csv import has_room_for, line_of


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    answer = delete_all(packed_config())
    count(DeletionRuns=1)
    return answer


def delete_all(config: Config) -> dict[str, Any]:
    users = list(all_erased())
    user_data.delete_from_tables(config, users)
    before = _latest_job(config)
    if before is not None and before["status"] in ("PENDING", "IN_PROGRESS"):
        return {"status": "RUNNING", "job": before["dataDeletionJobArn"]}
    count(DeletionJobsFailed=int(before is not None and before["status"] == "FAILED"))
    if before is not None and before["status"] == "FAILED":
        logger.error("the deletion job before failed", extra={"reason": before.get("failureReason")})
    if not users:
        return {"status": "NOTHING_TO_DELETE"}
    try:
        return {"status": "STARTED", "users": len(users), "job": _start_job(config, users)}
    except clients.personalize().exceptions.ResourceNotFoundException:  # no dataset group before the first train run
        return {"status": "NOTHING_TO_DELETE"}


def _latest_job(config: Config) -> dict[str, Any] | None:
    """The newest deletion job, None before the first (and before the first train run makes the dataset group)."""
    personalize = clients.personalize()
    try:
        jobs, extra = [], dict[str, str]()
        while True:
            page = personalize.list_data_deletion_jobs(datasetGroupArn=dataset_group_arn(config), **extra)  # type: ignore[arg-type]
            jobs += page["dataDeletionJobs"]
            if "nextToken" not in page:
                return newest(jobs)
            extra = {"nextToken": page["nextToken"]}
    except personalize.exceptions.ResourceNotFoundException:
        return None


def _start_job(config: Config, users: list[str]) -> str:
    """Write the users' CSV and start the job; returns its ARN."""
    started = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    named = [user for user in users if has_room_for(user)]
    if len(named) < len(users):  # put_events and put_records keep them out of Personalize; earlier releases did not
        logger.warning("ids that no CSV can name are left out", extra={"users_left_out": len(users) - len(named)})
    text = "".join(f"{line_of([cell])}\n" for cell in ("USER_ID", *named))
    bucket, folder = environment.current().erasure_bucket, started
    clients.s3().put_object(Bucket=bucket, Key=f"{folder}/users.csv", Body=text.encode())
    answer = clients.personalize().create_data_deletion_job(
        jobName=own_name(config, f"erasure-{started}"),
        datasetGroupArn=dataset_group_arn(config),
        dataSource={"dataLocation": address(bucket, f"{folder}/")},
        roleArn=environment.current().personalize_role_arn,
        tags=deployment_tags(config),
    )
    return answer["dataDeletionJobArn"]
