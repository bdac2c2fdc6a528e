"""What `reco cost` computes from beside the config: prices and traffic, each a YAML file."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from lambdas.config.events import MAX_BATCH
from lambdas.config.file import UniqueKeyLoader
from lambdas.config.problems import shape_problems
from lambdas.config.section import Section, did_you_mean
from reco.errors import RecoError

ROOT = Path(__file__).parents[2]
PRICES, TRAFFIC = ROOT / "config" / "prices.yaml", ROOT / "config" / "traffic.yaml"
#: The placement that stands for all that the traffic does not name.
_DEFAULT = "default"
HOURS_PER_DAY = 24

_Quantity = Annotated[float, Field(ge=0, allow_inf_nan=False)]


_Confidence = Literal["confirmed", "two sources", "unknown"]
#: An unknown price may be so many times lower or higher.
_SPREAD = 2


class Tier(Section):
    """A price up to `up_to` units in a month; without it, for all that is left."""

    usd: _Quantity
    up_to: _Quantity | None = None


class Price(Section):
    """US dollars for `per` units: one price, or one for each tier."""

    unit: str
    per: float = Field(1, gt=0)
    usd: _Quantity | None = None
    tiers: list[Tier] = Field(default_factory=list)
    confidence: _Confidence = "confirmed"
    source: str = ""

    @model_validator(mode="after")
    def is_one_or_many(self) -> Price:
        if self.confidence == "unknown" and self.usd is None and not self.tiers:
            return self
        if (self.usd is None) == (not self.tiers):
            raise ValueError("give either usd or tiers")
        bounds = [tier.up_to for tier in self.tiers]
        if self.tiers and (bounds[-1] is not None or None in bounds[:-1] or sorted(b or 0 for b in bounds[:-1]) != bounds[:-1]):
            raise ValueError("the tiers' up_to must grow, and the last tier has none")
        return self

    @property
    def certain(self) -> bool:
        """Whether sources agree about it."""
        return self.confidence != "unknown"

    @property
    def has_figure(self) -> bool:
        return self.usd is not None or bool(self.tiers)

    def bounds(self, quantity: float) -> tuple[float, float]:
        """The least and the most that so many units may cost."""
        dollars = self.dollars(quantity)
        return (dollars, dollars) if self.certain else (dollars / _SPREAD, dollars * _SPREAD)

    def dollars(self, quantity: float) -> float:
        """What so many units of one month cost; 0 where no figure is known."""
        if self.usd is not None:
            return quantity / self.per * self.usd
        total = below = 0.0
        for tier in self.tiers:
            upper = quantity if tier.up_to is None else min(quantity, tier.up_to)
            total += max(0.0, upper - below) / self.per * tier.usd
            below = max(below, upper)
        return total


class Prices(Section):
    """All prices, of one region and one day."""

    region: str
    as_of: datetime.date
    prices: dict[str, Price]

    def __getitem__(self, name: str) -> Price:
        return self.prices[name]


class _BatchTraffic(Section):
    runs_per_month: _Quantity
    users_per_run: _Quantity
    glue_dpu_hours_per_run: _Quantity


class _Assumptions(Section):
    """What a deployment's own dashboard tells better."""

    campaign_calls_per_request: _Quantity
    recommend_milliseconds: _Quantity
    put_events_milliseconds: _Quantity
    catalogue_reads_per_request: _Quantity
    log_bytes_per_request: _Quantity
    traced_share: float = Field(ge=0, le=1)
    archive_months: _Quantity
    archive_compression: _Quantity
    list_bytes: _Quantity
    transitions_per_train_run: _Quantity
    transitions_per_batch_run: _Quantity
    alarms: _Quantity
    custom_metrics: _Quantity
    new_worker_share: float = Field(0.01, ge=0, le=1)
    recommend_own_milliseconds: _Quantity = 2
    recent_item_write_units: _Quantity = 2.5
    catalogue_item_bytes: _Quantity = 1500
    recent_user_bytes: _Quantity = 2000


class Traffic(Section):
    """What goes on in a shop. Rates are of a mean day, hours in UTC."""

    users: _Quantity
    items: _Quantity
    interactions: _Quantity
    event_bytes: _Quantity
    events_per_day: _Quantity
    events_per_call: float = Field(gt=0, le=MAX_BATCH)
    requests_per_second: dict[str, Annotated[list[_Quantity], Field(min_length=HOURS_PER_DAY, max_length=HOURS_PER_DAY)]]
    trainings_per_month: _Quantity
    training_hours: dict[str, _Quantity]
    batch: _BatchTraffic
    assumptions: _Assumptions

    def hours_of(self, placement: str) -> list[float]:
        """Requests a second in each hour of the day."""
        return self.requests_per_second.get(placement) or self.requests_per_second.get(_DEFAULT) or [0.0] * HOURS_PER_DAY

    def training_hours_of(self, solution: str) -> float:
        return self.training_hours.get(solution, self.training_hours.get(_DEFAULT, 0.0))

    def check_names(self, file: Path, placements: Mapping[str, Any], solutions: Mapping[str, Any]) -> None:
        """Raises RecoError for a placement or a solution that the config does not have."""
        for field, given, known in (
            ("requests_per_second", self.requests_per_second, placements),
            ("training_hours", self.training_hours, solutions),
        ):
            for name in given:
                if name != _DEFAULT and name not in known:
                    raise RecoError(f"{file}: {field}.{name}: the config has none of that name{did_you_mean(name, known)}")


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        raw = yaml.load(file.read_text(), UniqueKeyLoader)  # noqa: S506  a SafeLoader
    except FileNotFoundError:
        raise RecoError(f"There is no file {file}.") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecoError(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise RecoError(f"{file} must hold a mapping.")
    return raw


def load_prices(own: Path | None = None) -> Prices:
    """The prices that come along, with those of the operator's own file in their place. Raises RecoError with file and entry."""
    raw, file = _read_yaml(PRICES), PRICES
    if own is not None:
        file, given = own, _read_yaml(own)
        changed = given.get("prices")
        for name in changed if isinstance(changed, dict) else ():
            if name not in raw["prices"]:
                raise RecoError(f"{own}: prices.{name}: there is no such price{did_you_mean(name, raw['prices'])}")
        raw = {**raw, **given, "prices": {**raw["prices"], **(changed or {})}} if isinstance(changed, dict | None) else given
    try:
        return Prices.model_validate(raw)
    except ValidationError as error:
        raise RecoError("\n".join(f"{file}: {problem}" for problem in shape_problems(error))) from None


def load_traffic(file: Path) -> Traffic:
    """Raises RecoError, naming file and entry."""
    try:
        return Traffic.model_validate(_read_yaml(file))
    except ValidationError as error:
        raise RecoError("\n".join(f"{file}: {problem}" for problem in shape_problems(error))) from None
