"""All that a lake holds of one experiment: rows, images, reports, work, and what the experiment remembers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pyiceberg.catalog import Catalog

from pixlake import storage
from pixlake.errors import MissingObject
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.deletion import count_rows, delete_rows, list_executions
from pixlake.iceberg.existing import list_existing
from pixlake.iceberg.lakes import Lake
from pixlake.lake import check_identifier, report_uri
from pixlake.schemas import EMBEDDINGS
from pixlake.search.places import IndexPlaces, index_name, user_cache
from pixlake.search.published import list_published
from pixlake_cli.engine.provision import EXPERIMENT_LENGTH


@dataclass(frozen=True)
class Holdings:
    """Rows by table, and the URIs of objects: images, and others."""

    rows: dict[str, int]
    images: Sequence[str]
    others: Sequence[str]

    @property
    def empty(self) -> bool:
        return not any((*self.rows.values(), len(self.images), len(self.others)))


def list_holdings(lake: Lake, experiment_id: str) -> Holdings:
    """What there is of the experiment; MissingObject where there is nothing."""
    check_identifier("experiment", experiment_id)
    catalog = open_catalog(lake.uri, lake.catalog_uri)
    kept = [uri for place in ("experiments", "uploads") for uri in _list(storage.join(lake.uri, place, experiment_id))]
    images = _list(storage.join(lake.uri, "images", experiment_id))
    found = Holdings(count_rows(catalog, experiment_id), images, [*kept, *list_traces(lake, catalog, experiment_id)])
    if found.empty:
        raise MissingObject(f"{lake.uri} holds nothing of an experiment {experiment_id!r}")
    return found


def delete_experiment(lake: Lake, experiment_id: str, holdings: Holdings) -> None:
    """Delete it; the rows first, so that no row names an image that is gone. Repeated after a crash, it goes on.

    Raises CommitConflict, CatalogError and StorageError.
    """
    catalog = open_catalog(lake.uri, lake.catalog_uri)
    delete_rows(catalog, experiment_id)
    prune_indexes(lake, catalog)
    storage.delete([*holdings.images, *holdings.others])


def list_traces(lake: Lake, catalog: Catalog, experiment_id: str) -> list[str]:
    """The reports and working files of the experiment's executions."""
    executions = sorted({*list_executions(catalog, experiment_id), *_local_executions(lake, experiment_id)})
    work = [uri for name in executions for uri in _list(storage.join(lake.uri, "work", name))]
    return [*(uri for name in executions if storage.exists(uri := report_uri(lake.uri, name))), *work]


def prune_indexes(lake: Lake, catalog: Catalog) -> int:
    """Delete the search indexes of data files that are no more; how many files that were."""
    left = {file.file.file_path for file in list_existing(load_table(catalog, EMBEDDINGS.name), EMBEDDINGS, None)}
    kept = {index_name(path) for path in left}
    published = [info.uri for name, info in list_published(lake.uri) if name not in kept]
    storage.delete(published)
    return len(published) + IndexPlaces(lake.uri, user_cache()).prune(left)


def _list(folder: str) -> list[str]:
    return [info.uri for info in storage.list_objects(folder)]


def _local_executions(lake: Lake, experiment_id: str) -> list[str]:
    """Those of `pixlake run` that were killed before they were recorded; their names say whose they are."""
    if lake.folder is None:
        return []
    name = re.compile(rf"\d{{8}}T\d{{6}}-{re.escape(experiment_id[:EXPERIMENT_LENGTH])}-[0-9a-f]{{4}}")
    work = lake.folder / "work"
    return [path.name for path in work.iterdir() if name.fullmatch(path.name)] if work.is_dir() else []
