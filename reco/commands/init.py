"""`reco init` and `reco convert`: from a shop's exports to a config, schemas and CSVs; and again each night."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from lambdas.config import Config
from lambdas.config.schemas import DatasetKind
from reco.commands.check import tell
from reco.console import progress, results, show_json, show_table
from reco.data import csv_folder
from reco.errors import RecoError
from reco.exports import description, mapping, times
from reco.exports.cells import Column
from reco.exports.convert import Made, convert
from reco.exports.files import files_in
from reco.exports.language import said
from reco.exports.mapping import Mapping
from reco.exports.profile import Export, grouped, look_at
from reco.exports.questions import settle
from reco.exports.understanding import Choices, Understanding, understand
from reco.options import JsonOption, YesOption, config_of
from reco.remembered import recall, remember

_File = Annotated[
    str | None, typer.Option(metavar="FILE", help="The file of this kind, where `reco init` does not recognize it.")
]
_Name = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="The column of this kind, where `reco init` does not recognize it.")
]
_LONGEST = 28


def init(
    exports: Annotated[Path, typer.Argument(help="The folder of your exports: CSV of any kind, JSON lines, also gzipped.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder that is made.")] = Path("mine"),
    name: Annotated[str | None, typer.Option(help="The deployment's name; without it the folder's.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Of times that name no zone, such as Asia/Seoul.")] = None,
    day_first: Annotated[bool | None, typer.Option("--day-first/--month-first", help="How 03/04/2026 is read.")] = None,
    event_type: Annotated[str | None, typer.Option(help="What users did, where no column says it, such as buy.")] = None,
    interactions: _File = None,
    items: _File = None,
    users: _File = None,
    user_column: _Name = None,
    item_column: _Name = None,
    time_column: _Name = None,
    event_column: _Name = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what the folder holds.")] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a config, schemas and CSVs from your exports. Shows what it recognized, and asks for the rest."""
    if timezone is not None:
        times.zone(timezone)
    files: dict[DatasetKind, str | None] = {"interactions": interactions, "items": items, "users": users}
    columns = {"user": user_column, "item": item_column, "time": time_column, "event": event_column}
    chosen = Choices(
        timezone,
        day_first,
        event_type,
        {kind: file for kind, file in files.items() if file},
        {role: column for role, column in columns.items() if column},
    )
    _require_empty(out, overwrite)
    found, ignored = _looked_at(exports)
    _require_columns(found, chosen)
    try:
        understood = understand(found, chosen)
    except RecoError as error:  # what is missing may be in a file that can't be read
        reasons = "".join(f"\n  {name}: {reason}" for name, reason in ignored)
        raise RecoError(f"{error}\nNot read:{reasons}" if ignored else str(error)) from None
    if not as_json:
        _show(found, understood, ignored)
    if not yes and not as_json:
        understood = settle(found, chosen, understood)
    config, made = _write(out, name or description.name_of(out.resolve().name), exports, understood)
    remember(out / "config.yaml", None, "reco init")
    findings = _checked(out, config)
    if as_json:
        show_json({"folder": str(out), **_as_json(understood, made), "findings": findings.as_json()})
    else:
        _tell_made(made)
        tell(findings)
        _next(out, findings.errors)
    if findings.errors:
        raise typer.Exit(1)


