"""The list of a popularity count, kept as a file: it is the same for all users, and needs no campaign to be served.

A batch inference job with one line of input writes it beside the data; the next version's job replaces it.
docs: personalize/latest/dg/getting-batch-recommendations.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lambdas.stores import prefixes

if TYPE_CHECKING:
    from lambdas.aws.signed import SignedObjects

#: Longest list of a job.
LENGTH = 500
_INPUT = "anyone.json"


def input_key(solution: str) -> str:
    return f"{output_prefix(solution)}input/{_INPUT}"


def output_prefix(solution: str) -> str:
    return f"{prefixes.SNAPSHOTS}{solution}/"


def output_key(solution: str) -> str:
    """The service names an output after its input."""
    return f"{output_prefix(solution)}{_INPUT}.out"


def read_snapshot(objects: SignedObjects, bucket: str, solution: str) -> list[str]:
    """Item ids, most popular first. Raises ClientError when there is no snapshot yet."""
    text = objects.read(bucket, output_key(solution))
    return [str(item_id) for item_id in json.loads(text.splitlines()[0])["output"]["recommendedItems"]]
