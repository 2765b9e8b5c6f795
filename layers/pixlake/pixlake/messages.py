"""The messages between states: URIs, counts and names, never data (Step Functions stops at 256 KiB).

Each function takes one `…Request` and returns one `…Answer`; larger lists are files in the lake, rows of the structs at
the end.
"""

from typing import Annotated, Any, TypeVar

import msgspec

from pixlake.errors import BadRequest

M = TypeVar("M")

TOTALS = ("images", "records", "embedded", "predicted", "rejected")
"""The counts of an execution, in Report's answer and in the table `executions`."""


Name = Annotated[str, msgspec.Meta(max_length=1_000)]
"""A name in an upload: bounded, for it is passed between states, and a payload ends at 256 KiB."""


def _described(description: str, default: str, example: str | bool) -> msgspec.Meta:
    """For docs/pixlake-json.md; `default` says what happens where the field is left out."""
    return msgspec.Meta(description=description, examples=[example], extra={"default": default})


class Classifiers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Bundle names, by what they predict."""

    with_image: Annotated[
        Name | None, _described("The bundle that predicts records that have images", "the stack's", "adoption")
    ] = None
    without_image: Annotated[
        Name | None,
        _described(
            "The bundle that predicts records without image, or all where there is no `with_image`",
            "the stack's",
            "adoption-table",
        ),
    ] = None
    orphan: Annotated[
        Name | None, _described("The bundle that predicts images that no record names", "the stack's", "cat-or-dog")
    ] = None


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The content of `pixlake.json`. A field that is None is found by looking at the data, or is not wanted."""

    id_column: Annotated[
        Name | None,
        _described("The column that identifies a record", "the experiment's, else found by looking", "PetID"),
    ] = None
    image_column: Annotated[
        Name | None,
        _described(
            "The column that names a record's images, by path, the end of one, file name or URL. Several in a cell have"
            " a semicolon or a vertical bar between, or are a JSON list",
            "found by looking",
            "photo",
        ),
    ] = None
    label_column: Annotated[
        Name | None,
        _described("The column with the right label, which the report compares with predictions", "none", "Speed"),
    ] = None
    embedder: Annotated[Name | None, _described("The bundle that embeds the images", "the stack's", "ViT-B-32")] = None
    classifier: Classifiers = Classifiers()
    complete: Annotated[
        bool | None,
        _described("The upload is the whole experiment: what is older and not in it goes", "false", True),
    ] = None


