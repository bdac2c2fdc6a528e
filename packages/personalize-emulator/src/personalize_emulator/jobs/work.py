"""What the jobs do. Each takes its specification and gives its answer, both as JSON."""

import io
import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from personalize_emulator.datasets import DatasetStore, ImportFailed, fail_if
from personalize_emulator.datasets.attribution import HEADER
from personalize_emulator.datasets.attribution import report as attribution_report
from personalize_emulator.datasets.columns import Table
from personalize_emulator.errors import PersonalizeError
from personalize_emulator.filters import CompiledFilter
from personalize_emulator.jobs.cloudwatch import put_metrics
from personalize_emulator.jobs.s3 import S3, S3Failed, open_s3
from personalize_emulator.recipes import Model, TrainingFailed, TrainingOptions, TrainingResult, train
from personalize_emulator.runtime import Serving, Themes, infer_line, segment_line
from personalize_rules.csv import blocks, line_of, rows_of
from personalize_rules.filters import InvalidFilter, parse_filter
from personalize_rules.imports import too_large
from personalize_rules.limits import MAX_DELETION_BYTES, MAX_THEMED_ITEMS
from personalize_rules.schemas import InvalidSchema, parse_schema

_Spec = Mapping[str, Any]
_BEST_BY = "normalized_discounted_cumulative_gain_at_25"


def run(spec: _Spec) -> dict[str, Any]:
    """The answer of a job, or {"failure": reason}.

    What a job writes to S3 is in its answer under "then", the specification of a job that writes it: the service's objects
    are younger than the job, so that programs look for them by their date and do not expect them before its end.
    """
    try:
        return _JOBS[spec["kind"]](spec)
    except (ImportFailed, TrainingFailed, S3Failed, PersonalizeError, InvalidFilter, InvalidSchema) as error:
        return {"failure": str(error)}
    except Exception as error:
        logging.exception("job %s", spec["kind"])
        return {"failure": f"Internal error: {type(error).__name__}: {error}"}


def _import_dataset(spec: _Spec) -> dict[str, Any]:
    store, s3 = _store(spec), _s3(spec)
    then: dict[str, Any] = {}

    def report(interactions: Table) -> None:
        attribution = spec["attribution"]
        rows = list(attribution_report(interactions, store.entities("ITEMS"), attribution["metrics"], attribution["sources"]))
        if spec["mode"] == "INCREMENTAL":
            put_metrics(rows)
        if "destination" not in attribution:
            return
        with Output(spec) as output, output.open(attribution["destination"]) as file:
            file.writelines(f"{line_of([str(cell) for cell in row])}\n".encode() for row in (HEADER, *rows))
        then.update(output.then)

    fail_if(too_large(spec["mode"], sum(s3.sizes(spec["location"]).values())))
    on_read = report if "attribution" in spec else None
    counts = store.import_csv(spec["dataset"], s3.files(spec["location"]), spec["mode"], on_read=on_read)
    return {"counts": vars(counts)} | then


def _export_dataset(spec: _Spec) -> dict[str, Any]:
    # Guess: an export is one file, which has the name of its job.
    destination = f"{spec['destination'].rstrip('/')}/{spec['name']}.csv"
    with Output(spec) as output, output.open(destination) as file:
        rows = _store(spec).export_csv(spec["dataset"], spec["ingestion_mode"], file)
    return {"rows": rows} | output.then


