"""Which file of an export is which dataset, and what becomes of each of its columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lambdas.config import words
from lambdas.config.schemas import DATASET_TYPES, DatasetKind
from reco.errors import RecoError
from reco.exports.cells import Column, by_spreadsheet, converter
from reco.exports.columns import Taken, of_context, of_items, of_users
from reco.exports.language import said
from reco.exports.mapping import Kept, Mapping, Source
from reco.exports.profile import Export, Profile


@dataclass(frozen=True)
class Choices:
    """What the user has said, by a flag or an answer."""

    timezone: str | None = None
    day_first: bool | None = None
    event_type: str | None = None
    files: dict[DatasetKind, str] = field(default_factory=dict)
    #: user, item, time, event -> the column of the export
    columns: dict[str, str] = field(default_factory=dict)


@dataclass
class _Notes:
    """What is to be said of a mapping."""

    taken: dict[DatasetKind, list[Taken]] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Understanding:
    """A mapping, the columns that it takes, what was left out and why, and what was assumed."""

    mapping: Mapping
    taken: dict[DatasetKind, list[Taken]]
    left_out: list[tuple[str, str]]
    assumed: list[str]


@dataclass
class Events:
    """An export of events, and its columns by what they are."""

    export: Export
    user: Profile
    item: Profile
    time: Profile
    event: Profile | None
    time_forms: list[str]

    @property
    def names_no_zone(self) -> bool:
        from reco.exports.times import has_zone

        form = self.time_forms[0]
        return form not in ("seconds", "milliseconds", "microseconds") and not all(map(has_zone, self.time.values[:200]))

    def guessed_type(self) -> str:
        """What users did, where no column says it: by the words in the names."""
        by_words = words.meaning(self.export.pattern.partition(".")[0])
        if by_words:
            return by_words
        if any(words.fits(name, "value") >= 0.8 for name in self.export.columns):
            return "rate"
        paid = any(words.fits(name, "quantity") >= 0.8 or "invoice" in name.casefold() for name in self.export.columns)
        return "buy" if paid else "view"


def sorted_out(
    exports: Sequence[Export], choices: Choices
) -> tuple[list[Events], dict[DatasetKind, Export], list[tuple[str, str]]]:
    """The exports of events, those of items and users, and the others with the reason. Raises RecoError without any events."""
    named = {export.pattern: kind for kind, file in choices.files.items() for export in exports if _is_named(export, file)}
    for kind, file in choices.files.items():
        if not any(_is_named(export, file) for export in exports):
            raise RecoError(
                f"--{kind} {file}: there is no such file; there are {', '.join(export.pattern for export in exports)}."
            )
    events = []
    for export in exports:
        if named.get(export.pattern, "interactions") == "interactions":
            found = _events(export, exports, choices, surely=export.pattern in named)
            if found is not None:
                events.append(found)
    if not events:
        raise RecoError(_no_events(exports))
    rest = [export for export in exports if all(export is not event.export for event in events)]
    records: dict[DatasetKind, Export] = {}
    for kind, of_kind in (("items", [event.item for event in events]), ("users", [event.user for event in events])):
        best = max(rest, key=lambda export: _record_score(export, kind, of_kind, named), default=None)
        if best is not None and _record_score(best, kind, of_kind, named) > 0:
            records[kind] = best
            rest.remove(best)
    return events, records, [(export.pattern, said("none of the three")) for export in rest]


def _is_named(export: Export, file: str) -> bool:
    return file == export.pattern or any(path.name == file for path in export.paths)


def _no_events(exports: Sequence[Export]) -> str:
    listed = "".join(f"\n  {export.pattern}: {', '.join(export.columns)}" for export in exports)
    return (
        "No file was found that has a user, an item and a time in each row. Name the columns: --user-column, --item-column, "
        f"--time-column (and the file: --interactions FILE). The files and their columns:{listed}"
    )


def _events(export: Export, exports: Sequence[Export], choices: Choices, surely: bool) -> Events | None:
    """The export as one of events; None where it is not."""
    user = _chosen(export, choices, "user") or _id_column(export, "user") or _by_values(export, exports, "users")
    item = _chosen(export, choices, "item") or _id_column(export, "item") or _by_values(export, exports, "items")
    time = _chosen(export, choices, "time") or _time_column(export)
    lists = words.file_kind(export.pattern) in ("items", "users") and not surely
    if user is None or item is None or time is None or user is item or (lists and (user.is_unique or item.is_unique)):
        if surely:
            raise RecoError(_no_events([export]))
        return None
    forms = time.time_forms
    if not forms:
        raise RecoError(
            f"{export.pattern}: the values of {time.name}, such as '{next(iter(time.values), '')}', are no times. "
            "Export them as 2026-03-08T01:02:00Z, or name another column with --time-column."
        )
    event = _chosen(export, choices, "event") or _event_column(export, {user.name, item.name, time.name})
    return Events(export, user, item, time, event, forms)


def _chosen(export: Export, choices: Choices, role: str) -> Profile | None:
    return export.columns.get(choices.columns.get(role, ""))


def _id_column(export: Export, role: str) -> Profile | None:
    """The column of ids of users or items, by its name."""

    def score(column: Profile) -> float:
        fits = words.fits(column.name, role)
        other = max(
            words.fits(column.name, each) for each in ("title", "price", "category", "brand", "personal", "event", "time")
        )
        if other >= 0.6 and not words.looks_like_id(column.name):
            fits -= 0.5
        return fits if column.values and not words.is_own_key(column.name, export.pattern, role) else 0

    best = max(export.columns.values(), key=score, default=None)
    return best if best is not None and score(best) >= 0.4 else None


def _by_values(export: Export, exports: Sequence[Export], kind: str) -> Profile | None:
    """The column whose values are the keys of another file, which its name tells to be of that kind."""
    best, most = None, 0.5
    for other in exports:
        if other is export or words.file_kind(other.pattern) != kind:
            continue
        for key in (column for column in other.columns.values() if column.is_unique):
            for column in export.columns.values():
                share = _overlap(column.distinct, key.distinct)
                if share > most:
                    best, most = column, share
    return best


def _overlap(one: Iterable[str], other: Iterable[str]) -> float:
    """The share of the values in one that are in the other."""
    mine = set(one)
    return len(mine & set(other)) / len(mine) if mine else 0


def _time_column(export: Export) -> Profile | None:
    found = [column for column in export.columns.values() if words.fits(column.name, "time") >= 0.4 and column.time_forms]
    if not found:
        found = [column for column in export.columns.values() if column.time_forms]
    return max(found, key=lambda column: (words.fits(column.name, "time"), len(column.distinct)), default=None)


def _event_column(export: Export, taken: set[str]) -> Profile | None:
    """A column of few words whose name speaks of events, or whose words do."""

    def score(column: Profile) -> float:
        if column.name in taken or not 0 < len(column.distinct) <= 40 or words.looks_like_id(column.name):
            return 0
        known = sum(count for value, count in column.distinct.items() if words.meaning(value)) / len(column.values)
        return words.fits(column.name, "event") + known

    best = max(export.columns.values(), key=score, default=None)
    return best if best is not None and score(best) >= 0.6 else None


def _record_score(export: Export, kind: str, of_events: Sequence[Profile], named: dict[str, DatasetKind]) -> float:
    """How surely a file lists the items, or the users."""
    if export.pattern in named:
        return 10 if named[export.pattern] == kind else 0
    key = key_of(export, kind, of_events)
    if key is None or len(export.columns) < 2:
        return 0
    by_name = words.file_kind(export.pattern) == kind
    return by_name + _overlap(map(_bare, key.distinct), (_bare(value) for event in of_events for value in event.distinct))


def key_of(export: Export, kind: str, of_events: Sequence[Profile]) -> Profile | None:
    """The column of a list whose values are the ids in the events."""
    known = {_bare(value) for event in of_events for value in event.distinct}
    role = "item" if kind == "items" else "user"

    def score(column: Profile) -> float:
        shared = len(known & set(map(_bare, column.distinct))) / max(1, min(len(known), len(column.distinct)))
        return shared + words.fits(column.name, role) / 4

    unique = [column for column in export.columns.values() if column.is_unique]
    best = max(unique, key=score, default=None)
    return best if best is not None and score(best) > 0.1 else None


def _bare(value: str) -> str:
    """An id as all its spellings have it in common: without zeros in front, and not in short."""
    return converter(Column(source="", as_="id"), "UTC")(value).lstrip("0") if by_spreadsheet(value) else value.lstrip("0")


def understand(exports: Sequence[Export], choices: Choices) -> Understanding:
    """What the exports are, and what becomes of them. Raises RecoError where it can't be told."""
    events, records, others = sorted_out(exports, choices)
    found = _Notes(left_out=list(others))
    sources: dict[DatasetKind, list[Source]] = {kind: [] for kind in DATASET_TYPES}
    item_key = key_of(records["items"], "items", [event.item for event in events]) if "items" in records else None
    user_key = key_of(records["users"], "users", [event.user for event in events]) if "users" in records else None
    ids = {
        "ITEM_ID": _width([*(event.item for event in events), *([item_key] if item_key else [])]),
        "USER_ID": _width([*(event.user for event in events), *([user_key] if user_key else [])]),
    }
    room = 5
    for event in events:
        taken = _event_columns(event, choices, ids, found, room)
        room -= sum(each.role == "context" for each in taken)
        keep = _kept(event, found)
        source = Source(file=event.export.pattern, format=event.export.form, columns=_columns(taken), keep=keep)
        sources["interactions"].append(source)
        found.taken.setdefault("interactions", []).extend(taken)
    for kind, key in (("items", item_key), ("users", user_key)):
        of_kind: DatasetKind = kind  # type: ignore[assignment]
        name = "ITEM_ID" if kind == "items" else "USER_ID"
        if of_kind in records:
            if key is None:
                raise RecoError(
                    f"{records[of_kind].pattern}: no column has a different id in each row, as a list of {kind} needs."
                )
            export, derived = records[of_kind], False
            rest = [column for column in export.columns.values() if column is not key]
        else:
            event = events[0]
            export, derived = event.export, True
            key = event.item if kind == "items" else event.user
            free = [column for column in export.columns.values() if column.name not in _used(event)]
            rest = _told_by(key, [column for column in free if words.fits(column.name, "device") < 0.8])
        pick = of_items if kind == "items" else of_users
        taken = [Taken(name, Column(source=key.name, as_="id", width=ids[name]), "key", key), *pick(export, rest, found.left_out)]
        if len(taken) > 1:
            source = Source(file=export.pattern, format=export.form, columns=_columns(taken), of_events=derived)
            sources[of_kind].append(source)
            found.taken[of_kind] = taken
            if derived:
                columns = ", ".join(each.name for each in taken[1:])
                found.assumed.append(said(f"no list of {kind}", columns=columns, file=export.pattern))
    made = Mapping(timezone=choices.timezone or "UTC", **sources)
    return Understanding(made, found.taken, found.left_out, found.assumed)


