"""Filter expressions: parsed, checked against schemas, and evaluated to masks."""

from personalize_emulator.filters.checks import check_filter
from personalize_emulator.filters.compiled import CompiledFilter
from personalize_emulator.filters.expression import Filter
from personalize_emulator.filters.grammar import parse_filter

__all__ = ["CompiledFilter", "Filter", "check_filter", "parse_filter"]
