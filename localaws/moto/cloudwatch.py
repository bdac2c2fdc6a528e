"""CloudWatch: percentiles (`p99`), which moto does not compute."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from localaws.moto.patching import wrap

_PERCENTILE = re.compile(r"p(\d+(?:\.\d+)?)")


def install() -> None:
    wrap("moto.cloudwatch.models:Statistics.get_statistics_for_type", _with_percentiles)


def _with_percentiles(original: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def statistic(statistics: Any, name: str) -> Any:
        asked = _PERCENTILE.fullmatch(name)
        if asked is None:
            return original(statistics, name)
        values = sorted(statistics.metric_single_values_list)
        return values[max(0, math.ceil(float(asked[1]) / 100 * len(values)) - 1)] if values else 0.0

    return statistic
