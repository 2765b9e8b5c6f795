"""An experiment's rows out of every table.

A commit a table, the table's other rows untouched. Its snapshot says whose rows are gone, so that the same upload, put
in again, is committed again. One more drops the manifests that list the deleted files, with the least and greatest
values of their columns; no later commit and no expiry of snapshots would.
"""

from collections.abc import Iterator

from pyiceberg.catalog import Catalog
from pyiceberg.expressions import EqualTo, Reference
from pyiceberg.expressions.literals import literal
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from pixlake.iceberg.agreement import COMPLETE
from pixlake.iceberg.catalog import load_table, table_names
from pixlake.iceberg.commit import DELETED
from pixlake.iceberg.keys import PARTITION
from pixlake.iceberg.transactions import begin
from pixlake.iceberg.translation import CONFLICTS, translated
from pixlake.schemas import EXECUTIONS, TABLES


def count_rows(catalog: Catalog, experiment_id: str) -> dict[str, int]:
    """The experiment's rows, by table. Raises CatalogError, StorageError."""
    return {name: _count(catalog, name, experiment_id) for name in _tables(catalog)}


def list_executions(catalog: Catalog, experiment_id: str) -> list[str]:
    """The ids of the executions that are known to have been of the experiment."""
    with translated(f"table {EXECUTIONS.name}"):
        scan = load_table(catalog, EXECUTIONS.name).scan(_of(experiment_id), selected_fields=("execution_id",))
        found: list[str] = scan.to_arrow()["execution_id"].to_pylist()
    return sorted(found)


def delete_rows(catalog: Catalog, experiment_id: str) -> None:
    """Take the experiment's rows out of every table; deleted again it changes nothing.

    Snapshots of before still have them, until `maintenance` expires these. Raises CommitConflict where others come
    first each time, CatalogError and StorageError.
    """
    for name in _tables(catalog):
        with translated(f"table {name}"):
            _delete(catalog, name, experiment_id)
    drop_deleted_files(catalog, experiment_id)


def drop_deleted_files(catalog: Catalog, experiment_id: str) -> None:
    """Let the current snapshots list no file that is deleted. Raises as `delete_rows`."""
    for name in _tables(catalog):
        with translated(f"table {name}"):
            _drop_deleted_files(catalog, name, experiment_id)


_until_first = retry(
    retry=retry_if_exception_type(CONFLICTS),
    wait=wait_random_exponential(multiplier=0.1, max=5),
    stop=stop_after_attempt(20),
    reraise=True,
)


@_until_first
def _drop_deleted_files(catalog: Catalog, name: str, experiment_id: str) -> None:
    table = load_table(catalog, name)
    snapshot = table.current_snapshot()
    manifests = snapshot.manifests(table.io) if snapshot else []
    if any(not (manifest.has_added_files() or manifest.has_existing_files()) for manifest in manifests):
        # an append, here of nothing, leaves them out
        with begin(table) as transaction, transaction.update_snapshot({DELETED: experiment_id}).fast_append():
            pass


@_until_first
def _delete(catalog: Catalog, name: str, experiment_id: str) -> None:
    table = load_table(catalog, name)
    horizon = f"{COMPLETE}{experiment_id}"
    with begin(table) as transaction:
        if table.scan(_of(experiment_id)).count():
            transaction.delete(_of(experiment_id), snapshot_properties={DELETED: experiment_id})
        if horizon in table.properties:  # of a complete upload, also where that left no row
            transaction.remove_properties(horizon)


def _tables(catalog: Catalog) -> Iterator[str]:
    there = table_names(catalog)
    return (name for name in TABLES if name in there)


def _count(catalog: Catalog, name: str, experiment_id: str) -> int:
    with translated(f"table {name}"):
        return load_table(catalog, name).scan(_of(experiment_id)).count()


def _of(experiment_id: str) -> EqualTo:
    return EqualTo(term=Reference(PARTITION), value=literal(experiment_id))
