"""What holds for all tests: Powertools reads the namespace of metrics when a function's module is first imported, whoever does that;
and commands that name no config work with the demo's.
"""

from __future__ import annotations

import os

from tests.run_end import pytest_configure, pytest_sessionfinish

__all__ = ["pytest_configure", "pytest_sessionfinish"]

os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "recostack/test")
# What a developer's `reco up` has chosen in this checkout is no test's config.
os.environ["RECOSTACK_CONFIG"] = "config/movielens.yaml"
