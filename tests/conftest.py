"""What holds for all tests: Powertools reads the namespace of metrics when a function's module is first imported, whoever does that."""

from __future__ import annotations

import os

os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "recostack/test")
