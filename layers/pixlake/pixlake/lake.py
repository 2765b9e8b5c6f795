"""The layout of a lake. Names follow from the input alone: a step run twice writes to the same place.

images/<experiment_id>/<upload_id>/…   the images of an upload, never overwritten by another
experiments/<experiment_id>/key.json   the id column of an experiment (`experiments`)
models/<name>/…                        bundles; a pushed version in a folder of its own (`bundles.folders`)
warehouse/…                            the Iceberg tables
work/<execution_id>/…                  the files that one execution's steps pass on; in no table
reports/<execution_id>.html
mirror/<experiment_id>.parquet         what of an experiment is in S3 Vectors, where a stack writes it there
"""

import hashlib
import re
from dataclasses import dataclass

from pixlake.errors import BadRequest
from pixlake.storage import join

GATHERED_END = ".gathered.jsonl"
_UPLOADS_KEY = re.compile(r"/uploads/([^/]+)/")
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def find_home(location: str) -> str:
    """The lake of a table, from the table's location or the URI of its metadata; "" where it is in none. A lake's own
    path may lead through a folder of that name, too."""
    return location.rpartition("/warehouse/")[0]


def check_identifier(kind: str, value: str) -> str:
    """`value` if it can stand in a path: letters, digits, `.`, `_`, `-`, at most 100 characters; else BadRequest."""
    if not _IDENTIFIER.fullmatch(value):
        raise BadRequest(f"{kind} {value!r}: use 1 to 100 letters, digits, '.', '_' or '-', a letter or digit first")
    return value


def experiment_of(upload_uri: str) -> str | None:
    """The `<experiment_id>` of an upload under `uploads/<experiment_id>/`, not yet checked; None elsewhere."""
    found = _UPLOADS_KEY.search(upload_uri)
    return found[1] if found else None


def report_uri(lake: str, execution_id: str) -> str:
    """The HTML page of an execution."""
    return join(lake, "reports", f"{execution_id}.html")


def experiment_uri(lake: str, experiment_id: str) -> str:
    """An experiment's state from one upload to the next: the column that its records are keyed by."""
    return join(lake, "experiments", experiment_id, "key.json")


def bundle_uri(lake: str, name: str) -> str:
    """The folder of a model bundle."""
    return join(lake, "models", name)


def make_upload_id(experiment_id: str, fingerprint: str) -> str:
    """16 hex digits of an upload's content, by the fingerprint that Plan takes, and of its experiment."""
    return hashlib.sha256(f"{experiment_id}\0{fingerprint}".encode()).hexdigest()[:16]


def images_uri(lake: str, experiment_id: str, upload_id: str) -> str:
    """The folder that takes the images of one upload."""
    return join(lake, "images", experiment_id, upload_id)


def is_gathered(upload_uri: str) -> bool:
    """Whether the upload is a listing of loose objects as their events named them (`Work.gathered`)."""
    return upload_uri.endswith(GATHERED_END)


def stored_uri(lake: str, experiment_id: str) -> str:
    """The folder with all images of an experiment: the upload of a run that has none."""
    return join(lake, "images", experiment_id) + "/"


@dataclass(frozen=True)
class Work:
    """The places of one execution under `work/`."""

    lake: str
    execution_id: str

    @property
    def uri(self) -> str:
        return join(self.lake, "work", self.execution_id)

    @property
    def members(self) -> str:
        """JSON Lines of `messages.Member`: every image of the upload, in the order in which a zip holds them, so that
        neighbours are read at once; sorted by image_path where the upload is no zip."""
        return join(self.uri, "members.jsonl")

    @property
    def shards(self) -> str:
        """JSON array of `messages.Shard`: the items of the state Extract."""
        return join(self.uri, "shards.json")

    @property
    def tables(self) -> str:
        """The folder with the upload's table files, at their paths in the upload."""
        return join(self.uri, "tables")

    @property
    def gathered(self) -> str:
        """JSON Lines of `zips.gathered.Gathered`: the loose objects that are the execution's upload."""
        return join(self.uri, f"objects{GATHERED_END}")

    def extracted(self, shard: int) -> str:
        """JSON Lines of `messages.Image`: the images that one shard put into the lake, in the order of `members`."""
        return join(self.uri, "extracted", f"{shard:06d}.jsonl")

    @property
    def batches(self) -> str:
        """JSON array of `messages.Batch`: the items of the state Infer."""
        return join(self.uri, "batches.json")

    def batch(self, batch_id: str) -> str:
        """The rows of one batch, Parquet (`schemas.EMBED_BATCH` or `schemas.CLASSIFY_BATCH`)."""
        return join(self.uri, "batches", f"{batch_id}.parquet")

    def piece(self, batch_id: str, start: int, stop: int) -> str:
        """What came of the rows `start` to `stop` of a batch that was stopped there: a folder with a part and its
        rejects. The last piece takes the others up into the part of the batch."""
        return join(self.uri, "pieces", batch_id, f"{start:06d}-{stop:06d}")

    def part(self, table: str, part_id: str) -> str:
        """Rows for a table, Parquet in its schema, sorted by its key. It exists only when complete."""
        return join(self.uri, "parts", table, f"{part_id}.parquet")

    @property
    def merged_rejects(self) -> str:
        """All rows of the execution for `rejects`, Parquet: Compact adds it to the parts where Athena merges."""
        return join(self.uri, "merged", "rejects", "rows.parquet")

    @property
    def withdrawn_rejects(self) -> str:
        """Rows of `rejects` that a retry takes back, Parquet: Compact adds it where Athena merges."""
        return join(self.uri, "withdrawn", "rejects", "rows.parquet")

    def rejects(self, stage: str, part_id: str) -> str:
        """JSON Lines of `rejects.Reject`. Written before the part that completes the same work."""
        return join(self.uri, "parts", "rejects", f"{stage}-{part_id}.jsonl")

    @property
    def compacted(self) -> str:
        """JSON of `messages.CompactAnswer`: Compact's last object, where it has committed every table itself."""
        return join(self.uri, "compacted.json")

    @property
    def finished(self) -> str:
        """JSON of `messages.Finished`, for a retry (`retries`). Compact writes it when it knows what was lost."""
        return join(self.uri, "finished.json")

    def failure(self, child: str) -> str:
        """The error of a Map's child (`extract-000003`, `embed-000001`) that failed for good (`failures`)."""
        return join(self.uri, "failures", f"{child}.json")

    def key(self, uri: str) -> str:
        """The object's key below the lake, as an ItemReader wants it."""
        return uri.removeprefix(self.lake.rstrip("/") + "/")
