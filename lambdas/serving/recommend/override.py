"""Rules and placements that change without a deploy: a JSON document in SSM, laid over the packed config.

`{"rules": {...}, "placements": {...}}`: each entry replaces the one of that name in the config, null takes it away. A
document that does not hold keeps the last good one in force and counts RulesOverrideBroken, which rings an alarm.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.aws import clients
from lambdas.aws.observability import cause, count, logger
from lambdas.config import Config, ConfigError, packed_config
from lambdas.stores import deployment

#: Seconds for which a worker goes on with what it has; and after a look that failed, when the document may say otherwise by now.
CACHE_SECONDS, AGAIN_SECONDS = 30.0, 2.0
#: Seconds before a worker that has read nothing yet asks again: without the document it would serve without the operator's rules.
FIRST_PAUSES = (0.05, 0.2)
SECTIONS = ("rules", "placements")


@dataclass
class Kept:
    """What this worker serves by, the document that it came from, and when to look again."""

    config: Config = field(default_factory=packed_config)
    text: str | None = None
    look_at: float = 0.0
    broken: bool = False
    read: bool = False


_kept: Kept | None = None


def current_config() -> Config:
    """The packed config with the last good override over it, at most CACHE_SECONDS old."""
    global _kept
    if _kept is None:
        _kept = Kept()
    if time.monotonic() >= _kept.look_at:
        _kept.look_at = time.monotonic() + CACHE_SECONDS
        refresh(_kept)
    return _kept.config


def refresh(kept: Kept) -> None:
    """Take in the document as it is now, if it changed."""
    try:
        text = read(() if kept.read else FIRST_PAUSES)
    except (ClientError, BotoCoreError) as error:
        logger.warning("the rules override could not be read", extra={"reason": cause(error)})
        count(RulesOverrideUnread=1)
        kept.look_at = time.monotonic() + AGAIN_SECONDS
        return
    kept.read = True
    if text != kept.text:
        kept.text, kept.broken = text, False
        try:
            kept.config = overridden(packed_config(), text) if text else packed_config()
        except ConfigError as error:
            kept.broken = True
            logger.error("the rules override is broken: the last good one stays", extra={"problems": error.problems})
    if kept.broken:
        count(RulesOverrideBroken=1)


def read(pauses: Sequence[float]) -> str | None:
    """The document, None where there is none; in the same call what is deployed, for current_deployment.

    SSM answers 40 calls a second by default, of all workers of an account and region: a call that it throttles is made again
    after each pause. Raises ClientError or BotoCoreError.
    """
    rules, deployed = os.environ["RULES_PARAMETER"], os.environ["DEPLOYMENT_PARAMETER"]
    for pause in (*pauses, None):
        try:
            answer = clients.prompt_ssm().get_parameters(Names=[rules, deployed])
            break
        except ClientError:
            if pause is None:
                raise
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  spreads out workers that began together
    found = {parameter["Name"]: parameter["Value"] for parameter in answer["Parameters"]}
    if deployed in found:
        deployment.keep(found[deployed])
    return found.get(rules)


def overridden(config: Config, text: str) -> Config:
    """The config with the document over it. Raises ConfigError."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ConfigError([f"not JSON: {error}"]) from None
    if not isinstance(document, dict) or not all(isinstance(part, dict) for part in document.values()):
        raise ConfigError(["must be an object that holds objects"])
    unknown = sorted(set(document) - set(SECTIONS))
    if unknown:
        raise ConfigError([f"{unknown[0]}: can't be overridden (only: {', '.join(SECTIONS)})"])
    raw: dict[str, Any] = config.model_dump(by_alias=True, mode="json", exclude_defaults=True)
    for section, entries in document.items():
        merged = {**raw.get(section, {}), **entries}
        raw[section] = {name: entry for name, entry in merged.items() if entry is not None}
    for_pages = [name for name in config.api.browser_placements if name in raw["placements"]]
    if for_pages != config.api.browser_placements:  # pages are refused what is taken away, as servers are
        raw["api"] = {**raw["api"], "browser_placements": for_pages}
        raw["storefront"] = raw.get("storefront") if for_pages else None
    # Not at the top: few starts meet an override, and the rules of the service take their time.
    from lambdas.config.validation import parse_config

    return parse_config(raw)


def forget() -> None:
    """Begin anew."""
    global _kept
    _kept = None
