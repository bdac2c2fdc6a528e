"""Files of an export in whatever form they have: CSV of any dialect and encoding, JSON lines, also gzipped.

DuckDB's sniffer finds the dialect from the beginning of a file; rows are read one at a time, so that size does not matter.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field

from reco.errors import RecoError
from reco.exports.language import said

_SAMPLE_BYTES, _BLOCK = 400_000, 1 << 20
_LONGEST_CELL = 10_000_000
_DELIMITERS = ",;\t|"
_TABLES = {".csv", ".tsv", ".txt", ".tab", ".psv"}
_JSON = {".json", ".jsonl", ".ndjson"}
_SPREADSHEETS = {".xls", ".xlsx", ".ods", ".numbers", ".parquet", ".zip", ".7z"}
#: Marks at the beginning of a file that tell its encoding.
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

#: A row: its line in the file, and its cells by column; or a sentence that says why it can't be read.
Row = tuple[int, dict[str, str] | str]


class Form(BaseModel):
    """How a file is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["csv", "json"] = "csv"
    encoding: str = "utf-8"
    delimiter: str = Field(",", min_length=1, max_length=1)
    quote: str = Field('"', max_length=1)
    escape: str = Field("", max_length=1)
    header: bool = True
    skip: int = Field(0, ge=0)


