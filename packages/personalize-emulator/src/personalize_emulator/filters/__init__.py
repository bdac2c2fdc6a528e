"""Filters: evaluated to masks. What an expression means is in personalize_rules.filters."""

from personalize_emulator.filters.compiled import CompiledFilter

__all__ = ["CompiledFilter"]
