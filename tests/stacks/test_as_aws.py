"""The templates hold each rule of AWS, and with any mend undone they don't: the rule would have refused it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator

import pytest

from localaws.iam.policies import listed
from tests.stacks import aws_rules
from tests.stacks.aws_rules import Deployment
from tests.stacks.conftest import Templates, resources, statements

Rule = Callable[[Deployment], Iterator[str]]
RULES: list[Rule] = [
    aws_rules.spark_roles_look_at_folders,
    aws_rules.personalize_may_run_batch_jobs,
    aws_rules.kinesis_gets_its_content_type,
    aws_rules.personalize_may_use_the_key_and_reads_deletions_without_it,
    aws_rules.ids_are_not_the_callers_to_choose,
    aws_rules.browsers_reach_their_own_api_alone,
    aws_rules.what_has_a_name_goes_with_a_failed_creation,
    aws_rules.nothing_of_a_neighbour_is_ours,
    aws_rules.the_page_of_approvals_may_exchange_an_id_alone,
    aws_rules.what_is_not_started_is_kept,
    aws_rules.what_never_starts_rings,
    aws_rules.data_ends,
    aws_rules.athena_projects_hours_that_were,
    aws_rules.roles_that_start_trust_this_account_alone,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_aws_would_do_what_is_meant(rule: Rule, templates_of_prod: Templates) -> None:
    assert list(rule(Deployment(templates_of_prod))) == []


def without_bare_folders(templates: Templates) -> None:
    """Reading allowed below `events/` alone, as a folder looks to people."""
    for _, statement in statements(templates, "Spark"):
        if statement["Action"] == "s3:GetObject" and len(listed(statement["Resource"])) > 2:
            statement["Resource"] = [one for one in statement["Resource"] if json.dumps(one).rstrip('"]}').endswith("/*")]


def without_markers(templates: Templates) -> None:
    for _, statement in statements(templates, "Spark"):
        if "s3:DeleteObject" in statement["Action"]:
            statement["Resource"] = [one for one in listed(statement["Resource"]) if "$folder$" not in json.dumps(one)]


def with_a_condition_that_needs_its_key(templates: Templates) -> None:
    for _, statement in statements(templates, "Spark"):
        if "StringLikeIfExists" in statement.get("Condition", {}):
            statement["Condition"] = {"StringLike": statement["Condition"]["StringLikeIfExists"]}


def without_listing_snapshots(templates: Templates) -> None:
    for _, statement in statements(templates, "PersonalizeRole"):
        if statement["Action"] == "s3:ListBucket":
            prefixes = statement["Condition"]["StringLike"]["s3:prefix"]
            statement["Condition"]["StringLike"]["s3:prefix"] = [one for one in listed(prefixes) if one != "snapshots/*"]


def without_content_type(templates: Templates) -> None:
    for _, method in resources(templates, "AWS::ApiGateway::Method"):
        if "kinesis" in json.dumps(method["Properties"]["Integration"].get("Uri")):
            del method["Properties"]["Integration"]["RequestParameters"]


def with_the_shops_key_on_deletions(templates: Templates) -> None:
    ((_, bucket),) = resources(templates, "AWS::S3::Bucket", "ErasureLists")
    ((_, data),) = resources(templates, "AWS::S3::Bucket", "Data")
    bucket["Properties"]["BucketEncryption"] = data["Properties"]["BucketEncryption"]


def without_describing_the_key(templates: Templates) -> None:
    for _, statement in statements(templates, "PersonalizeRole"):
        statement["Action"] = [action for action in listed(statement["Action"]) if action != "kms:DescribeKey"]


def with_ids_of_callers(templates: Templates) -> None:
    for _, method in resources(templates, "AWS::ApiGateway::Method"):
        made = method["Properties"]["Integration"].get("RequestTemplates", {})
        for kind, text in made.items():
            made[kind] = text.replace("extendedRequestId", "requestId")


def with_a_throttle_of_zero(templates: Templates) -> None:
    for _, plan in resources(templates, "AWS::ApiGateway::UsagePlan"):
        plan["Properties"]["ApiStages"][0]["Throttle"] = {"/users/{user_id}/DELETE": {"RateLimit": 0, "BurstLimit": 0}}


def with_browsers_at_the_servers_api(templates: Templates) -> None:
    plans = {
        plan["Properties"]["UsagePlanName"].partition("_")[2]: plan["Properties"]
        for _, plan in resources(templates, "AWS::ApiGateway::UsagePlan")
    }
    plans["browsers"]["ApiStages"] += plans["servers"]["ApiStages"]


def without_a_daily_ceiling(templates: Templates) -> None:
    for _, plan in resources(templates, "AWS::ApiGateway::UsagePlan"):
        plan["Properties"].pop("Quota", None)


def with_plain_retain(templates: Templates) -> None:
    for kind in ("AWS::S3::Bucket", "AWS::DynamoDB::Table"):
        for _, resource in resources(templates, kind):
            resource["DeletionPolicy"] = resource["DeletionPolicy"].removesuffix("ExceptOnCreate")


def with_hyphens(templates: Templates) -> None:
    undone = json.loads(json.dumps(templates).replace("shop-prod_", "shop-prod-"))
    for _, function in resources(undone, "AWS::Lambda::Function"):
        function["Properties"]["FunctionName"] = "shop-prod_recommend"
    templates.update(undone)


def with_the_step_as_page(templates: Templates) -> None:
    page = next(statements(templates, "FunctionsApprovalPageRole"))[1]
    page["Action"] = [*listed(page["Action"]), "personalize:DescribeCampaign", "sns:Publish"]


def without_dead_letters_of_schedules(templates: Templates) -> None:
    for _, schedule in resources(templates, "AWS::Scheduler::Schedule"):
        del schedule["Properties"]["Target"]["DeadLetterConfig"]


def without_dead_letters_of_the_rule(templates: Templates) -> None:
    for _, rule in resources(templates, "AWS::Events::Rule"):
        for target in rule["Properties"]["Targets"]:
            del target["DeadLetterConfig"]


def with_silence_as_success(templates: Templates) -> None:
    for _, alarm in resources(templates, "AWS::CloudWatch::Alarm"):
        alarm["Properties"]["TreatMissingData"] = "notBreaching"


def with_sums(templates: Templates) -> None:
    for _, alarm in resources(templates, "AWS::CloudWatch::Alarm"):
        for metric in alarm["Properties"].get("Metrics", []):
            if "FILL" in metric.get("Expression", ""):
                metric["Expression"] = "SUM([failed, timed_out])"


def with_events_for_good(templates: Templates) -> None:
    ((_, data),) = resources(templates, "AWS::S3::Bucket", "Data")
    rules = data["Properties"]["LifecycleConfiguration"]
    rules["Rules"] = [rule for rule in rules["Rules"] if rule.get("Prefix") != "events/"]


def with_hours_to_come(templates: Templates) -> None:
    for _, table in resources(templates, "AWS::Glue::Table"):
        given = table["Properties"]["TableInput"]["Parameters"]
        given.update(
            {
                name: value.replace("NOW", "year=2100/month=01/day=01/hour=00")
                for name, value in given.items()
                if isinstance(value, str)
            }
        )


def with_trust_in_all_accounts(templates: Templates) -> None:
    for _, role in resources(templates, "AWS::IAM::Role", "StartRole"):
        for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
            statement.pop("Condition", None)


UNDONE: list[tuple[Callable[[Templates], None], Rule]] = [
    (without_bare_folders, aws_rules.spark_roles_look_at_folders),
    (without_markers, aws_rules.spark_roles_look_at_folders),
    (with_a_condition_that_needs_its_key, aws_rules.spark_roles_look_at_folders),
    (without_listing_snapshots, aws_rules.personalize_may_run_batch_jobs),
    (without_content_type, aws_rules.kinesis_gets_its_content_type),
    (with_the_shops_key_on_deletions, aws_rules.personalize_may_use_the_key_and_reads_deletions_without_it),
    (without_describing_the_key, aws_rules.personalize_may_use_the_key_and_reads_deletions_without_it),
    (with_ids_of_callers, aws_rules.ids_are_not_the_callers_to_choose),
    (with_a_throttle_of_zero, aws_rules.browsers_reach_their_own_api_alone),
    (with_browsers_at_the_servers_api, aws_rules.browsers_reach_their_own_api_alone),
    (without_a_daily_ceiling, aws_rules.browsers_reach_their_own_api_alone),
    (with_plain_retain, aws_rules.what_has_a_name_goes_with_a_failed_creation),
    (with_hyphens, aws_rules.nothing_of_a_neighbour_is_ours),
    (with_the_step_as_page, aws_rules.the_page_of_approvals_may_exchange_an_id_alone),
    (without_dead_letters_of_schedules, aws_rules.what_is_not_started_is_kept),
    (without_dead_letters_of_the_rule, aws_rules.what_is_not_started_is_kept),
    (with_silence_as_success, aws_rules.what_never_starts_rings),
    (with_sums, aws_rules.what_never_starts_rings),
    (with_events_for_good, aws_rules.data_ends),
    (with_hours_to_come, aws_rules.athena_projects_hours_that_were),
    (with_trust_in_all_accounts, aws_rules.roles_that_start_trust_this_account_alone),
]


@pytest.mark.parametrize(("undo", "rule"), UNDONE, ids=lambda given: given.__name__)
def test_with_a_mend_undone_its_rule_goes_red(
    undo: Callable[[Templates], None], rule: Rule, templates_of_prod: Templates
) -> None:
    undone = copy.deepcopy(templates_of_prod)
    undo(undone)
    assert undone != templates_of_prod, "nothing was undone"
    assert list(rule(Deployment(undone)))