def _columns(taken: Sequence[Taken]) -> dict[str, Column]:
    return {each.name: each.column for each in taken}


def _used(event: Events) -> set[str]:
    return {column.name for column in (event.user, event.item, event.time, event.event) if column is not None}


def _event_columns(event: Events, choices: Choices, ids: dict[str, int | None], found: _Notes, room: int) -> list[Taken]:
    form = _time_form(event, choices, found)
    if event.names_no_zone and choices.timezone is None:
        found.assumed.append(said("no zone", file=event.export.pattern, column=event.time.name))
    taken = [
        Taken("USER_ID", Column(source=event.user.name, as_="id", width=ids["USER_ID"]), "key", event.user),
        Taken("ITEM_ID", Column(source=event.item.name, as_="id", width=ids["ITEM_ID"]), "key", event.item),
        Taken("TIMESTAMP", Column(source=event.time.name, as_="time", form=form), "time", event.time),
    ]
    if event.event is not None:
        taken.append(Taken("EVENT_TYPE", Column(source=event.event.name), "event", event.event))
    else:
        kind = choices.event_type or event.guessed_type()
        taken.append(Taken("EVENT_TYPE", Column(constant=kind), "event", None))
        if choices.event_type is None:
            found.assumed.append(said("no event", file=event.export.pattern, type=kind))
    return taken + of_context(event.export, _used(event), room)


