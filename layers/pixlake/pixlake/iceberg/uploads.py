"""An upload's rows into the tables that must agree, one commit a table, in an order in which each can follow the last.

`links` come first: what the other tables must agree with. A commit that another upload's comes in between of, or that
is repeated after a crash, ends with the same rows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import uuid4

import pyarrow.compute as pc
from msgspec.structs import replace
from pyiceberg.catalog import Catalog

from pixlake.iceberg.agreement import Agreement, Unfit, Upload
from pixlake.iceberg.catalog import load_table
from pixlake.iceberg.commit import Origin, Target, commit_upload
from pixlake.iceberg.latecomers import Fit, find_latecomers
from pixlake.iceberg.links import NamedImages, is_linked, read_named, values_of
from pixlake.iceberg.rows import Rows, TableRows
from pixlake.messages import Effect
from pixlake.schemas import EMBEDDINGS, LINKS, PREDICTIONS, RECORDS, TableSchema

_TURNS = 8
AGREEING = (RECORDS, EMBEDDINGS, PREDICTIONS)


@dataclass(frozen=True)
class UploadCommit:
    """What is the same in all commits of an upload. `identify` makes the identity of a table's commit, `complete` is
    when a complete upload was uploaded, `deadline` is of `time.monotonic`. `fit` joins images and records that came
    apart."""

    catalog: Catalog
    experiment_id: str
    execution_id: str
    identify: Callable[[str], str]
    target_file_bytes: int
    deadline: float
    complete: datetime | None = None
    fit: Fit | None = None

    def steps(self, sources: Mapping[str, Sequence[Rows]]) -> Iterator[tuple[str, Effect]]:
        """Commit the sources of each table, by its name; after each commit its table and effect.

        Raises CommitConflict where others came first until the deadline, CatalogError and StorageError.
        """
        upload = self._link(sources[RECORDS.name])
        yield LINKS.name, upload.said
        effects = {}
        for schema in (RECORDS, EMBEDDINGS):
            effects[schema.name] = self._commit(self._target(schema), sources[schema.name], upload.agree(schema))
            yield schema.name, effects[schema.name]
        yield from self._join(effects, sources)
        effect = self._commit(self._target(PREDICTIONS), sources[PREDICTIONS.name], upload.agree(PREDICTIONS))
        yield PREDICTIONS.name, effect

    def _join(self, effects: dict[str, Effect], sources: Mapping[str, Sequence[Rows]]) -> Iterator[tuple[str, Effect]]:
        """Join what came apart, by this upload or by others, now that its own rows are there; and again after others'
        commits meanwhile. The last of them all finds nothing left. The upload's own rows are counted already."""
        for _ in range(_TURNS):
            found = find_latecomers(self.catalog, self.experiment_id, self.fit) if self.fit else None
            if found is None:
                return
            links = self._target(LINKS)
            if found.unfit.num_rows:  # by itself, for it would keep out rows of the same pairs
                unfit = self._unrepeated(partial(Unfit.of, found.unfit, LINKS))
                commit_upload(links, [TableRows("trace", found.trace)], unfit)
            if found.rows.num_rows:
                commit_upload(links, [TableRows("fitting", found.rows)], self._unrepeated())
            upload = Upload(links.table, self.experiment_id, found.records, Effect(), images=found.images)
            for schema, key, keys in ((EMBEDDINGS, "image_path", found.images), (RECORDS, "record_id", found.records)):
                effect = commit_upload(self._target(schema), [], self._unrepeated(upload.agree(schema)))
                own = pc.sum(pc.is_in(keys, value_set=values_of(sources[schema.name], key))).as_py() or 0
                before = effects[schema.name]
                effects[schema.name] = replace(before, changed=before.changed + max(0, effect.changed - own))
                yield schema.name, effects[schema.name]

    @staticmethod
    def _unrepeated(agree: Callable[[], Agreement] = Agreement) -> Origin:
        """A commit that has no rows of the upload: what it does follows from the tables."""
        return Origin(f"join {uuid4()}", agree=agree)

    def _link(self, records: Sequence[Rows]) -> Upload:
        target = self._target(LINKS)
        named: list[Rows] = [NamedImages(part) for part in records]
        earlier = LINKS.columns.empty_table()
        if not is_linked(target.table, self.experiment_id):  # nothing named yet, or by a version without the table
            earlier = read_named(load_table(self.catalog, RECORDS.name), self.experiment_id)
            named.append(TableRows("links of records", earlier))
        said = self._commit(target, named, Agreement)
        return Upload(target.table, self.experiment_id, values_of(records, "record_id"), said, earlier.num_rows > 0)

    def _target(self, schema: TableSchema) -> Target:
        table = load_table(self.catalog, schema.name)
        return Target(table, schema, self.experiment_id, self.target_file_bytes, self.deadline)

    def _commit(self, target: Target, sources: Sequence[Rows], agree: Callable[[], Agreement]) -> Effect:
        origin = Origin(self.identify(target.schema.name), self.execution_id, agree, self.complete)
        return commit_upload(target, sources, origin)
