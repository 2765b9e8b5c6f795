"""A catalog whose tables keep their snapshots in memory. Data files are files, written and read as everywhere."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table
from pyiceberg.table.snapshots import Operation, Snapshot, Summary

from pixlake.schemas import TABLES


@dataclass
class MemoryTable:
    """What commits and scans take of a table; schema, places of files and the like are those of `template`."""

    template: Table
    files: list[DataFile] = field(default_factory=list)
    snapshots: dict[int, Snapshot] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    meanwhile: Callable[[], object] | None = None
    """Another's commit, in the middle of the next one."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.template, name)

    def refresh(self) -> "MemoryTable":
        return self

    @property
    def metadata(self) -> "MemoryTable":
        return self

    def snapshot_by_id(self, number: int) -> Snapshot | None:
        return self.snapshots.get(number)

    def current_snapshot(self) -> Snapshot | None:
        return self.snapshots.get(len(self.snapshots))

    def scan(self, row_filter: Any, snapshot_id: int | None = None) -> "_Scan":
        assert snapshot_id is None, "of earlier snapshots it has no files"
        return _Scan([file for file in self.files if file.partition[0] == row_filter.literal.value])

    @contextmanager
    def transaction(self) -> Iterator["_Changes"]:
        changes = _Changes()
        yield changes
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        self.files = [file for file in self.files if file not in changes.deleted] + changes.appended
        self.properties |= changes.properties
        number = len(self.snapshots) + 1
        names: dict[str, Any] = {"snapshot-id": number, "parent-snapshot-id": number - 1 or None, "manifest-list": ""}
        self.snapshots[number] = Snapshot(**names, summary=Summary(Operation.OVERWRITE, **changes.summary))


@dataclass
class _Scan:
    files: list[DataFile]

    def plan_files(self) -> list[FileScanTask]:
        return [FileScanTask(file) for file in self.files]

    def rows(self) -> list[dict[str, Any]]:
        found = [pq.read_table(file.file_path.removeprefix("file://"), partitioning=None) for file in self.files]
        return [row for table in found for row in table.to_pylist()]


@dataclass
class _Changes:
    """A transaction, and the snapshot that is its only update."""

    properties: dict[str, str] = field(default_factory=dict)
    summary: Mapping[str, str] = field(default_factory=dict)
    deleted: list[DataFile] = field(default_factory=list)
    appended: list[DataFile] = field(default_factory=list)

    def set_properties(self, properties: Mapping[str, str]) -> None:
        self.properties |= properties

    def update_snapshot(self, summary: Mapping[str, str]) -> "_Changes":
        self.summary = summary
        return self

    @contextmanager
    def overwrite(self) -> Iterator["_Changes"]:
        yield self

    def delete_data_file(self, file: DataFile) -> None:
        self.deleted.append(file)

    def append_data_file(self, file: DataFile) -> None:
        self.appended.append(file)


class MemoryCatalog:
    """The tables of `catalog`, without rows."""

    def __init__(self, catalog: Catalog) -> None:
        self.name = catalog.name
        self._tables = {name: MemoryTable(catalog.load_table((catalog.name, name))) for name in TABLES}

    def load_table(self, identifier: tuple[str, str]) -> MemoryTable:
        return self._tables[identifier[-1]]
