"""With SnapStart, Lambda starts a version once and restores every worker from a snapshot of that start, days later too.

In the snapshot are the imports, the packed config, the compiled models. What ages is not: clients with their connections and what
they have read, clocks (`time.monotonic` need not count the time between), credentials, which random numbers come next.

docs: lambda/latest/dg/snapstart-runtime-hooks-python.html, snapstart-uniqueness.html, snapstart-activate.html
"""

from __future__ import annotations

import importlib
import os
import random

from botocore.exceptions import BotoCoreError
from pydantic import BaseModel

from lambdas.aws import signed
from lambdas.aws.observability import cause, logger
from lambdas.config.packed import packed_config
from lambdas.serving.recommend.worker import worker

#: What is imported at its first use: credentials that are not in variables; the config that an override changes.
_LATER = ("botocore.session", "lambdas.config.validation")
#: What verifies the users' tokens of pages reads its secrets with boto3.
_LATER_FOR_PAGES = ("boto3",)


def register_hooks() -> None:
    """Has Lambda call what follows, where this is the start of a version with SnapStart."""
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start":
        return
    from snapshot_restore_py import register_after_restore, register_before_snapshot  # a part of Lambda's Python

    register_before_snapshot(_prepare)
    register_after_restore(_renew)


def _prepare() -> None:
    """Does ahead what a first call would wait for. It calls no service: the answer would be old."""
    config = packed_config()
    for name in (*_LATER, *(_LATER_FOR_PAGES if config.api.browser_placements else ())):
        importlib.import_module(name)
    _compile(BaseModel)
    worker()


def _compile(model: type[BaseModel]) -> None:
    """All models that were imported, which else are compiled at their first use."""
    for below in model.__subclasses__():
        below.model_rebuild(raise_errors=False)
        _compile(below)


def _renew() -> None:
    """Makes anew what must not come out of a snapshot; credentials before the time of the first answer begins."""
    random.seed()
    worker.cache_clear()
    worker()
    try:
        signed.renew_credentials()
    except BotoCoreError as error:  # the first call asks for them again, and is answered by the rules for a service that is away
        logger.warning("no credentials after the restore", extra={"reason": cause(error)})
