"""The data of each dataset group, opened once and shared by everything that serves."""

import shutil
import threading
from collections import Counter
from pathlib import Path

from personalize_emulator.datasets import DatasetStore
from personalize_emulator.resources.records import Resource, ResourceStore
from personalize_rules.schemas import Kind, Schema, parse_schema


class DatasetStores:
    """One DatasetStore per dataset group. Filters see an event after `filter_lag` seconds."""

    def __init__(self, directory: Path, store: ResourceStore, filter_lag: float = 0.0) -> None:
        self._filter_lag = filter_lag
        self._directory = directory
        self._store = store
        self._open: dict[str, DatasetStore] = {}
        self._generations: Counter[str] = Counter()
        self._lock = threading.Lock()

    def of(self, group: str) -> DatasetStore:
        """The data of the dataset group of this ARN."""
        opened = self._open.get(group)
        while opened is None:
            # The records have a lock of their own: whoever holds that one may want this one.
            generation, directory, schemas = self._generations[group], self.directory(group), self.schemas(group)
            with self._lock:
                if generation == self._generations[group]:
                    if group not in self._open:
                        self._open[group] = DatasetStore(directory, schemas, filter_lag=self._filter_lag)
                    opened = self._open[group]
        return opened

    def directory(self, group: str) -> Path:
        return self._directory / "dataset-groups" / str(self._store.existing(group).internal["id"])

    def schemas(self, group: str) -> dict[Kind, Schema]:
        """The schemas of the datasets of a group, by their type."""
        return {kind: parse_schema(text, domain) for kind, (text, domain) in self.schema_texts(group).items()}

    def schema_texts(self, group: str) -> dict[Kind, tuple[str, str | None]]:
        """The Avro text and the domain of each dataset's schema."""
        texts: dict[Kind, tuple[str, str | None]] = {}
        for dataset in self._store.of_type("dataset", group=group):
            schema = self._store.get(dataset.fields["schemaArn"])
            if schema is not None:
                texts[dataset.fields["datasetType"]] = (schema.fields["schema"], schema.fields.get("domain"))
        return texts

    def changed(self, group: str) -> None:
        """The datasets of a group, or their schemas, are others now."""
        with self._lock:
            self._open.pop(group, None)
            self._generations[group] += 1

    def generation(self, group: str) -> int:
        """A number that grows with every change of a group's datasets or schemas."""
        return self._generations[group]

    def data_version(self, group: str) -> list[int]:
        """Grows with every import into a dataset group and with every individual record."""
        imports = [j for j in self._store.of_type("dataset-import-job", group=group) if j.status == "ACTIVE"]
        data = self.of(group)
        version = [len(imports)]
        for kind in sorted(data.schemas):
            if kind in ("ITEMS", "USERS", "ACTIONS"):
                entities = data.entities(kind)
                version.append(entities.version if entities else 0)
            else:
                version.append(data.statistics(kind)["put"])
        return version

    def discard(self, group: Resource) -> None:
        """Delete all data of a dataset group."""
        directory = self.directory(group.arn)
        self.changed(group.arn)
        shutil.rmtree(directory, ignore_errors=True)

    def clear(self) -> None:
        with self._lock:
            self._open.clear()
        shutil.rmtree(self._directory / "dataset-groups", ignore_errors=True)

    def close(self) -> None:
        for opened in self._open.values():
            opened.close()
