"""The vectors of a lake, kept between requests; each request sees the table's current snapshot.

A data file never changes, so its vectors are read once, when first asked for; a commit costs its new files, and files
that left the table are dropped.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pyarrow.compute as pc
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from pixlake.errors import MissingObject
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.existing import ExistingFile, list_existing
from pixlake.iceberg.lakes import Lake
from pixlake.schemas import EMBEDDINGS
from pixlake.search.chosen import Chosen
from pixlake.search.nearest import (
    COLUMNS,
    Block,
    Hit,
    Vector,
    choose_model,
    find_hits,
    keep,
    read_file,
)
from pixlake.search.vectors import Vectors, map_models

_Key = tuple[str, ...]


@dataclass(frozen=True)
class Embeddings:
    """The table, or one experiment of it, at one moment; `blocks` are its files' vectors by model."""

    blocks: list[dict[str, Vectors]]
    where: str

    def choose(self, wanted: str | None, fits: Callable[[str], bool] | None = None) -> str:
        """The model, `name@version`, as `choose_model` does; MissingObject where there is none."""
        models: Counter[str] = Counter()
        for block in self.blocks:
            models.update({model: len(vectors.values) for model, vectors in block.items()})
        return choose_model(models, wanted, self.where, fits)

    def find_nearest(
        self, model: str, query: Vector, count: int, chosen: Chosen | None = None, distinct: float | None = None
    ) -> list[Hit]:
        """The `count` images with the greatest cosine to `query`, best first; of those chosen, and where `distinct` is
        given none with such a cosine to a better one.
        """
        return find_hits(lambda: self._read(model, chosen), query, count, distinct)

    def _read(self, model: str, chosen: Chosen | None) -> Iterator[Block]:
        return keep(((block[model].values, block[model].facts) for block in self.blocks if model in block), chosen)

    def find_uri(self, image_path: str) -> str:
        """The URI of an image; MissingObject for one without a vector."""
        for block in self.blocks:
            for vectors in block.values():
                if (row := _find(vectors, image_path)) >= 0:
                    return str(vectors.facts["image_uri"][row])
        raise MissingObject(f"{self.where} has no image {image_path!r} with a vector")

    def find_vector(self, model: str, image_path: str) -> Vector:
        """The vector that `model` gave an image; MissingObject where it gave none."""
        for block in self.blocks:
            if model in block and (row := _find(block[model], image_path)) >= 0:
                vector: Vector = block[model].values[row]
                return vector
        raise MissingObject(f"{self.where} has no image {image_path!r} with a vector by {model}")


def _find(vectors: Vectors, image_path: str) -> int:
    return int(pc.index(vectors.facts["image_path"], image_path).as_py())


@dataclass
class Resident:
    """The embeddings of a lake, for any number of threads."""

    lake: Lake
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _catalog: Catalog | None = None
    _table: Table | None = None
    _files: list[ExistingFile] = field(default_factory=list)
    _blocks: dict[_Key, dict[str, Vectors]] = field(default_factory=dict)

    def read(self, experiment_id: str | None = None) -> Embeddings:
        """The table, or one experiment of it, as it is now. Raises CatalogError and StorageError."""
        with self._turn:
            table = self._refresh()
            wanted = [file for file in self._files if experiment_id in (None, _experiment(file))]
            where = f"experiment {experiment_id!r} of {self.lake.uri}" if experiment_id else self.lake.uri
            return Embeddings([self._load(file, table) for file in wanted], where)

    def count(self) -> dict[str, int]:
        """The number of vectors of each experiment, from its files' metadata; no vector is read."""
        with self._turn:
            self._refresh()
            counts: Counter[str] = Counter()
            for file in self._files:
                counts[_experiment(file)] += file.file.record_count
            return dict(sorted(counts.items()))

    def _refresh(self) -> Table:
        """The table as it is now; its files are listed again for a new snapshot."""
        self._catalog = self._catalog or open_catalog(self.lake.uri, self.lake.catalog_uri)
        table = load_table(self._catalog, EMBEDDINGS.name)
        if self._table is None or table.metadata.current_snapshot_id != self._table.metadata.current_snapshot_id:
            self._files = list(list_existing(table, EMBEDDINGS, None))
            kept = {_key(file) for file in self._files}
            self._blocks = {key: block for key, block in self._blocks.items() if key in kept}
            self._table = table
        return table

    def _load(self, file: ExistingFile, table: Table) -> dict[str, Vectors]:
        key = _key(file)
        if key not in self._blocks:
            self._blocks[key] = map_models(read_file(file, table.io, COLUMNS))
        return self._blocks[key]


def _experiment(file: ExistingFile) -> str:
    return str(file.file.partition[0])


def _key(file: ExistingFile) -> _Key:
    """The file with its deletes, which take rows from it under the same name."""
    return file.file.file_path, *(delete.file_path for delete in file.deletes)
