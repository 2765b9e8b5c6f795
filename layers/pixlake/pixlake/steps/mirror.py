"""The step Mirror, beside the state machine: what the table embeddings holds now is put into indexes of S3 Vectors, and
what it holds no more is deleted there. The tables know nothing of it, so nothing that fails here can harm them.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from pyiceberg.table import Table

from pixlake import storage
from pixlake.concurrency import map_bounded
from pixlake.errors import MissingObject, TransientError
from pixlake.iceberg.catalog import load_existing
from pixlake.iceberg.existing import ExistingFile, list_existing
from pixlake.messages import MirrorAnswer
from pixlake.schemas import EMBEDDINGS
from pixlake.search.mirrored import (
    Changes,
    Mirrored,
    Place,
    compare,
    digest_of,
    list_mirrored,
    mirrored_uri,
    read_mirrored,
    write_mirrored,
)
from pixlake.search.s3vectors import Entry, VectorIndex, batch_size, describe, is_taken, key_of
from pixlake.settings import MirrorSettings

SECONDS = 600.0
"""How long to put vectors by default; the next call goes on."""
_FACTS = ("experiment_id", "image_path", "record_id", "image_uri", "sha256", "model")
_IN_FLIGHT = 4


def mirror(settings: MirrorSettings, client: Any, seconds: float = SECONDS) -> MirrorAnswer:
    """Put and delete what differs since the last call. `client` is boto3's for s3vectors.

    Raises TransientError where `seconds` were not enough, CatalogError, StorageError, and AccessDenied.
    """
    try:
        _, table = load_existing(settings.lake_uri, settings.catalog_uri, EMBEDDINGS.name)
    except MissingObject:  # before the first upload
        return MirrorAnswer(0, 0, 0)
    by_experiment: defaultdict[str, list[ExistingFile]] = defaultdict(list)
    for file in list_existing(table, EMBEDDINGS, None):
        by_experiment[str(file.file.partition[0])].append(file)
    mirroring = _Mirroring(settings, client, table, time.monotonic() + seconds)
    for experiment_id in sorted({*by_experiment, *list_mirrored(settings.lake_uri)}):
        mirroring.follow(experiment_id, by_experiment[experiment_id])
    return MirrorAnswer(mirroring.put, mirroring.deleted, mirroring.refused)


@dataclass
class _Mirroring:
    """One call, with its counts of vectors."""

    settings: MirrorSettings
    client: Any
    table: Table
    deadline: float
    put: int = 0
    deleted: int = 0
    refused: int = 0
    _made: set[str] = field(default_factory=set)
    _making: threading.Lock = field(default_factory=threading.Lock)

    def follow(self, experiment_id: str, files: Sequence[ExistingFile]) -> None:
        """Make the indexes hold an experiment as its files do, and keep a note of it."""
        uri, named = mirrored_uri(self.settings.lake_uri, experiment_id), _name(files)
        there = read_mirrored(uri)
        if there.files == named:
            return
        wanted = dict(self._read_places(files))
        changes = compare(there.rows, wanted)
        rows = dict(there.rows)
        try:
            self._delete(changes.delete, rows)
            self._put_all(files, changes, wanted, rows)
        except BaseException:
            write_mirrored(uri, Mirrored(rows))
            raise
        if wanted:
            write_mirrored(uri, Mirrored(rows, named))
        else:
            storage.delete([uri])

    def _read_places(self, files: Sequence[ExistingFile]) -> Iterator[tuple[Place, bytes]]:
        for file in files:
            for batch in file.alive(self.table.io, _FACTS):
                for row in batch.to_pylist():
                    key = key_of(row["experiment_id"], row["image_path"])
                    yield (row["model"], key), digest_of(row["sha256"], row["record_id"], row["image_uri"])

    def _delete(self, places: frozenset[Place], rows: dict[Place, bytes]) -> None:
        for model in sorted({model for model, _ in places}):
            self._index(model).delete([key for its, key in places if its == model])
        for place in places:
            rows.pop(place, None)
        self.deleted += len(places)

    def _put_all(
        self, files: Sequence[ExistingFile], changes: Changes, wanted: dict[Place, bytes], rows: dict[Place, bytes]
    ) -> None:
        if not changes.put:
            return
        for places in map_bounded(self._put, self._read_batches(files, changes.put, rows), _IN_FLIGHT):
            rows.update({place: wanted[place] for place in places})
            self.put += len(places)
            if time.monotonic() > self.deadline:
                raise TransientError(f"{self.put:,} vectors were put; the next call goes on with the others")

    def _read_batches(
        self, files: Sequence[ExistingFile], places: frozenset[Place], rows: dict[Place, bytes]
    ) -> Iterator[tuple[str, list[Entry]]]:
        """Vectors of one model, as many as a request takes. One that no index takes is deleted there."""
        waiting: defaultdict[str, list[Entry]] = defaultdict(list)
        for file in files:
            for model, entry in self._read_entries(file, places):
                if not is_taken(entry.vector):
                    self.refused += 1
                    self._index(model).delete([entry.key])
                    rows.pop((model, entry.key), None)
                    continue
                waiting[model].append(entry)
                if len(waiting[model]) == batch_size(len(entry.vector)):
                    yield model, waiting.pop(model)
        yield from waiting.items()

    def _read_entries(self, file: ExistingFile, places: frozenset[Place]) -> Iterator[tuple[str, Entry]]:
        for batch in file.alive(self.table.io, [*_FACTS, "embedding"]):
            for number, row in enumerate(batch.select(_FACTS).to_pylist()):
                key = key_of(row["experiment_id"], row["image_path"])
                if (row["model"], key) in places:
                    vector = batch["embedding"][number].values.to_numpy(zero_copy_only=False)
                    yield row["model"], Entry(key, vector, describe(row))

    def _put(self, batch: tuple[str, list[Entry]]) -> list[Place]:
        model, entries = batch
        index = self._index(model)
        try:
            index.put(entries)
        except MissingObject:
            with self._making:
                if model not in self._made:
                    index.make(len(entries[0].vector), self.settings.kms_key_arn)
                    self._made.add(model)
            index.put(entries)
        return [(model, entry.key) for entry in entries]

    def _index(self, model: str) -> VectorIndex:
        return VectorIndex(self.client, self.settings.vector_bucket, model)


def _name(files: Sequence[ExistingFile]) -> str:
    """A digest of data files and of what was deleted from them."""
    return sha256(repr(sorted(file.paths for file in files)).encode()).hexdigest() if files else ""
