"""What is wrong with the CSVs of a deployment, equal findings together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from personalize_rules.imports import Finding

#: Findings of a group that are kept, of those how many are named one by one, and groups of which a message tells.
KEPT, NAMED, TOLD = 10_000, 5, 20


@dataclass
class Group:
    """Findings of one kind in one column of one file."""

    first: list[Finding] = field(default_factory=list)
    count: int = 0

    def __str__(self) -> str:
        if self.count == 1:
            return str(self.first[0])
        more = [finding.line for finding in self.first[1:NAMED] if finding.line]
        listed = f"{', '.join(map(str, more))}{' …' if self.count > NAMED else ''}"
        lines = f", in line{'s' if self.count > 2 else ''} {listed}" if more else ""
        return f"{self.first[0]} (and {self.count - 1:,} more like this{lines})"


class Findings:
    """All that was found, in its order."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str, str, str], Group] = {}

    def add(self, finding: Finding) -> None:
        group = self._groups.setdefault((finding.severity, finding.file, finding.column, finding.kind), Group())
        group.count += 1
        if len(group.first) < KEPT:
            group.first.append(finding)

    def __iter__(self) -> Iterator[Finding]:
        return (finding for group in self._groups.values() for finding in group.first)

    def __len__(self) -> int:
        return sum(group.count for group in self._groups.values())

    @property
    def errors(self) -> bool:
        """Whether an import or a training would fail."""
        return any(severity == "error" for severity, *_ in self._groups)

    def sentences(self, severity: str) -> list[str]:
        """A sentence for each group, for TOLD of them."""
        groups = [group for (of, *_), group in self._groups.items() if of == severity]
        more = len(groups) - TOLD
        return [str(group) for group in groups[:TOLD]] + ([f"and findings of {more:,} more kinds"] if more > 0 else [])

    def as_json(self) -> list[dict[str, Any]]:
        """The first NAMED of each group; `count` says how many there are."""
        return [described(finding) | {"count": group.count} for group in self._groups.values() for finding in group.first[:NAMED]]


def described(finding: Finding) -> dict[str, Any]:
    """A finding as JSON; `line` is null where the file as a whole is meant, or where lines can't be counted."""
    near = {} if finding.byte is None else {"near_byte": finding.byte}
    return {
        "file": finding.file,
        "line": finding.line or None,
        "column": finding.column or None,
        "rule": finding.rule,
        "severity": finding.severity,
        **near,
    }
