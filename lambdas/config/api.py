"""Who may call the API, from which pages, and how often."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lambdas.config.section import Name, Section

#: The stage variable that tells `recommend` who calls, and what it is at the browsers' API.
CALLERS, BROWSERS = "callers", "browsers"

Origin = Annotated[str, Field(pattern=r"^(\*|https?://[a-z0-9.-]+(:[0-9]{1,5})?)$")]


class Throttle(Section):
    """A token bucket: `rate` calls a second, up to `burst` at once."""

    rate: float = Field(500, gt=0, le=10_000, description="calls a second, in the long run")
    burst: int = Field(1000, ge=1, le=5_000, description="calls at once")


class Api(Section):
    """The HTTP API."""

    auth: Literal["api_key", "iam"] = Field(
        "api_key",
        description="how the shop's servers prove who they are: by the key, or by signing as an IAM role that may "
        "execute-api:Invoke; browsers have an API and a key of their own either way",
    )
    cors_origins: list[Origin] = Field(
        default=[], max_length=20, description="origins of the pages that may call, or `*` for any; without it no page may"
    )
    browser_placements: list[Name] = Field(
        default=[],
        max_length=50,
        description="placements that pages may ask for themselves, for an anonymous visitor or for a user with a token",
    )
    throttle: Throttle = Field(default_factory=Throttle, description="of the servers' key, and of each method of their API")
    browser_throttle: Throttle = Field(
        default_factory=lambda: Throttle(rate=100, burst=200), description="of the browsers' API, all browsers together"
    )
    browser_calls_per_day: int = Field(
        1_000_000, ge=1, description="of the browsers' API, all browsers together: what its key can cost, since all can read it"
    )
    docs: bool = Field(True, description="serve the API's description, without a key, at `/docs` and `/openapi.json`")

    @property
    def browsers_may(self) -> str:
        """What the browsers' key opens, for a sentence: "only send events", or "only send events and ask for home, search"."""
        return "only send events" + (f" and ask for {', '.join(self.browser_placements)}" if self.browser_placements else "")
