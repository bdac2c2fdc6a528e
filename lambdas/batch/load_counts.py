"""What became of the lines of a batch job's output: counted by the loads of its files, added up before lists are published."""

from __future__ import annotations

from pydantic import BaseModel


class Counts(BaseModel):
    """Lines so far: `lines` = `written` + `rejected`. Of those rejected, `erased` were about users who asked to be forgotten."""

    lines: int = 0
    written: int = 0
    rejected: int = 0
    erased: int = 0
