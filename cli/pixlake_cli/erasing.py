"""Images and records out of a lake, with all that shows them: rows, image files, indexes, reports, working files.

What is to go is kept in the experiment's `deletion.json` until it has gone, for a condition may not find half of it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import Catalog

from pixlake import storage
from pixlake.errors import BadRequest, MissingObject
from pixlake.iceberg.catalog import load_table, open_catalog
from pixlake.iceberg.deletion import drop_deleted_files
from pixlake.iceberg.erasure import Subjects, erase_rows, find_rows, with_images
from pixlake.iceberg.existing import list_existing
from pixlake.iceberg.lakes import Lake
from pixlake.lake import check_identifier
from pixlake.schemas import EMBEDDINGS, LINKS, TABLES
from pixlake.search.places import IndexPlaces, index_name, user_cache
from pixlake.search.published import list_published
from pixlake.sql.images import select_subjects
from pixlake.sql.limited import read_rows
from pixlake.zips.keys import image_key
from pixlake_cli.athena import ask
from pixlake_cli.deleting import list_traces, prune_indexes
from pixlake_cli.executions import RUNNING, list_executions
from pixlake_cli.stacks import Stack


class _Pending(msgspec.Struct, frozen=True):
    """The content of `deletion.json`."""

    images: list[str]
    records: list[str]


@dataclass(frozen=True)
class Erasure:
    """What goes of one experiment. `losing` are records that stay without one of their images; `images` and `others`
    are URIs, `indexes` files of search indexes."""

    subjects: Subjects
    rows: dict[str, int]
    losing: int
    images: list[str]
    others: list[str]
    indexes: int

    def summary(self) -> dict[str, object]:
        """For programs."""
        return {
            "experiment": self.subjects.experiment_id,
            "rows": self.rows,
            "records_without_an_image_more": self.losing,
            "images": len(self.images),
            "indexes": self.indexes,
            "other_objects": len(self.others),
        }


def find_erasures(
    lake: Lake, experiment: str | None, images: Collection[str], where: str | None, stack: Stack | None = None
) -> list[Erasure]:
    """What these images are, and the records and images for which a condition holds, with what an interrupted deletion
    has left; of one experiment, or of all. A condition on a bucket is asked of the Athena of its `stack`.

    MissingObject where there is nothing of an image, or nothing at all; BadRequest for a wrong condition, and while an
    execution of the experiment runs."""
    catalog = open_catalog(lake.uri, lake.catalog_uri)
    experiments = _list_experiments(catalog) if experiment is None else [check_identifier("experiment", experiment)]
    chosen = _choose(lake, stack, experiment, where) if where is not None else {}
    found, missing = [], set(images)
    for name in experiments:
        asked = _with_pending(lake, chosen.get(name, Subjects(name)))
        asked = replace(asked, images=asked.images.union(images))
        if not (asked.images or asked.records):
            continue
        erasure, known = _look(lake, catalog, with_images(catalog, asked))
        missing -= known
        if erasure.images or any(erasure.rows.values()) or _is_pending(lake, name):
            found.append(erasure)
    if missing:
        raise MissingObject(f"{lake.uri} holds nothing of {', '.join(sorted(map(repr, missing)))}; nothing is deleted")
    if not found:
        raise MissingObject(f"{lake.uri} holds nothing for which the condition is true")
    require_idle(lake, stack, {each.subjects.experiment_id for each in found})
    return found


def erase(lake: Lake, erasures: Collection[Erasure]) -> None:
    """Delete it; interrupted it is gone on with by the next deletion in the experiment.

    Raises CommitConflict, CatalogError and StorageError.
    """
    catalog = open_catalog(lake.uri, lake.catalog_uri)
    for each in erasures:
        subjects = each.subjects
        pending = _Pending(sorted(subjects.images), sorted(subjects.records))
        storage.write(_pending_uri(lake, subjects.experiment_id), msgspec.json.encode(pending))
        erase_rows(catalog, subjects)
        drop_deleted_files(catalog, subjects.experiment_id)
        prune_indexes(lake, catalog)
        storage.delete([*each.images, *each.others])
        storage.delete([_pending_uri(lake, subjects.experiment_id)])


def _choose(lake: Lake, stack: Stack | None, experiment: str | None, where: str) -> dict[str, Subjects]:
    """The records for which the condition holds, and the images without a record, by experiment."""
    images, records = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for name, path, record in _read_chosen(lake, stack, select_subjects(experiment, where)):
        if record is not None:
            records[str(name)].add(record)
        elif path is not None:
            images[str(name)].add(path)
    return {name: Subjects(name, frozenset(images[name]), frozenset(records[name])) for name in {*images, *records}}


def _read_chosen(lake: Lake, stack: Stack | None, sql: str) -> Iterator[tuple[str | None, ...]]:
    if stack is not None:
        yield from ask(stack, sql)
    elif lake.folder is None:
        raise BadRequest(
            f"{lake.uri}: a condition is asked of Athena, in the workgroup of the lake's stack: say --stack NAME"
            " instead of --lake; or name the images by --image"
        )
    else:
        with read_rows(lake, sql) as rows:
            yield from (tuple(row.values()) for batch in rows for row in batch.to_pylist())


def _look(lake: Lake, catalog: Catalog, subjects: Subjects) -> tuple[Erasure, set[str]]:
    """What goes, and which of the images there is anything of."""
    rows = find_rows(catalog, subjects)
    objects, known = _list_images(lake, subjects)
    for table in rows.values():
        for column in {"image_path", "source"}.intersection(table.column_names):
            known.update(table[column].to_pylist())
    losing = {*rows[LINKS.name]["record_id"].to_pylist()} - subjects.records
    others = [*list_traces(lake, catalog, subjects.experiment_id), *_list_listings(lake, subjects)]
    counts = {name: table.num_rows for name, table in rows.items()}
    indexes = _count_indexes(lake, catalog, subjects)
    return Erasure(subjects, counts, len(losing), objects, others, indexes), known


def _list_images(lake: Lake, subjects: Subjects) -> tuple[list[str], set[str]]:
    """The files of the images, of all uploads, and which images these are."""
    paths = {image_key(path, case_collision=case): path for path in subjects.images for case in (False, True)}
    folder = storage.join(lake.uri, "images", subjects.experiment_id) + "/"
    found = []
    for info in storage.list_objects(folder.rstrip("/")):
        path = paths.get(info.uri.removeprefix(folder).partition("/")[2])
        if path is not None:
            found.append((info.uri, path))
    return [uri for uri, _ in found], {path for _, path in found}


def _list_listings(lake: Lake, subjects: Subjects) -> Iterator[str]:
    """The lists of loose files that were put in as an upload and name one of the images."""
    for info in storage.list_objects(storage.join(lake.uri, "uploads", subjects.experiment_id)):
        lines = storage.read(info.uri).splitlines() if info.uri.endswith(".listing.jsonl") else []
        if any(msgspec.json.decode(line)["path"] in subjects.images for line in lines):
            yield info.uri


def _count_indexes(lake: Lake, catalog: Catalog, subjects: Subjects) -> int:
    """Those of data files with vectors of the images."""
    images, names = pa.array(sorted(subjects.images), pa.string()), set()
    for file in list_existing(load_table(catalog, EMBEDDINGS.name), EMBEDDINGS, subjects.experiment_id):
        paths = [batch.column("image_path") for batch in file.rows.batches(["image_path"])]
        if pc.any(pc.is_in(pa.chunked_array(paths, pa.string()), value_set=images)).as_py():
            names.add(index_name(file.file.file_path))
    folders = IndexPlaces(lake.uri, user_cache()).folders()
    here = sum(file.stem in names for folder in folders for file in folder.glob("*/*"))
    return here + sum(name in names for name, _ in list_published(lake.uri))


def _list_experiments(catalog: Catalog) -> list[str]:
    found = set()
    for schema in (schema for schema in TABLES.values() if schema.partitioned):
        found |= {file.file.partition[0] for file in list_existing(load_table(catalog, schema.name), schema, None)}
    return sorted(found)


def require_idle(lake: Lake, stack: Stack | None, experiments: Collection[str]) -> None:
    """BadRequest while an execution of these experiments runs, as far as this machine's notes or the stack tell; of a
    bucket alone nobody but the person knows."""
    for execution in list_executions(lake, stack) if lake.folder or stack else ():
        if execution.status == RUNNING and execution.experiment_id in experiments:
            raise BadRequest(
                f"the execution {execution.execution_id} of {execution.experiment_id} runs, and may put rows back:"
                " delete when it has ended"
            )


def _pending_uri(lake: Lake, experiment_id: str) -> str:
    return storage.join(lake.uri, "experiments", experiment_id, "deletion.json")


def _is_pending(lake: Lake, experiment_id: str) -> bool:
    return storage.exists(_pending_uri(lake, experiment_id))


def _with_pending(lake: Lake, subjects: Subjects) -> Subjects:
    with suppress(MissingObject):
        left = msgspec.json.decode(storage.read(_pending_uri(lake, subjects.experiment_id)), type=_Pending)
        return replace(
            subjects, images=subjects.images.union(left.images), records=subjects.records.union(left.records)
        )
    return subjects
