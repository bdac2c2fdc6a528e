"""API keys and what their usage plans allow. docs: apigateway/latest/developerguide/api-gateway-api-usage-plans.html"""

from __future__ import annotations

import datetime
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from localaws.clients import Aws

_REFRESH_SECONDS = 2.0  # a new key works after this long; in the service it takes minutes


@dataclass
class _Bucket:
    """A token bucket: `rate` tokens a second, at most `burst` of them saved up."""

    rate: float
    burst: float
    tokens: float = field(init=False)
    filled_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.tokens = self.burst

    def take(self) -> bool:
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@dataclass(frozen=True)
class _KeyUse:
    """A valid API key and what became of its request: `refused` is None, THROTTLED or QUOTA_EXCEEDED."""

    key_id: str
    refused: str | None


class UsagePlans:
    """Checks API keys against the usage plans of a stage."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._lock = threading.Lock()
        self._loaded_at = -_REFRESH_SECONDS
        self._keys: dict[str, dict[str, Any]] = {}
        self._plans: list[tuple[dict[str, Any], set[str]]] = []
        self._buckets: dict[tuple[str, str, str, float, float], _Bucket] = {}
        self._counts: dict[tuple[str, str, str], int] = {}

    def use(self, key_value: str, api_id: str, stage: str, method: str) -> _KeyUse | None:
        """Counts one request with a key to a method (`/things/GET`).

        None if the key is unknown, disabled, or in no usage plan of the stage.
        """
        with self._lock:
            self._refresh()
            key = self._keys.get(key_value)
            plan = self._plan_for(key["id"], api_id, stage) if key and key.get("enabled", True) else None
            if key is None or plan is None:
                return None
            return _KeyUse(key["id"], self._refusal(key["id"], plan, _throttle_of(plan, api_id, stage, method), method))

    def _refresh(self) -> None:
        if time.monotonic() - self._loaded_at < _REFRESH_SECONDS:
            return
        gateway = self._aws.client("apigateway")
        self._keys = {key["value"]: key for key in gateway.get_api_keys(includeValues=True, limit=500)["items"]}
        plans = gateway.get_usage_plans(limit=500)["items"]
        members = [gateway.get_usage_plan_keys(usagePlanId=plan["id"], limit=500)["items"] for plan in plans]
        self._plans = [(plan, {key["id"] for key in keys}) for plan, keys in zip(plans, members, strict=True)]
        self._loaded_at = time.monotonic()

    def _plan_for(self, key_id: str, api_id: str, stage: str) -> dict[str, Any] | None:
        for plan, members in self._plans:
            stages = plan.get("apiStages") or []
            if key_id in members and any(s.get("apiId") == api_id and s.get("stage") == stage for s in stages):
                return plan
        return None

    def _refusal(self, key_id: str, plan: dict[str, Any], own: dict[str, Any] | None, method: str) -> str | None:
        """`own` is the method's own throttle, which goes before the plan's."""
        throttle, quota = own or plan.get("throttle") or {}, plan.get("quota") or {}
        if throttle.get("rateLimit") is not None:
            rate, burst = float(throttle["rateLimit"]), float(throttle.get("burstLimit") or throttle["rateLimit"])
            place = (key_id, plan["id"], method if own else "", rate, burst)
            bucket = self._buckets.setdefault(place, _Bucket(rate, max(burst, 1.0) if rate else 0.0))
            if not bucket.take():
                return "THROTTLED"
        if quota.get("limit"):
            count = (key_id, plan["id"], _period(quota.get("period", "DAY")))
            self._counts[count] = self._counts.get(count, 0) + 1
            if self._counts[count] > int(quota["limit"]):
                return "QUOTA_EXCEEDED"
        return None


def _throttle_of(plan: dict[str, Any], api_id: str, stage: str, method: str) -> dict[str, Any] | None:
    """The throttle that the plan sets for one method of a stage."""
    for entry in plan.get("apiStages") or []:
        if entry.get("apiId") == api_id and entry.get("stage") == stage:
            found: dict[str, Any] | None = (entry.get("throttle") or {}).get(method)
            return found
    return None


def _period(kind: str) -> str:
    """The name of the present day, week or month."""
    today = datetime.datetime.now(datetime.UTC)
    return today.strftime({"DAY": "%Y-%m-%d", "WEEK": "%G-W%V", "MONTH": "%Y-%m"}[kind])
