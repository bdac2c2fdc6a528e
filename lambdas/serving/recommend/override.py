"""Rules and placements that change without a deploy: a JSON document in SSM, laid over the packed config.

`{"rules": {...}, "placements": {...}}`: each entry replaces the one of that name in the config, null takes it away. A
document that is not valid keeps the last good one in force and counts RulesOverrideBroken, which rings an alarm.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.aws import backoff
from lambdas.aws.cache import TimedCache
from lambdas.aws.observability import cause, count, logger
from lambdas.config import Config, ConfigError
from lambdas.stores.deployment import CurrentDeployment, Deployment

if TYPE_CHECKING:
    from lambdas.aws.signed import SignedClient

#: Seconds for which a worker goes on with what it has; and after a look that failed, when the document may say otherwise by now.
CACHE_SECONDS, AGAIN_SECONDS = 30.0, 2.0
#: How often a worker that has read nothing yet asks again: without the document it would serve without the operator's rules.
_RETRIES = 2
#: Characters that SSM takes: of a standard parameter, and of an advanced one.
STANDARD_LENGTH, LONGEST = 4096, 8192
_SECTIONS = ("rules", "placements")


class Documents:
    """The two documents in SSM that a worker serves by: the rules override, and what is deployed. One call reads both."""

    def __init__(self, client: SignedClient, rules_parameter: str, deployment_parameter: str, packed: Config) -> None:
        self._client, self._packed = client, packed
        self._rules, self._deployed = rules_parameter, deployment_parameter
        self._deployment = CurrentDeployment(client, deployment_parameter)
        self._text: str | None = None
        self._broken = self._read_once = False
        self._config = TimedCache[str, Config](CACHE_SECONDS)
        self._config.put(rules_parameter, packed, seconds=0)

    def config(self) -> Config:
        """The packed config with the last good override over it, at most CACHE_SECONDS old."""
        kept = self._config.fresh(self._rules)
        return kept.value if kept else self._refreshed()

    def deployment(self) -> Deployment:
        """What is deployed. Raises NotDeployed, ClientError or BotoCoreError."""
        return self._deployment.get()

    def _refreshed(self) -> Config:
        """The config by the document as it is now."""
        last = self._config.get(self._rules)
        config = last.value if last else self._packed
        self._config.put(self._rules, config)  # whoever asks meanwhile goes on with it
        try:
            text = self._read(0 if self._read_once else _RETRIES)
        except (ClientError, BotoCoreError) as error:
            logger.warning("the rules override could not be read", extra={"reason": cause(error)})
            count(RulesOverrideUnread=1)
            return self._config.put(self._rules, config, AGAIN_SECONDS)
        self._read_once = True
        if text != self._text:
            self._text, self._broken = text, False
            try:
                config = overridden(self._packed, text) if text else self._packed
            except ConfigError as error:
                self._broken = True
                logger.error("the rules override is broken: the last good one stays", extra={"problems": error.problems})
        if self._broken:
            count(RulesOverrideBroken=1)
        return self._config.put(self._rules, config)

    def _read(self, retries: int) -> str | None:
        """The rules override, None where there is none; what is deployed is kept.

        SSM answers 40 calls a second by default, of all workers of an account and region: a call that it throttles is made
        again so often. Raises ClientError or BotoCoreError.
        """
        for attempt in range(retries + 1):
            try:
                answer = self._client.get_parameters(Names=[self._rules, self._deployed])
                break
            except ClientError:
                if attempt == retries:
                    raise
                time.sleep(backoff.pause(attempt, 0.1, 0.2))
        found = {parameter["Name"]: parameter["Value"] for parameter in answer["Parameters"]}
        if self._deployed in found:
            self._deployment.keep(found[self._deployed])
        return found.get(self._rules)


def overridden(config: Config, text: str) -> Config:
    """The config with the document over it. Raises ConfigError."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ConfigError([f"not JSON: {error}"]) from None
    if not isinstance(document, dict) or not all(isinstance(part, dict) for part in document.values()):
        raise ConfigError(["must be an object that holds objects"])
    unknown = sorted(set(document) - set(_SECTIONS))
    if unknown:
        raise ConfigError([f"{unknown[0]}: can't be overridden (only: {', '.join(_SECTIONS)})"])
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
