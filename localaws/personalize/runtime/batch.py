"""Batch inference and batch segment jobs: one input line in, one output line out.

docs: personalize/latest/dg/batch-data-upload.html, batch-inference-job-output-examples.html.
"""

from typing import Any

from localaws.personalize.filters import CompiledFilter
from localaws.personalize.runtime.realtime import Serving


def infer_line(
    serving: Serving,
    line: str,
    *,
    num_results: int = 25,
    compiled_filter: CompiledFilter | None = None,
    now: float,
) -> dict[str, Any]:
    """The output record of one line of a batch inference job; a bad line gives a record with `error` set."""
    raise NotImplementedError


def segment_line(
    serving: Serving,
    line: str,
    *,
    num_results: int = 25,
    compiled_filter: CompiledFilter | None = None,
    now: float,
) -> dict[str, Any]:
    """The output record of one line of a batch segment job. `compiled_filter` is built over model.ranked_ids."""
    raise NotImplementedError
