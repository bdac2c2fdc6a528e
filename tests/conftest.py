"""What holds for all tests: Powertools reads the namespace of metrics when a function's module is first imported, whoever does that."""

from __future__ import annotations

import os

from tests.run_end import pytest_configure, pytest_sessionfinish

__all__ = ["pytest_configure", "pytest_sessionfinish"]

os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "recostack/test")
