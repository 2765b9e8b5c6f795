"""The Arrow schemas of the tables and the batch files, with each table's key and the precedence among its rows."""

from dataclasses import dataclass

import pyarrow as pa

_TIME = pa.timestamp("us", tz="UTC")


def _schema(**columns: pa.DataType | tuple[pa.DataType, bool]) -> pa.Schema:
    """A schema; `(type, True)` marks a column that may be null."""
    fields = []
    for name, kind in columns.items():
        kind, nullable = kind if isinstance(kind, tuple) else (kind, False)
        fields.append(pa.field(name, kind, nullable=nullable))
    return pa.schema(fields)


_TEXT, _OPTIONAL_TEXT, _LONG = pa.string(), (pa.string(), True), pa.int64()


@dataclass(frozen=True)
class TableSchema:
    """One table. Rows are unique by `key`; of two rows with one key the greater by `precedence` stays, the incoming
    one where they are equal. A precedence `column=value` ranks rows with that value above others, `column>=number`
    those with at least that one. A row that takes the place of one with the same `content` counts as unchanged.
    `partitioned` tables have a partition for each experiment; the others hold few rows, which stay together."""

    name: str
    columns: pa.Schema
    key: tuple[str, ...]
    precedence: tuple[str, ...] = ("uploaded_at",)
    partitioned: bool = True
    content: tuple[str, ...] = ()


EMBEDDINGS = TableSchema(
    "embeddings",
    _schema(
        experiment_id=_TEXT,
        image_path=_TEXT,
        record_id=_OPTIONAL_TEXT,
        embedding=pa.list_(pa.field("element", pa.float32(), nullable=False)),
        model=_TEXT,
        width=pa.int32(),
        height=pa.int32(),
        sha256=_TEXT,
        image_uri=_TEXT,
        uploaded_at=_TIME,
        processed_at=_TIME,
    ),
    key=("experiment_id", "image_path", "model"),
    content=("sha256",),
)

PREDICTIONS = TableSchema(
    "predictions",
    _schema(
        experiment_id=_TEXT,
        record_id=_OPTIONAL_TEXT,
        image_path=_OPTIONAL_TEXT,
        label=_OPTIONAL_TEXT,
        score=(pa.float64(), True),
        probabilities=(pa.map_(pa.string(), pa.field("value", pa.float64(), nullable=False)), True),
        value=(pa.float64(), True),
        modality=_TEXT,
        model=_TEXT,
        uploaded_at=_TIME,
        processed_at=_TIME,
    ),
    # image_path is set only where there is no record, so the two together are the key.
    key=("experiment_id", "record_id", "image_path"),
    precedence=("modality=image+tabular", "uploaded_at"),
    content=("label", "score", "value", "modality", "model"),
)

RECORDS = TableSchema(
    "records",
    _schema(
        experiment_id=_TEXT,
        record_id=_TEXT,
        has_image=pa.bool_(),
        image_paths=pa.list_(pa.field("element", pa.string(), nullable=False)),
        attributes=pa.map_(pa.string(), pa.field("value", pa.string(), nullable=True)),
        uploaded_at=_TIME,
        processed_at=_TIME,
    ),
    key=("experiment_id", "record_id"),
    content=("attributes",),
)

BY_FIT = 1 << 24
"""A `place` in `links` below 0 is of an image that no upload named for the record, but that fits it: -1 less the level,
0 fits best, times this number, less the image's place among those of its level."""

LINKS = TableSchema(
    "links",
    _schema(
        experiment_id=_TEXT,
        image_path=_TEXT,
        record_id=_TEXT,
        place=pa.int32(),
        uploaded_at=_TIME,
        processed_at=_TIME,
    ),
    # the last time that an upload gave the image to the record; `iceberg.links` decides which rows hold
    key=("experiment_id", "image_path", "record_id"),
    precedence=("place>=0", "uploaded_at"),
)

REJECTS = TableSchema(
    "rejects",
    _schema(
        experiment_id=_TEXT,
        source=_TEXT,
        stage=_TEXT,
        reason=_TEXT,
        detail=_TEXT,
        uploaded_at=_TIME,
        processed_at=_TIME,
    ),
    # a log: a newer upload's rejects are added to the older ones, the same upload's replace themselves
    key=("experiment_id", "source", "stage", "reason", "uploaded_at"),
)

EXECUTIONS = TableSchema(
    "executions",
    _schema(
        execution_id=_TEXT,
        experiment_id=_TEXT,
        upload_uri=_TEXT,
        status=_TEXT,
        images=_LONG,
        records=_LONG,
        embedded=_LONG,
        predicted=_LONG,
        rejected=_LONG,
        started_at=_TIME,
        finished_at=_TIME,
        models=pa.map_(pa.string(), pa.field("value", pa.string(), nullable=False)),
    ),
    key=("execution_id",),
    precedence=("finished_at",),
    partitioned=False,
)

TABLES = {table.name: table for table in (EMBEDDINGS, PREDICTIONS, RECORDS, LINKS, REJECTS, EXECUTIONS)}

EMBED_BATCH = _schema(image_path=_TEXT, image_uri=_TEXT, record_id=_OPTIONAL_TEXT)

STORED = pa.field("uploaded_at", _TIME, nullable=False)
"""In a batch of images with times of their own, loose or in the lake: when each was uploaded."""

CLASSIFY_BATCH = _schema(
    record_id=_OPTIONAL_TEXT,
    image_paths=pa.list_(pa.string()),
    image_uris=pa.list_(pa.string()),
    attributes=pa.map_(pa.string(), pa.string()),
)
