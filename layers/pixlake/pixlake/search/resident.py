"""The vectors of a lake, indexed, with their indexes open between requests; each request sees the current snapshot.

A data file never changes, so its index is opened once; a commit costs its new files, and files that left are dropped.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from pixlake.errors import BadRequest, MissingObject
from pixlake.iceberg.catalog import load_existing, load_table
from pixlake.iceberg.existing import ExistingFile, list_existing
from pixlake.iceberg.lakes import Lake
from pixlake.schemas import EMBEDDINGS
from pixlake.search.chosen import Chosen
from pixlake.search.places import IndexPlaces, user_cache
from pixlake.search.quantized import Floats
from pixlake.search.ranking import Hit, Part, Places, find_distinct, find_nearest
from pixlake.search.sidecars import Sidecar, open_index
from pixlake.search.stored import choose_model, count_models

_Key = tuple[str, ...]


@dataclass(frozen=True)
class _Indexed:
    """A batch of an index, and its rows that are in the table; None for all. `_rows` are those of what was chosen, for
    as long as somebody keeps that."""

    sidecar: Sidecar
    alive: Places | None
    _rows: WeakKeyDictionary[Chosen, Places] = field(default_factory=WeakKeyDictionary)

    def choose(self, chosen: Chosen | None) -> Part:
        if chosen is None:
            return Part(self.sidecar, self.alive)
        rows = self._rows.get(chosen)
        if rows is None:
            rows = self._rows[chosen] = self._find_rows(chosen)
        return Part(self.sidecar, rows)

    def _find_rows(self, chosen: Chosen) -> Places:
        marks = chosen.mark(self.sidecar.facts).to_numpy(zero_copy_only=False)
        return np.flatnonzero(marks) if self.alive is None else self.alive[marks[self.alive]]

    def find(self, image_path: str) -> list[int]:
        """The rows of an image."""
        rows = pc.indices_nonzero(pc.equal(self.sidecar.facts["image_path"], image_path)).to_pylist()
        return [row for row in rows if self.alive is None or row in self.alive]


@dataclass(frozen=True)
class Embeddings:
    """The table, or one experiment of it, at one moment: `open` gives the vectors of one model."""

    models: Counter[str]
    where: str
    open: Callable[[str], list[_Indexed]]

    def choose(self, wanted: str | None, fits: Callable[[str], bool] | None = None) -> str:
        """The model, `name@version`, as `choose_model` does; MissingObject where there is none."""
        return choose_model(self.models, wanted, self.where, fits)

    def find_nearest(
        self, model: str, query: Floats, count: int, chosen: Chosen | None = None, distinct: float | None = None
    ) -> list[Hit]:
        """The `count` images with the greatest cosine to `query`, best first; of those chosen, and where `distinct` is
        given none with such a cosine, below 1, to a better one.
        """
        parts = [indexed.choose(chosen) for indexed in self.open(model)]
        return find_nearest(parts, query, count) if distinct is None else find_distinct(parts, query, count, distinct)

    def find_uri(self, image_path: str) -> str:
        """The URI of an image; MissingObject for one without a vector."""
        for model in self.models:
            for indexed in self.open(model):
                for row in indexed.find(image_path):
                    return str(indexed.sidecar.facts["image_uri"][row])
        raise MissingObject(f"{self.where} has no image {image_path!r} with a vector")

    def find_vector(self, model: str, image_path: str) -> Floats:
        """The vector that `model` gave an image.

        Raises MissingObject where it gave none, and BadRequest where images of several experiments have that path.
        """
        found: dict[str, Floats] = {}
        for indexed in self.open(model):
            for row in indexed.find(image_path):
                found[indexed.sidecar.facts["experiment_id"][row].as_py()] = indexed.sidecar.read(np.array([row]))[0]
        if not found:
            raise MissingObject(f"{self.where} has no image {image_path!r} with a vector by {model}")
        if len(found) > 1:
            raise BadRequest(f"{image_path} is in the experiments {', '.join(sorted(found))}: choose by --experiment")
        return next(iter(found.values()))


@dataclass
class Resident:
    """The embeddings of a lake, for any number of threads. `cache` holds the indexes of a lake in a bucket, and
    where it is `shared` the bucket does, too."""

    lake: Lake
    cache: Path = field(default_factory=user_cache)
    shared: bool = False
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _catalog: Catalog | None = None
    _table: Table | None = None
    _files: list[ExistingFile] = field(default_factory=list)
    _models: dict[_Key, Counter[str]] = field(default_factory=dict)
    _indexed: dict[tuple[_Key, str], list[_Indexed]] = field(default_factory=dict)

    def read(self, experiment_id: str | None = None) -> Embeddings:
        """The table, or one experiment of it, as it is now. Raises CatalogError and StorageError."""
        with self._turn:
            table = self._refresh()
            files = [file for file in self._files if experiment_id in (None, _experiment(file))]
            models: Counter[str] = Counter()
            for file in files:
                models.update(self._count_models(file, table))
        where = f"experiment {experiment_id!r} of {self.lake.uri}" if experiment_id else self.lake.uri
        return Embeddings(models, where, lambda model: self._open(files, table, model))

    def count(self) -> dict[str, int]:
        """The number of vectors of each experiment, from its files' metadata; no vector is read."""
        with self._turn:
            self._refresh()
            counts: Counter[str] = Counter()
            for file in self._files:
                counts[_experiment(file)] += file.file.record_count
            return dict(sorted(counts.items()))

    def snapshots(self, tables: Iterable[str]) -> tuple[int | None, ...]:
        """The current snapshot of each table, None for one that is empty. Raises CatalogError."""
        with self._turn:
            return tuple(self._load_table(name).metadata.current_snapshot_id for name in tables)

    def load(self, name: str) -> Table:
        """A table as it is now. Raises CatalogError."""
        with self._turn:
            return self._load_table(name)

    def _load_table(self, name: str) -> Table:
        """As it is now."""
        if self._catalog is None:
            self._catalog, table = load_existing(self.lake.uri, self.lake.catalog_uri, name)
            return table
        return load_table(self._catalog, name)

    def _refresh(self) -> Table:
        """The table as it is now; its files are listed again for a new snapshot."""
        table = self._load_table(EMBEDDINGS.name)
        if self._table is None or table.metadata.current_snapshot_id != self._table.metadata.current_snapshot_id:
            self._files = list(list_existing(table, EMBEDDINGS, None))
            kept = {file.paths for file in self._files}
            self._models = {key: models for key, models in self._models.items() if key in kept}
            self._indexed = {key: found for key, found in self._indexed.items() if key[0] in kept}
            self._table = table
            self._places.prune({file.file.file_path for file in self._files})
        return table

    @property
    def _places(self) -> IndexPlaces:
        return IndexPlaces(self.lake.uri, self.cache, self.shared)

    def _count_models(self, file: ExistingFile, table: Table) -> Counter[str]:
        key = file.paths
        if key not in self._models:
            self._models[key] = count_models(file.alive(table.io, ["model"]))
        return self._models[key]

    def _open(self, files: list[ExistingFile], table: Table, model: str) -> list[_Indexed]:
        with self._turn:
            found = []
            for file in files:
                key = file.paths, model
                if key not in self._indexed and self._count_models(file, table)[model]:
                    self._indexed[key] = self._load(file, table, model)
                found += self._indexed.get(key, [])
            return found

    def _load(self, file: ExistingFile, table: Table, model: str) -> list[_Indexed]:
        sidecars = open_index(self._places, file, model)
        dead = file.dead(table.io)
        return [_Indexed(sidecar, _alive(sidecar, dead)) for sidecar in sidecars]


def _alive(sidecar: Sidecar, dead: Places) -> Places | None:
    marks = np.isin(sidecar.rows, dead)
    return np.flatnonzero(~marks) if marks.any() else None


def _experiment(file: ExistingFile) -> str:
    return str(file.file.partition[0])
