"""An upload's rows into the tables that must agree, one commit a table, in an order in which each can follow the last.

`links` come first: what the other tables must agree with. A commit that another upload's comes in between of, or that
is repeated after a crash, ends with the same rows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pyiceberg.catalog import Catalog

from pixlake.iceberg.agreement import Agreement, Upload
from pixlake.iceberg.catalog import load_table
from pixlake.iceberg.commit import Origin, Target, commit_upload
from pixlake.iceberg.links import NamedImages, is_linked, read_named, record_ids
from pixlake.iceberg.rows import Rows, TableRows
from pixlake.messages import Effect
from pixlake.schemas import EMBEDDINGS, LINKS, PREDICTIONS, RECORDS, TableSchema

AGREEING = (RECORDS, EMBEDDINGS, PREDICTIONS)


@dataclass(frozen=True)
class UploadCommit:
    """What is the same in all commits of an upload. `identify` makes the identity of a table's commit, `complete` is
    when a complete upload was uploaded, `deadline` is of `time.monotonic`."""

    catalog: Catalog
    experiment_id: str
    execution_id: str
    identify: Callable[[str], str]
    target_file_bytes: int
    deadline: float
    complete: datetime | None = None

    def steps(self, sources: Mapping[str, Sequence[Rows]]) -> Iterator[tuple[str, Effect]]:
        """Commit the sources of each table, by its name; after each commit its table and effect.

        Raises CommitConflict where others came first until the deadline, CatalogError and StorageError.
        """
        upload = self._link(sources[RECORDS.name])
        yield LINKS.name, upload.said
        for schema in AGREEING:
            effect = self._commit(self._target(schema), sources[schema.name], upload.agree(schema))
            yield schema.name, effect

    def _link(self, records: Sequence[Rows]) -> Upload:
        target = self._target(LINKS)
        named: list[Rows] = [NamedImages(part) for part in records]
        earlier = LINKS.columns.empty_table()
        if not is_linked(target.table, self.experiment_id):  # nothing named yet, or by a version without the table
            earlier = read_named(load_table(self.catalog, RECORDS.name), self.experiment_id)
            named.append(TableRows("links of records", earlier))
        said = self._commit(target, named, Agreement)
        return Upload(target.table, self.experiment_id, record_ids(records), said, earlier.num_rows > 0)

    def _target(self, schema: TableSchema) -> Target:
        table = load_table(self.catalog, schema.name)
        return Target(table, schema, self.experiment_id, self.target_file_bytes, self.deadline)

    def _commit(self, target: Target, sources: Sequence[Rows], agree: Callable[[], Agreement]) -> Effect:
        origin = Origin(self.identify(target.schema.name), self.execution_id, agree, self.complete)
        return commit_upload(target, sources, origin)