def files_in(folder: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    """The files that can be read, and the others with the reason. Raises RecoError for a folder without any."""
    if not folder.is_dir():
        raise RecoError(f"{folder} is not a folder: give the folder that holds the exports (CSV or JSON lines).")
    usable, others = list[Path](), list[tuple[Path, str]]()
    for path in sorted(folder.iterdir()):
        ending = path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
        if path.is_dir() or path.name.startswith("."):
            others.append((path, said("a folder" if path.is_dir() else "hidden")))
        elif ending in _SPREADSHEETS:
            others.append((path, said("not text")))
        elif ending in _TABLES | _JSON:
            usable.append(path)
        else:
            others.append((path, said("no table")))
    if not usable:
        reasons = "".join(f"\n{path}: {reason}" for path, reason in others)
        raise RecoError(f"{folder} holds no CSV and no JSON lines.{reasons}")
    return usable, others


def form_of(path: Path) -> Form:
    """How the file is written. Raises RecoError for one that can't be read."""
    encoding = _encoding_of(path)
    try:
        with _text(path, encoding) as source:
            sample = source.read(_SAMPLE_BYTES)
    except UnicodeError:
        raise RecoError(
            f"{path}: begins as {encoding} text and goes on as something else: was it put together of two? Export it again."
        ) from None
    if not sample.strip():
        raise RecoError(f"{path}: is empty. Export it again, or take it out of the folder.")
    if sample.lstrip()[0] in "{[" and path.name.lower().removesuffix(".gz").endswith((*_JSON, ".txt")):
        return Form(kind="json", encoding=encoding)
    if path.name.lower().removesuffix(".gz").endswith(tuple(_JSON)):
        raise RecoError(f"{path}: holds neither JSON lines nor a JSON array of objects.")
    skip = 1 if re.match(r'"?sep=.', sample) else 0
    if skip:
        sample = sample.partition("\n")[2]
    delimiter, quote, escape = _sniffed(sample)
    form = Form(encoding=encoding, delimiter=delimiter, quote=quote, escape=escape, skip=skip)
    with _text(path, encoding) as source:
        first: list[str] = next(iter(_csv_reader(source, form)), [])
    return form.model_copy(update={"header": _is_header(first)})


def rows_of(path: Path, form: Form) -> Iterator[Row]:
    """Each row. Raises RecoError for a file that can't be read on."""
    try:
        with _text(path, form.encoding) as source:
            yield from _json_rows(source) if form.kind == "json" else _csv_rows(source, form)
    except UnicodeError:
        raise RecoError(
            f"{path}: is not {form.encoding} text throughout. Export it as UTF-8, or correct `encoding` in the mapping."
        ) from None
    except (OSError, EOFError, csv.Error) as error:
        raise RecoError(f"{path}: can't be read: {error}. Export it again.") from None
    except LookupError:
        raise RecoError(f"{path}: there is no encoding '{form.encoding}'. Correct `encoding` in the mapping.") from None


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


def _text(path: Path, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(_open(path), encoding=encoding, newline="")


def _encoding_of(path: Path) -> str:
    """By its mark; else the first in which all of it makes sense. A file in none of them is read as Windows' Western one."""
    try:
        with _open(path) as source:
            start = source.read(4)
        marked = next((name for mark, name in _MARKS if start.startswith(mark)), None)
        if marked:
            return marked
        if start[1:2] == b"\0" or start[:1] == b"\0":
            return "utf-16-le" if start[1:2] == b"\0" else "utf-16-be"
        # EUC-KR is strict, so that Western text is not taken for Korean; cp949, which extends it, reads all of Windows' Korean.
        for trial, name in (("utf-8", "utf-8"), ("euc_kr", "cp949"), ("cp1252", "cp1252")):
            if _is_all(path, trial):
                return name
    except (OSError, EOFError) as error:
        raise RecoError(f"{path}: can't be read: {error}. Export it again.") from None
    return "latin-1"


def _is_all(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with _open(path) as source:
        try:
            while piece := source.read(_BLOCK):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _sniffed(sample: str) -> tuple[str, str, str]:
    """Delimiter, quotation mark and escape of a text."""
    import duckdb  # only `reco init` needs it

    whole = sample if len(sample) < _SAMPLE_BYTES else sample[: sample.rfind("\n") + 1]
    with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="utf-8", newline="") as file:
        file.write(whole)
        file.flush()
        try:
            found = duckdb.execute("SELECT Delimiter, Quote, Escape FROM sniff_csv(?, all_varchar=true)", [file.name]).fetchone()
        except duckdb.Error:
            found = None
    named = (
        found is not None
        and str(found[0]) in _DELIMITERS
        and (str(found[0]) in whole.partition("\n")[0] or not any(mark in whole.partition("\n")[0] for mark in _DELIMITERS))
    )
    if found is None or not named:
        header = re.sub(r'"[^"]*"', "", whole.partition("\n")[0])
        return max(_DELIMITERS, key=header.count), '"', ""
    quote, escape = (mark if len(mark) == 1 else "" for mark in map(str, found[1:]))
    return str(found[0]), quote or '"', "\\" if escape == "\\" else ""


def _is_header(cells: list[str]) -> bool:
    """Whether a first line names columns: each cell a different word, none a number or a time."""
    words = [cell.strip() for cell in cells]
    return bool(words) and len(set(words)) == len(words) and not any(re.match(r"[+-]?\d[\d.,:T/ -]*Z?$", word) for word in words)


def _csv_reader(source: io.TextIOWrapper, form: Form) -> Any:
    csv.field_size_limit(_LONGEST_CELL)
    for _ in range(form.skip):
        source.readline()
    return csv.reader(
        source,
        delimiter=form.delimiter,
        quotechar=form.quote or None,
        quoting=csv.QUOTE_MINIMAL if form.quote else csv.QUOTE_NONE,
        escapechar=form.escape or None,
        doublequote=form.escape != form.quote or not form.escape,
    )


def _csv_rows(source: io.TextIOWrapper, form: Form) -> Iterator[Row]:
    reader = _csv_reader(source, form)
    names: list[str] = []
    for cells in reader:
        line = reader.line_num + form.skip
        if not any(cell.strip() for cell in cells):
            continue
        if not names:
            names = _column_names(cells if form.header else [f"column {n}" for n in range(1, len(cells) + 1)])
            if form.header:
                continue
        while len(cells) > len(names) and not cells[-1].strip():  # a delimiter at the end of each line
            cells.pop()
        if len(cells) != len(names):
            yield line, f"has {len(cells)} cells, the header {len(names)}: put texts that hold the delimiter in quotation marks"
        else:
            yield line, dict(zip(names, cells, strict=True))


def _column_names(cells: list[str]) -> list[str]:
    """The header's words, each once."""
    seen, names = Counter[str](), []
    for position, cell in enumerate(cells, 1):
        name = " ".join(cell.split()) or f"column {position}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    while names and not cells[len(names) - 1].strip() and len(names) > 1:
        names.pop()
    return names


def _json_rows(source: io.TextIOWrapper) -> Iterator[Row]:
    """A line each; a file that begins with [ is one array."""
    first = source.read(1)
    while first.isspace() or first == "\ufeff":
        first = source.read(1)
    if first == "[":
        try:
            entries = json.loads(first + source.read(), parse_float=str, parse_int=str)
        except (ValueError, RecursionError) as error:
            raise RecoError(f"{source.name}: is no JSON array: {error}. Export JSON lines, an object a line.") from None
        for number, entry in enumerate(entries, 1):
            yield number, _flat(entry)
        return
    rest = first
    for number, text in enumerate(source, 1):
        line, rest = (rest + text).strip(), ""
        if not line:
            continue
        try:
            yield number, _flat(json.loads(line, parse_float=str, parse_int=str))
        except (ValueError, RecursionError):
            yield number, "is not a JSON object: put one object on each line"


def _flat(entry: Any) -> dict[str, str] | str:
    """Nested objects become `outer.inner`; lists of plain values are separated by `|`."""
    if not isinstance(entry, dict):
        return "is not a JSON object: put one object on each line"
    found: dict[str, str] = {}
    for name, value in entry.items():
        if isinstance(value, dict):
            inner = _flat(value)
            found |= {f"{name}.{key}": text for key, text in inner.items()} if isinstance(inner, dict) else {}
        elif isinstance(value, list):
            plain = all(isinstance(part, str | bool) or part is None for part in value)
            found[name] = "|".join(_plain(part) for part in value) if plain else json.dumps(value, ensure_ascii=False)
        else:
            found[name] = _plain(value)
    return found


def _plain(value: Any) -> str:
    return "" if value is None else ("true" if value else "false") if isinstance(value, bool) else str(value)