def convert_command(
    exports: Annotated[Path, typer.Argument(help="The folder of your exports.")],
    mapping_file: Annotated[Path | None, typer.Option("--mapping", "-m", help="Else that beside the config.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where the CSVs go; else data/ beside the mapping.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make the CSVs again from today's exports, by the mapping of `reco init`."""
    mapping_file = mapping_file or recall().config.with_name("mapping.yaml")
    how = mapping.read(mapping_file)
    with _rows_shown() as counted:
        made = convert(how, exports, out or mapping_file.parent / "data", counted)
    if as_json:
        show_json(_counts(made))
    else:
        _tell_made(made)
    rejected, read = sum(sum(of.rejected.values()) for of in made.values()), sum(of.read for of in made.values())
    if rejected > how.reject_at_most * read:
        raise RecoError(
            f"{rejected:,} of {read:,} rows were rejected, more than reject_at_most: {how.reject_at_most:.0%} in the mapping."
        )


def _require_empty(out: Path, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise RecoError(f"{out} is a file: name a folder with --out.")
    if (out / "config.yaml").exists() and not overwrite:
        raise RecoError(f"{out} holds a config already: name another folder with --out, or pass --overwrite to replace it.")


def _looked_at(exports: Path) -> tuple[list[Export], list[tuple[str, str]]]:
    paths, others = files_in(exports)
    found, ignored = [], [(path.name, reason) for path, reason in others]
    with progress.status("Reading"):
        for path in paths:
            try:
                found.append(look_at(path))
            except RecoError as error:
                ignored.append((path.name, str(error).removeprefix(f"{path}: ")))
    if not found:
        raise RecoError("\n".join(f"{exports / name}: {reason}" for name, reason in ignored))
    return grouped(found), ignored


def _require_columns(found: Sequence[Export], chosen: Choices) -> None:
    there = {column for export in found for column in export.columns}
    for role, column in chosen.columns.items():
        if column not in there:
            raise RecoError(f"--{role}-column {column}: no file has it. The columns are {', '.join(sorted(there))}.")


def _show(found: Sequence[Export], understood: Understanding, ignored: Sequence[tuple[str, str]]) -> None:
    """What was understood, a table for each dataset."""
    for export in found:
        form = export.form
        how = "JSON" if form.kind == "json" else said("csv", delimiter=form.delimiter.replace("\t", said("tab")))
        marks = said("decimal mark", mark=export.decimal) if form.kind == "csv" else ""
        rows = said("all rows" if export.whole else "more rows", rows=f"{export.rows:,}")
        results.print(f"{export.pattern}: {how}, {form.encoding}{marks}, {rows}", markup=False)
    for kind, taken in understood.taken.items():
        rows_ = [
            [
                each.column.source if each.column.source is not None else said("no column"),
                each.name,
                _how(each.column),
                _cut(each.example),
            ]
            for each in taken
        ]
        files = ", ".join(source.file for source in understood.mapping.sources()[kind])
        show_table(said("from", kind=kind, files=files), said("columns"), rows_)
    for what, reason in [*ignored, *understood.left_out]:
        results.print(said("left out", what=what, reason=reason), markup=False, style="dim")
    for sentence in understood.assumed:
        results.print(said("assumed", sentence=sentence), markup=False, style="yellow")


def _cut(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"


def _how(column: Column) -> str:
    if column.source is None:
        return f"'{column.constant}'"
    kind = str(said("kinds")[column.as_])
    if column.as_ == "time":
        return f"{kind}, {column.form}"
    return str(said("by", kind=kind, separator=column.separator)) if column.as_ == "list" else kind


def _write(out: Path, name: str, exports: Path, understood: Understanding) -> tuple[Config, dict[DatasetKind, Made]]:
    """The whole folder, or nothing: what can't be converted is found before anything is replaced."""
    work = out.parent / f".{out.name}.part"
    shutil.rmtree(work, ignore_errors=True)
    try:
        with _rows_shown() as counted:
            made = convert(understood.mapping, exports, work / "data", counted)
        kinds = {kind: taken for kind, taken in understood.taken.items() if made[kind].rows}
        if "interactions" not in kinds:
            raise RecoError("None of the events can be used:\n" + "\n".join(_reasons(made["interactions"])))
        for kind in made.keys() - kinds.keys():
            (work / "data" / f"{kind}.csv").unlink()
        schemas = {kind: description.schema(kind, taken, made[kind]) for kind, taken in kinds.items()}
        (work / "schemas").mkdir()
        for kind, schema in schemas.items():
            (work / "schemas" / f"{kind}.json").write_text(
                json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
            )
        text = description.config(name, schemas, kinds, made["interactions"])
        (work / "config.yaml").write_text(text, encoding="utf-8")
        (work / "mapping.yaml").write_text(mapping.written(_of(understood.mapping, kinds)), encoding="utf-8")
        config = config_of(work / "config.yaml")
        out.mkdir(parents=True, exist_ok=True)
        for made_file in sorted(work.iterdir()):
            target = out / made_file.name
            if target.is_dir():
                shutil.rmtree(target)
            made_file.replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return config, made


def _of(whole: Mapping, kinds: Any) -> Mapping:
    return whole.model_copy(update={kind: [] for kind in whole.sources() if kind not in kinds})


def _checked(out: Path, config: Config) -> Any:
    """What an import or a training would say of the CSVs."""
    looked = csv_folder.look_into(out / "data", config)
    return csv_folder.check(looked, config, whole=True)


def _tell_made(made: dict[DatasetKind, Made]) -> None:
    for kind, of in made.items():
        say_rows = said("rows", kind=kind, rows=f"{of.rows:,}")
        results.print(say_rows, markup=False)
        for count, what in (
            (of.repeated, "repeated"),
            (of.not_kept, "returns"),
            (of.anonymous if kind == "interactions" else 0, "anonymous"),
            (sum(of.without_item.values()), "no item"),
            (of.short_ids, "short ids"),
        ):
            if count:
                results.print("  " + said(what, count=f"{count:,}"), markup=False)
        for reason in _reasons(of):
            results.print(f"  {reason}", markup=False, style="yellow")


def _reasons(of: Made) -> list[str]:
    return [said("rejected", count=f"{count:,}", example=of.examples[kind]) for kind, count in of.rejected.most_common(10)]


def _next(out: Path, wrong: bool) -> None:
    if wrong:
        results.print(said("wrong", out=out), markup=False)
        return
    results.print(said("next", out=out), markup=False)


def _counts(made: dict[DatasetKind, Made]) -> dict[str, Any]:
    return {
        kind: {
            "rows": of.rows,
            "read": of.read,
            "repeated": of.repeated,
            "returns": of.not_kept,
            "without_user": of.anonymous,
            "without_item": sum(of.without_item.values()),
            "rejected": sum(of.rejected.values()),
            "reasons": [of.examples[reason] for reason in of.rejected],
        }
        for kind, of in made.items()
    }


def _as_json(understood: Understanding, made: dict[DatasetKind, Made]) -> dict[str, Any]:
    return {
        "datasets": _counts(made),
        "columns": {
            kind: [{"column": each.name, "from": each.column.source, "as": each.column.as_} for each in taken]
            for kind, taken in understood.taken.items()
        },
        "left_out": [{"what": what, "reason": reason} for what, reason in understood.left_out],
        "assumed": understood.assumed,
    }


@contextmanager
def _rows_shown() -> Iterator[Any]:
    columns = (SpinnerColumn(), TextColumn("converting: {task.completed:,} rows"))
    with Progress(*columns, console=progress, transient=True) as bar:
        task = bar.add_task("converting", total=None)
        yield lambda count: bar.advance(task, count)