class Ingest(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state machine's input, written by a person or read from an event of S3 (`triggers`).

    `experiment_id` comes from `uploads/<experiment_id>/…` where it is left out; `uploaded_at` (ISO 8601) from the
    object; `options` win over the upload's `pixlake.json`. `upload_version` is a version id of S3's, of a zip; the
    newest version where it is left out.
    """

    upload_uri: str
    experiment_id: str | None = None
    uploaded_at: str | None = None
    options: Options = Options()
    upload_version: str | None = None


class Run(msgspec.Struct, frozen=True, omit_defaults=True):
    """The execution, as every step gets it. Times are ISO 8601 in UTC.

    `upload_id` is 16 hex digits of the upload's content: the same upload has the same one. `started_at` is written as
    `processed_at`, so that a step run twice writes the same bytes. `upload_version` is the version id of a zip in a
    bucket that keeps versions, `upload_etag` its ETag: every read is of this one. `retry_of` is the execution of the
    same upload of which this one runs again what was lost. `from_lake` says that there is no upload: the images are
    those that the experiment has.
    """

    execution_id: str
    experiment_id: str
    upload_uri: str
    upload_id: str
    uploaded_at: str
    started_at: str
    upload_version: str | None = None
    upload_etag: str | None = None
    retry_of: str | None = None
    from_lake: bool = False


class ItemList(msgspec.Struct, frozen=True):
    """A JSON array in the lake for a Map's ItemReader: its key below the lake, and its number of items."""

    key: str
    count: int


class PlanRequest(msgspec.Struct, frozen=True):
    execution_id: str
    started_at: str
    ingest: Ingest


class RetryRequest(msgspec.Struct, frozen=True):
    """Plan's request where the execution's input names an earlier execution: run what that one lost."""

    execution_id: str
    started_at: str
    retry: str


class FromLakeRequest(msgspec.Struct, frozen=True):
    """Plan's request where the execution's input names an experiment: give its images to the models of `options`."""

    execution_id: str
    started_at: str
    from_lake: str
    options: Options


class PlanAnswer(msgspec.Struct, frozen=True):
    """`images` counts the images to extract, `tables` the table files taken out, `rejected` the rows in rejects."""

    run: Run
    options: Options
    shards: ItemList
    images: int
    tables: int
    rejected: int


class ExtractRequest(msgspec.Struct, frozen=True):
    run: Run
    shard: "Shard"


class ExtractAnswer(msgspec.Struct, frozen=True):
    shard: int
    extracted: int
    rejected: int


class SplitRequest(msgspec.Struct, frozen=True):
    run: Run
    options: Options
    shards: ItemList


class SplitAnswer(msgspec.Struct, frozen=True):
    """`models` maps a role (`embedder`, `with_image`, `without_image`, `orphan`) to `name@version`.
    `id_column` is the one used, with `id_column_why` for the report; None where there is no table. `guessed`
    says that it looks like no key, `known` that the experiment had it before.
    `demo` are the roles of demo models (`bundles.demo`). `warnings` name possible mistakes, and `unpredicted` says why
    nothing goes to a classifier; sentences for people."""

    batches: ItemList
    images: int
    records: int
    with_image: int
    orphans: int
    rejected: int
    models: dict[str, str]
    id_column: str | None
    id_column_why: str
    demo: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    unpredicted: str = ""
    guessed: bool = False
    known: bool = False


class BatchRequest(msgspec.Struct, frozen=True):
    """For embed and classify."""

    run: Run
    batch: "Batch"


class BatchAnswer(msgspec.Struct, frozen=True):
    """`rows` and `rejected` are this invocation's. `rest` is the batch to go on with where time ran out, else empty: a
    list, for a Choice can ask whether it has a first item."""

    batch_id: str
    rows: int
    rejected: int
    rest: tuple["Batch", ...] = ()


class CompactRequest(msgspec.Struct, frozen=True):
    """`options` are part of the identity of a run: they and the upload tell whether two runs are the same."""

    run: Run
    split: SplitAnswer
    options: Options = Options()


class Finished(msgspec.Struct, frozen=True):
    """What a retry needs of an execution: Compact's request, and the batches whose rows it did not commit."""

    request: CompactRequest
    lost: tuple["Batch", ...]


class Effect(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of the upload's rows: `new` have a key that was not there, `replaced` took an older row's place, `unchanged` are
    there already, `older` did not come in, for what is there counts more. Of the other rows of the experiment:
    `removed` are gone, `changed` stayed with other images or another record."""

    new: int = 0
    replaced: int = 0
    unchanged: int = 0
    older: int = 0
    removed: int = 0
    changed: int = 0

    @property
    def given(self) -> int:
        """The upload's rows."""
        return self.new + self.replaced + self.unchanged + self.older


class TableStatements(msgspec.Struct, frozen=True):
    """SQL for Athena that brings one table up to date, in the order in which it runs (`iceberg.statements`)."""

    table: str
    register: str
    merge: str
    keep: str
    optimize: str
    vacuum: str


class CompactAnswer(msgspec.Struct, frozen=True):
    """The execution's totals. `lost_batches` are those without a part; their rows are rejects. `effects` are the rows
    added, replaced and so on, by table; none where Athena merges. `statements` are the SQL that is left to run then, a
    few KB for each table. `with_image` are the records with an image that can be used."""

    images: int
    records: int
    embedded: int
    predicted: int
    rejected: int
    lost_batches: int
    statements: tuple[TableStatements, ...] = ()
    effects: dict[str, Effect] = {}
    with_image: int | None = None


class ReportRequest(msgspec.Struct, frozen=True):
    run: Run
    plan: PlanAnswer
    split: SplitAnswer
    compact: CompactAnswer


class ReportAnswer(msgspec.Struct, frozen=True):
    """The state machine's output. `notice` is a line on demo models, else empty. `warnings`
    and `unpredicted` are Split's, and before them a warning for each table that was not read; `reasons` are the most
    frequent reasons of the rejects, with their numbers; `effects` are Compact's. `uploaded_at` is the run's."""

    execution: str
    status: str
    experiment_id: str
    images: int
    records: int
    embedded: int
    predicted: int
    rejected: int
    report_uri: str
    notice: str = ""
    warnings: tuple[str, ...] = ()
    unpredicted: str = ""
    reasons: dict[str, int] = {}
    effects: dict[str, Effect] = {}
    uploaded_at: str = ""


class StateError(msgspec.Struct, frozen=True):
    """The error of a failed state or execution. `cause` is JSON text with `errorMessage` where a function raised."""

    error: str
    cause: str = ""


class ChildFailure(msgspec.Struct, frozen=True):
    """The note of a Map's child that failed for good: its state, the error's class and its message."""

    step: str
    error: str
    message: str


class Ended(msgspec.Struct, frozen=True, rename="camel"):
    """An execution that Step Functions ended as `status`, which is `FAILED`, `TIMED_OUT` or `ABORTED`.

    Dates are milliseconds since 1970. `input` is the execution's, as JSON text, for it may be at fault; None where it
    is too long for an event (248 KB). `error` and `cause` are None where there is none, as for an abort.
    """

    name: str
    status: str
    start_date: int
    stop_date: int
    input: str | None = None
    error: str | None = None
    cause: str | None = None


class FailureRequest(msgspec.Struct, frozen=True):
    """The fields that are read of the event "Step Functions Execution Status Change"."""

    detail: Ended


class FailureAnswer(msgspec.Struct, frozen=True):
    """`status` is the execution's in the tables now: `SUCCEEDED` where a redrive succeeded since."""

    execution: str
    status: str
    error: str
    cause: str
    report_uri: str


class Queued(msgspec.Struct, frozen=True, rename="camel"):
    """A message of a queue, as Lambda hands it on; its body is an event of S3's as EventBridge delivers it."""

    message_id: str
    body: str


class CollectRequest(msgspec.Struct, frozen=True, rename="pascal"):
    """What Lambda makes of the messages that it read from a queue."""

    records: tuple[Queued, ...]


class ItemFailure(msgspec.Struct, frozen=True, rename="camel"):
    """A message that is to be delivered again, by its id."""

    item_identifier: str


class CollectAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """`batch_item_failures` is what Lambda reads: the others are done. `executions` are the names of those that run
    now, `errors` say why the rest does not; both are for the log."""

    batch_item_failures: tuple[ItemFailure, ...]
    executions: tuple[str, ...]
    errors: tuple[str, ...]


class MaintainAnswer(msgspec.Struct, frozen=True):
    """`skipped` gives the reason and the remedy for each table that was left alone."""

    expired_snapshots: int
    deleted_files: int
    deleted_work: int
    skipped: tuple[str, ...] = ()


class MirrorAnswer(msgspec.Struct, frozen=True):
    """Vectors put into indexes of S3 Vectors and deleted there; `refused` are those that no index takes."""

    put: int
    deleted: int
    refused: int


# ---- rows of the files in the lake --------------------------------------------------------------------------------


class Member(msgspec.Struct, frozen=True, omit_defaults=True):
    """One image of the upload. In a zip: the place of its local header, and its entry in the directory (`crc` CRC-32,
    `method` 0 stored or 8 deflate, `name_crc` of the name's raw bytes, which the local header repeats). In a folder or
    a listing: the object to copy, `source_uri`; of an event's, the version to read and its time."""

    image_path: str
    image_uri: str
    size: int
    offset: int = 0
    compressed: int = 0
    crc: int = 0
    method: int = 0
    name_crc: int = 0
    source_uri: str = ""
    version: str = ""
    uploaded_at: str = ""


class Shard(msgspec.Struct, frozen=True):
    """The input of one Extract invocation: the `count` lines of `Work.members` in the byte range `offset`, `length`.
    `bytes` counts the bytes that it reads of the upload."""

    index: int
    offset: int
    length: int
    count: int
    bytes: int


class Image(msgspec.Struct, frozen=True, omit_defaults=True):
    """An image that is in the lake and verified. `size` is in bytes; `uploaded_at` is its own time, ISO 8601 in UTC,
    empty for the upload's."""

    image_path: str
    image_uri: str
    size: int
    uploaded_at: str = ""


class Batch(msgspec.Struct, frozen=True, omit_defaults=True):
    """The input of one Infer iteration. `task` is `embed`, `classify`, or for a model that only AutoGluon can run
    `classify_autogluon`; `modality` is `image` (embed, and orphans to classify), `image+tabular` or `tabular`; `model`
    is `name@version`; `bytes` counts encoded images. `done` are the numbers of rows at which earlier invocations ran
    out of time: the work goes on at the last."""

    batch_id: str
    task: str
    modality: str
    model: str
    count: int
    bytes: int
    done: tuple[int, ...] = ()


def parse(event: Any, kind: type[M]) -> M:
    """`event` as a message; BadRequest says which field does not fit."""
    try:
        return msgspec.convert(event, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"{kind.__name__}: {error}") from error


def plain(message: msgspec.Struct) -> dict[str, Any]:
    """`message` as a Lambda function returns it."""
    result: dict[str, Any] = msgspec.to_builtins(message)
    return result