class Output:
    """What a job is going to write to S3, meanwhile in files of the folder that the job names."""

    def __init__(self, spec: _Spec) -> None:
        self._folder = Path(spec["output"])
        self._s3 = {name: spec.get(name) for name in ("s3_root", "role")}
        self._locations: list[str] = []

    def __enter__(self) -> "Output":
        shutil.rmtree(self._folder, ignore_errors=True)  # of the same job, when the emulator was killed
        self._folder.mkdir(parents=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            shutil.rmtree(self._folder, ignore_errors=True)

    def open(self, location: str) -> BinaryIO:
        """A new file for the object at this location; objects are written in the order in which they were opened."""
        self._locations.append(location)
        return (self._folder / str(len(self._locations) - 1)).open("wb")

    @property
    def then(self) -> dict[str, Any]:
        """For the answer of the job."""
        return {"then": {"kind": "write", "output": str(self._folder), "locations": self._locations, **self._s3}}


def write(spec: _Spec) -> dict[str, Any]:
    """Write the `Output` of a job to S3."""
    folder = Path(spec["output"])
    if folder.exists():  # else it was all written, and the emulator was killed before it noted that
        s3 = _s3(spec)
        try:
            for number, location in enumerate(spec["locations"]):
                with (folder / str(number)).open("rb") as file:
                    s3.write(location, file)
        finally:
            shutil.rmtree(folder)
    return {}


def _report_events(spec: _Spec) -> dict[str, Any]:
    """Report the events to CloudWatch that came after the last report, as metric attributions do."""
    store = _store(spec)
    events, last = store.streamed_events_after(spec["after"])
    put_metrics(attribution_report(events, store.entities("ITEMS"), spec["metrics"], spec["sources"]))
    return {"last": last}


def delete_users(spec: _Spec) -> dict[str, Any]:
    users: set[str] = set()
    total = 0
    for name, file in _s3(spec).files(spec["location"], subfolders=True):
        total += file.seek(0, io.SEEK_END)
        file.seek(0)
        if total > MAX_DELETION_BYTES:
            raise S3Failed(f"The input data is larger than {MAX_DELETION_BYTES // 1_000_000} MB")
        users |= _listed_users(name, file)
    return {"deleted": _store(spec).delete_users(users)}


def _listed_users(name: str, file: BinaryIO) -> set[str]:
    """The ids in a CSV with the column USER_ID. docs: personalize/latest/dg/delete-records.html"""
    users: set[str] = set()
    column: int | None = None
    try:
        for _, lines in blocks(file):
            rows = rows_of([line for line in lines if line])
            if column is None:
                if "USER_ID" not in rows[0]:
                    raise ImportFailed(f"{name}: Input CSV is missing the following columns:[USER_ID].")
                column = rows.pop(0).index("USER_ID")
            users.update(cells[column] for cells in rows if len(cells) > column)
    except ValueError as error:
        raise ImportFailed(f"{name}: {error}.") from None
    return users - {""}


def _train_model(spec: _Spec) -> dict[str, Any]:
    """Train with each of the options (more than one for AutoML) and keep the model with the best metric."""
    data = _store(spec).training_data()
    results = [train(data, _options(options)) for options in spec["options"]]
    best: TrainingResult = max(results, key=lambda result: result.metrics.get(_BEST_BY, 0.0))
    _save(best.model, Path(spec["model"]))
    return {
        "model": spec["model"],
        "recipe": best.model.recipe,
        "metrics": best.metrics,
        "training_hours": sum(result.training_hours for result in results),
        "tuned": spec.get("tuned", {}),
        "warnings": best.warnings,
    }


def _update_model(spec: _Spec) -> dict[str, Any]:
    """The automatic update, and trainingMode UPDATE: the model learns of new items."""
    begin = time.perf_counter()
    model = Model.load(Path(spec["base"])).update(_store(spec).training_data())
    _save(model, Path(spec["model"]))
    hours = (time.perf_counter() - begin) / 3600
    return {"model": spec["model"], "recipe": model.recipe, "training_hours": hours} | (
        {"of": spec["of"]} if "of" in spec else {}
    )


def batch(spec: _Spec) -> dict[str, Any]:
    """One output object per input object, and a marker when all are written."""
    s3 = _s3(spec)
    keys = s3.sizes(spec["source"])
    if not keys:
        raise S3Failed("Invalid S3 input path")
    if len(keys) > spec["most_files"]:
        raise S3Failed(f"A job can have at most {spec['most_files']} input files, not {len(keys)}")
    answer = _answer_to_line(spec)
    folder = spec["destination"].rstrip("/") + "/"
    with Output(spec) as output:
        for key, file in s3.files(spec["source"]):
            lines = (line for line in io.TextIOWrapper(file, "utf-8", errors="replace") if line.strip())
            with output.open(f"{folder}{key.rsplit('/', 1)[-1]}.out") as answers:
                for number, line in enumerate(lines, 1):
                    if spec.get("item_name") and number > MAX_THEMED_ITEMS:
                        raise S3Failed(f"{key}: themes can be generated for at most {MAX_THEMED_ITEMS} items")
                    answers.write(json.dumps(answer(line)).encode() + b"\n")
        output.open(f"{folder}_CHECK").close()
    return {"files": len(keys)} | output.then


def _answer_to_line(spec: _Spec) -> Callable[[str], dict[str, Any]]:
    """The function that answers one line of a batch job's input."""
    store, model = _store(spec), Model.load(Path(spec["model"]))
    serving = Serving(model, store, spec["config"])
    compiled = None
    if spec["filter"]:
        parsed = parse_filter(spec["filter"])
        compiled = CompiledFilter(parsed, model.ranked_ids, store.entities(parsed.target_kind), store)
    common: dict[str, Any] = {"num_results": spec["num_results"], "compiled_filter": compiled, "now": time.time()}
    if spec["kind"] == "batch-segment-job":
        return partial(segment_line, serving, **common)
    items = store.entities("ITEMS") if spec.get("item_name") else None
    themes = Themes(items, spec["item_name"]) if items else None
    return partial(infer_line, serving, themes=themes, **common)


_JOBS: dict[str, Callable[[_Spec], dict[str, Any]]] = {
    "import": _import_dataset,
    "export": _export_dataset,
    "delete-users": delete_users,
    "train": _train_model,
    "update-model": _update_model,
    "batch-inference-job": batch,
    "batch-segment-job": batch,
    "write": write,
    "report-events": _report_events,
}


def _s3(spec: _Spec) -> S3:
    return open_s3(spec.get("s3_root"), spec.get("role"))


def _store(spec: _Spec) -> DatasetStore:
    schemas = {kind: parse_schema(text, domain) for kind, (text, domain) in spec["schemas"].items()}
    return DatasetStore(Path(spec["directory"]), schemas)


def _options(spec: _Spec) -> TrainingOptions:
    excluded = {kind: frozenset(columns) for kind, columns in spec["excluded_columns"].items()}
    return TrainingOptions(**{**spec, "excluded_columns": excluded})


def _save(model: Model, directory: Path) -> None:
    """A model appears at its place whole or not at all."""
    unfinished = directory.with_name(f"{directory.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    model.save(unfinished)
    shutil.rmtree(directory, ignore_errors=True)
    unfinished.rename(directory)