def _time_form(event: Events, choices: Choices, found: _Notes) -> str:
    if len(event.time_forms) == 1:
        return event.time_forms[0]
    day_first = next(form for form in event.time_forms if form.startswith("%d"))
    month_first = next(form for form in event.time_forms if form.startswith("%m"))
    if choices.day_first is not None:
        return day_first if choices.day_first else month_first
    form = event.time_forms[0]
    order = "read day first" if form == day_first else "read month first"
    found.assumed.append(said(order, file=event.export.pattern, column=event.time.name, example=event.time.values[0]))
    return form


def _kept(event: Events, found: _Notes) -> Kept | None:
    """Returned goods are no purchases."""
    for column in event.export.columns.values():
        decimal = column.decimal_mark or event.export.decimal
        if (
            words.fits(column.name, "quantity") >= 0.8
            and column.is_number(decimal)
            and any(v.startswith("-") for v in column.values)
        ):
            found.assumed.append(said("no purchases", file=event.export.pattern, column=column.name))
            return Kept(column=column.name, decimal=decimal)
    return None


def _width(columns: Sequence[Profile]) -> int | None:
    """How many digits ids have, where a spreadsheet has taken the zeros in front off some of them."""
    digits = [{value for value in column.distinct if value.isdigit()} for column in columns]
    padded = {len(value) for values in digits for value in values if value.startswith("0") and len(value) > 1}
    if len(padded) != 1:
        return None
    (width,) = padded
    if any(len(value) > width for values in digits for value in values):
        return None
    return width if any(len(value) < width for values in digits for value in values) else None


def _told_by(key: Profile, columns: Sequence[Profile]) -> list[Profile]:
    """The columns that have, nearly always, one value for each key."""
    found = []
    for column in columns:
        first: dict[str, str] = {}
        same = total = 0
        for name, cell in zip(key.cells, column.cells, strict=True):
            if not name or not cell:
                continue
            total += 1
            same += first.setdefault(name, cell) == cell
        if total and same >= 0.9 * total and len(first) < 0.9 * total and len(column.distinct) > 1:
            found.append(column)
    return found
