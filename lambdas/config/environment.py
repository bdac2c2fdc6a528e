"""The environment variables of each function: its stack sets them, and the function reads them once, both from one class.

A function's class has its name: `PlanTraining` is the environment of `plan_training`. A field `data_bucket` is the variable
`DATA_BUCKET`. What all functions have (CONFIG_PATH and the POWERTOOLS_ variables) is set in stacks/functions.py.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Self, dataclass_transform


class MissingVariable(Exception):
    """A variable that the function needs is not set."""

    def __init__(self, variable: str, function: str = "this function") -> None:
        super().__init__(f"The environment variable {variable} of {function} is not set. Deploy the function's stack again.")


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Environment:
    """Every variable that some function has. A function has those that its own class names; each other raises MissingVariable.

    A plain class, not a dataclass: these classes are made in every cold start, and dataclasses take 20 times as long.
    """

    api_url_parameter: str
    batch_lists_table: str
    browser_key_id: str
    catalogue_table: str
    data_bucket: str
    dead_letter_queue_url: str
    deployment: str
    deployment_parameter: str
    erasure_bucket: str
    erasures_table: str
    event_stream: str
    personalize_arn_prefix: str
    """Of the ARNs of this account in Personalize: `arn:aws:personalize:us-east-1:123456789012`."""
    personalize_role_arn: str
    """The role that Personalize takes on in the function's jobs."""
    recent_items_table: str
    record_queue_url: str
    records_table: str
    rules_parameter: str
    runs_table: str
    segments_table: str
    token_secrets: str
    topic_arn: str

    def __init__(self, **values: str) -> None:
        vars(self).update(values)

    if not TYPE_CHECKING:  # mypy would take every name for a variable

        def __getattr__(self, field: str) -> str:
            if field.startswith("_"):
                raise AttributeError(field)
            raise MissingVariable(field.upper(), type(self).__name__)

    @classmethod
    def fields(cls) -> tuple[str, ...]:
        return tuple(cls.__annotations__)

    @classmethod
    def read(cls, variables: Mapping[str, str] = os.environ) -> Self:
        """The environment of this process. Raises MissingVariable with the name of the first that is not set."""
        values = {}
        for field in cls.fields():
            value = variables.get(field.upper()) or getattr(cls, field, None)
            if value is None:
                raise MissingVariable(field.upper(), cls.__name__)
            values[field] = value
        return cls(**values)

    def variables(self) -> dict[str, str]:
        """What the stack sets: `{"DATA_BUCKET": "movielens-data"}`."""
        return {field.upper(): value for field, value in vars(self).items() if value}


def class_name(function: str) -> str:
    """`PlanTraining` for `plan_training`."""
    return function.title().replace("_", "")


def variable(name: str) -> str:
    """One of the variables that all functions have. Raises MissingVariable."""
    if not (value := os.environ.get(name)):
        raise MissingVariable(name)
    return value


@cache
def current() -> Environment:
    """The environment of the function that runs in this process. Raises MissingVariable, before the function does anything."""
    own = class_name(variable("POWERTOOLS_SERVICE_NAME"))
    return next(found for found in Environment.__subclasses__() if found.__name__ == own).read()


class PlanTraining(Environment):
    data_bucket: str
    personalize_arn_prefix: str
    runs_table: str


class PrepareResources(Environment):
    personalize_arn_prefix: str


class ImportData(Environment):
    catalogue_table: str
    data_bucket: str
    erasures_table: str
    personalize_arn_prefix: str
    personalize_role_arn: str
    records_table: str


class TrainSolutions(Environment):
    personalize_arn_prefix: str


class ApproveVersions(Environment):
    api_url_parameter: str
    catalogue_table: str
    data_bucket: str
    deployment: str
    erasures_table: str
    personalize_arn_prefix: str
    personalize_role_arn: str
    runs_table: str
    topic_arn: str


class ApprovalPage(Environment):
    runs_table: str


class DeployCampaigns(Environment):
    data_bucket: str
    personalize_arn_prefix: str
    personalize_role_arn: str


class PublishDeployment(Environment):
    deployment_parameter: str
    personalize_arn_prefix: str


class Report(Environment):
    data_bucket: str
    deployment: str
    runs_table: str
    topic_arn: str


class PutEvents(Environment):
    data_bucket: str
    dead_letter_queue_url: str
    deployment_parameter: str
    erasures_table: str
    recent_items_table: str


class PutRecords(Environment):
    catalogue_table: str
    data_bucket: str
    dead_letter_queue_url: str
    erasures_table: str
    personalize_arn_prefix: str
    record_queue_url: str
    records_table: str


class EraseUser(Environment):
    batch_lists_table: str
    erasures_table: str
    recent_items_table: str
    records_table: str


class DeleteUserData(Environment):
    batch_lists_table: str
    erasure_bucket: str
    erasures_table: str
    personalize_arn_prefix: str
    personalize_role_arn: str
    recent_items_table: str
    records_table: str


class Recommend(Environment):
    batch_lists_table: str
    catalogue_table: str
    data_bucket: str
    deployment_parameter: str
    erasures_table: str
    event_stream: str
    recent_items_table: str
    rules_parameter: str
    token_secrets: str = ""
    """Empty where no placement is for browsers."""


class PlanBatch(Environment):
    runs_table: str


class ExportErasures(Environment):
    data_bucket: str
    erasures_table: str


class RunBatchJob(Environment):
    data_bucket: str
    personalize_arn_prefix: str
    personalize_role_arn: str
    runs_table: str


class LoadRecommendations(Environment):
    batch_lists_table: str
    data_bucket: str
    erasures_table: str
    segments_table: str


class PublishBatch(Environment):
    batch_lists_table: str
    data_bucket: str
    erasures_table: str
    segments_table: str


class ReportBatch(Environment):
    data_bucket: str
    deployment: str
    runs_table: str
    topic_arn: str


class ShopWindow(Environment):
    browser_key_id: str
    catalogue_table: str
    token_secrets: str
