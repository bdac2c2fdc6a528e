"""Filter expressions: parsed, checked against schemas, and evaluated to masks."""

from localaws.personalize.filters.checks import check_filter
from localaws.personalize.filters.compiled import CompiledFilter
from localaws.personalize.filters.expression import Filter
from localaws.personalize.filters.grammar import parse_filter

__all__ = ["CompiledFilter", "Filter", "check_filter", "parse_filter"]
