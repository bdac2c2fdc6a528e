"""What holds for all tests: Powertools reads the namespace of metrics when a function's module is first imported, whoever does that;
and commands that name no config work with the demo's.
"""

from __future__ import annotations

import gc
import os

from tests.browser import browser
from tests.run_end import pytest_configure, pytest_sessionfinish

__all__ = ["browser", "pytest_configure", "pytest_sessionfinish"]

os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "recostack/test")
# What a developer's `reco up` has chosen in this checkout is no test's config.
os.environ["RECOSTACK_CONFIG"] = "config/movielens.yaml"
# As in app.py: whoever reads what the tests say can't give the machine another Node.js.
os.environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")
# Looking for garbage among all that moto and the CDK have loaded took a sixth of the processor.
gc.set_threshold(50_000, 20, 20)
