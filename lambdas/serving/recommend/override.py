"""Rules and placements that change without a deploy: a JSON document in SSM, laid over the packed config.

`{"rules": {...}, "placements": {...}}`: each entry replaces the one of that name in the config, null takes it away. A
document that does not hold keeps the last good one in force and counts RulesOverrideBroken, which rings an alarm.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.aws import clients
from lambdas.aws.observability import cause, count, logger
from lambdas.config import Config, ConfigError, packed_config

#: Seconds for which a worker goes on with what it has.
CACHE_SECONDS = 30.0
SECTIONS = ("rules", "placements")


@dataclass
class Kept:
    """What this worker serves by, the document that it came from, and when to look again."""

    config: Config = field(default_factory=packed_config)
    text: str | None = None
    look_at: float = 0.0
    broken: bool = False


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
        text = clients.prompt_ssm().get_parameter(Name=os.environ["RULES_PARAMETER"])["Parameter"]["Value"]
    except clients.prompt_ssm().exceptions.ParameterNotFound:
        text = None
    except (ClientError, BotoCoreError) as error:
        logger.warning("the rules override could not be read", extra={"reason": cause(error)})
        return
    if text != kept.text:
        kept.text, kept.broken = text, False
        try:
            kept.config = overridden(packed_config(), text) if text else packed_config()
        except ConfigError as error:
            kept.broken = True
            logger.error("the rules override is broken: the last good one stays", extra={"problems": error.problems})
    if kept.broken:
        count(RulesOverrideBroken=1)


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
    # Not at the top: few starts meet an override, and the rules of the service take their time.
    from lambdas.config.validation import parse_config

    return parse_config(raw)


def forget() -> None:
    """Begin anew."""
    global _kept
    _kept = None
