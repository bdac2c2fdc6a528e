"""Lines that made no row: each goes with its reason into an object beside the output."""

from __future__ import annotations

import json
from collections import Counter

from lambdas.aws import clients

#: An object is written when so many bytes have come together: memory stays flat if a whole file is wrong.
_OBJECT_BYTES = 4_000_000
#: Longest text of a line that is kept.
_MOST_TEXT = 2_000


class RejectedLines:
    """Writes `<prefix><byte of the first line>.jsonl`: a repeated load of the same lines writes the same objects."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self.bucket, self.prefix = bucket, prefix
        self.reasons: Counter[str] = Counter()
        self._lines: list[str] = []
        self._bytes = self._start = 0

    def add(self, line: bytes, end: int, reason: str) -> None:
        if not self._lines:
            self._start = end
        self.reasons[reason.partition(":")[0]] += 1
        text = line[:_MOST_TEXT].decode("utf-8", "replace")
        self._lines.append(json.dumps({"ends_at_byte": end, "reason": reason, "line": text}))
        self._bytes += len(self._lines[-1])
        if self._bytes > _OBJECT_BYTES:
            self.flush()

    def flush(self) -> None:
        if not self._lines:
            return
        body = "\n".join(self._lines).encode() + b"\n"
        clients.s3().put_object(Bucket=self.bucket, Key=f"{self.prefix}{self._start:015d}.jsonl", Body=body)
        self._lines, self._bytes = [], 0
