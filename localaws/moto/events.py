"""EventBridge rules and notifications of other services: every target gets its event, and gets it asynchronously.

moto calls targets while it holds its own request; a function that called the same service back would wait for ever.
"""

from __future__ import annotations

import datetime
import json
import logging
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import quote_plus

from localaws.clients import Aws
from localaws.iam.permissions import Denied, Permissions
from localaws.iam.policies import Access
from localaws.moto.lambda_functions import LambdaService
from localaws.moto.targets import Sender, Targets
from localaws.patching import intercept, locate, replace

_LOG = logging.getLogger(__name__)
#: The protocols of subscriptions to topics.
SUBSCRIBERS = frozenset({"email", "email-json", "sqs"})


def install(aws: Aws, functions: LambdaService, permissions: Permissions) -> Targets:
    """Puts asynchronous delivery in the place of moto's. Returns the targets, for schedules and pollers."""
    targets = Targets(aws, functions)
    deliveries = ThreadPoolExecutor(16, thread_name_prefix="deliver")
    replace("moto.events.models:Rule.send_to_targets", _asynchronous(targets, deliveries))
    replace("moto.s3.notifications:_invoke_awslambda", _s3_to_function(functions))
    # docs: AmazonS3/latest/userguide/notification-content-structure.html (an object's key is encoded, but for its slashes)
    replace("moto.s3.notifications:quote_plus", partial(quote_plus, safe="/"))
    intercept("moto.sns.models:Subscription.publish", partial(_publish, permissions))
    for source in ("moto.kinesis.models:Stream", "moto.sqs.models:Queue"):  # localaws.triggers polls them instead
        locate(source)[2].lambda_event_source_mappings = property(lambda self: {}, lambda self, value: None)
    return targets


def _asynchronous(targets: Targets, deliveries: ThreadPoolExecutor) -> Callable[..., None]:
    def send_to_targets(rule: Any, original_event: dict[str, Any], transform_input: bool = True) -> None:
        # moto takes a rule with a schedule and no pattern to match every event.
        if rule.state != "ENABLED" or not rule.event_pattern.get_pattern():
            return
        if rule.event_pattern.matches_event(original_event):
            event = _completed(original_event)
            for target in list(rule.targets):
                deliveries.submit(targets.send_event, target, event, Sender("events", rule.arn))

    return send_to_targets


def _completed(original: dict[str, Any]) -> dict[str, Any]:
    """The event with an id, and its time in the form of EventBridge."""
    event = dict(original)
    event["id"] = event.get("id") or str(uuid.uuid4())
    when = event.get("time")
    moment = datetime.datetime.fromtimestamp(float(when), datetime.UTC) if isinstance(when, int | float) else None
    if not isinstance(when, str):
        event["time"] = (moment or datetime.datetime.now(datetime.UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return event


def _s3_to_function(functions: LambdaService) -> Callable[..., None]:
    def invoke(account_id: str, event_body: dict[str, Any], fn_arn: str, region_name: str) -> None:
        try:
            functions.check_service("s3", fn_arn, event_body["Records"][0]["s3"]["bucket"]["arn"])
        except Denied as denied:
            _LOG.error("%s did not get its event: %s", fn_arn, denied.message)
            return
        functions.call_later(fn_arn, json.dumps(event_body).encode())

    return invoke


def _publish(
    permissions: Permissions, by_moto: Callable[..., None], subscription: Any, message: str, *rest: Any, **options: Any
) -> None:
    """Sends a message to one subscription: to a queue whose policy lets the topic send there. Mail goes nowhere."""
    to, topic = subscription.endpoint, subscription.topic.arn
    if subscription.protocol not in SUBSCRIBERS:
        _LOG.error("%s did not get its message: subscriptions of %s are not emulated", to, subscription.protocol)
        return
    if subscription.protocol == "sqs":
        try:
            permissions.check(permissions.service("sns"), Access("sqs:SendMessage", to), topic)
        except Denied as denied:
            _LOG.error("%s did not get its message: %s", to, denied.message)
            return
    by_moto(subscription, message, *rest, **options)
