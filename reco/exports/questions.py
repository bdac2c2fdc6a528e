"""What `reco init` asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import typer

from reco.errors import RecoError
from reco.exports import times
from reco.exports.language import is_korean, said
from reco.exports.profile import Export
from reco.exports.understanding import Choices, Understanding, sorted_out, understand


def settle(exports: Sequence[Export], chosen: Choices, understood: Understanding) -> Understanding:
    """Ask what the files can't tell, and whether the rest is right. Raises RecoError where it is not."""
    asked = chosen
    for event in sorted_out(exports, chosen)[0]:
        file, example = event.export.pattern, next(iter(event.time.values), "")
        if event.names_no_zone and asked.timezone is None:
            asked = replace(
                asked,
                timezone=_ask(said("zone", file=file, example=example), "Asia/Seoul" if is_korean() else "UTC", times.zone),
            )
        if len(event.time_forms) > 1 and asked.day_first is None:
            day_first = typer.confirm(said("order", file=file, example=example), default=event.time_forms[0].startswith("%d"))
            asked = replace(asked, day_first=day_first)
        if event.event is None and asked.event_type is None:
            asked = replace(asked, event_type=_ask(said("event", file=file), event.guessed_type(), str))
    if not typer.confirm(said("go on"), default=True):
        raise RecoError(said("not right"))
    return understand(exports, asked) if asked != chosen else understood


def _ask(question: str, default: str, check: Callable[[str], object]) -> str:
    """Until the answer can be used."""
    while True:
        answer = str(typer.prompt(question, default=default)).strip()
        try:
            check(answer)
        except RecoError as error:
            typer.echo(str(error), err=True)
        else:
            return answer
