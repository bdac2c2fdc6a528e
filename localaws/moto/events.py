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


def install(aws: Aws, functions: LambdaService, permissions: Permissions) -> Targets:
    """Puts asynchronous delivery in the place of moto's. Returns the targets, for schedules and pollers."""
    targets = Targets(aws, functions)
    deliveries = ThreadPoolExecutor(16, thread_name_prefix="deliver")
    replace("moto.events.models:Rule.send_to_targets", _asynchronous(targets, deliveries))
    replace("moto.s3.notifications:_invoke_awslambda", _s3_to_function(functions))
    # docs: AmazonS3/latest/userguide/notification-content-structure.html (an object's key is encoded, but for its slashes)
    replace("moto.s3.notifications:quote_plus", partial(quote_plus, safe="/"))
    intercept("moto.sns.models:Subscription.publish", partial(_publish, functions, permissions, deliveries))
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
                deliveries.submit(_send, targets, rule.arn, target, event)

    return send_to_targets


def _send(targets: Targets, rule_arn: str, target: dict[str, Any], event: dict[str, Any]) -> None:
    sender = Sender("events", rule_arn)
    try:
        targets.send_event(target, event, sender)
    except Exception as error:
        _LOG.error("The target %s of %s did not get its event: %s", target["Arn"], rule_arn, error)
        dead_letters = (target.get("DeadLetterConfig") or {}).get("Arn")
        if dead_letters:
            targets.deliver(dead_letters, json.dumps(event), sender)


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
    functions: LambdaService,
    permissions: Permissions,
    deliveries: ThreadPoolExecutor,
    by_moto: Callable[..., None],
    subscription: Any,
    message: str,
    message_id: str,
    subject: str | None = None,
    **options: Any,
) -> None:
    """Sends a message to one subscription."""
    try:
        _check_subscription(functions, permissions, subscription)
    except Denied as denied:
        _LOG.error("%s did not get its message: %s", subscription.endpoint, denied.message)
        return
    if subscription.protocol == "lambda":
        _sns_to_function(functions, subscription, message, message_id, subject, options)
    elif subscription.protocol in ("http", "https"):
        deliveries.submit(by_moto, subscription, message, message_id, subject, **options)
    else:
        by_moto(subscription, message, message_id, subject, **options)


def _check_subscription(functions: LambdaService, permissions: Permissions, subscription: Any) -> None:
    """Raises Denied where the policy of the function or the queue does not let the topic reach it."""
    if subscription.protocol == "lambda":
        functions.check_service("sns", subscription.endpoint, subscription.topic.arn)
    elif subscription.protocol == "sqs":
        permissions.check(permissions.service("sns"), Access("sqs:SendMessage", subscription.endpoint), subscription.topic.arn)


def _sns_to_function(
    functions: LambdaService,
    subscription: Any,
    message: str,
    message_id: str,
    subject: str | None,
    options: Any,
) -> None:
    """docs: lambda/latest/dg/with-sns.html"""
    matcher, attributes = subscription._filter_policy_matcher, options.get("message_attributes")
    if matcher is not None and not matcher.matches(attributes, message):
        return
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    notification = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": subscription.topic.arn,
        "Subject": subject,
        "Message": message,
        "Timestamp": now,
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertUrl": "EXAMPLE",
        "UnsubscribeUrl": "EXAMPLE",
        "MessageAttributes": attributes or {},
    }
    record = {
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "EventSource": "aws:sns",
        "Sns": notification,
    }
    functions.call_later(subscription.endpoint, json.dumps({"Records": [record]}).encode())
