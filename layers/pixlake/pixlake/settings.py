"""Settings: one frozen dataclass a function, read from the environment once, when the function starts.

A field is a variable of the same name in upper case. The template sets those without a default here, and those that a
parameter changes; a test holds both together.
"""

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from typing import TypeVar, get_type_hints

from pixlake.errors import BadRequest

S = TypeVar("S")


def from_environment(kind: type[S], environment: Mapping[str, str] | None = None) -> S:
    """Read one settings dataclass; BadRequest names the variable that is missing or does not parse."""
    source = os.environ if environment is None else environment
    types = get_type_hints(kind)
    values = {}
    for field in fields(kind):  # type: ignore[arg-type]
        variable = field.name.upper()
        if variable not in source:
            if field.default is MISSING:
                raise BadRequest(f"the environment variable {variable} is not set")
            continue
        try:
            values[field.name] = types[field.name](source[variable])
        except ValueError as error:
            expected = types[field.name].__name__
            raise BadRequest(f"the environment variable {variable} must be {expected}: {source[variable]!r}") from error
    return kind(**values)


class Device(StrEnum):
    """Where models run: on the machine's cores, or on its GPU by ONNX Runtime's CUDA provider."""

    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True)
class PlanSettings:
    """Sizes in bytes. The four model names are the stack's defaults, empty for none."""

    lake_uri: str
    embedder: str = ""
    classifier_with_image: str = ""
    classifier_without_image: str = ""
    classifier_orphan: str = ""
    max_members: int = 2_000_000
    max_total_bytes: int = 1 << 40
    max_ratio: int = 200
    max_table_bytes: int = 1 << 30
    shard_bytes: int = 128 << 20
    shard_members: int = 2_000


@dataclass(frozen=True)
class CollectSettings:
    """`state_machine` is the ARN of the one that takes what is gathered."""

    lake_uri: str
    state_machine: str


@dataclass(frozen=True)
class ExtractSettings:
    lake_uri: str
    writes_in_flight: int = 64


@dataclass(frozen=True)
class SplitSettings:
    """A batch ends at whichever comes first: `batch_rows` rows, `batch_bytes` bytes of encoded images, or, where the
    bundle says what an image costs, `batch_seconds` on a function of `inference_memory` MB (0: not known).
    `table_memory` bounds all tables together in memory: their text, 4 bytes a cell and 48 a row. At its peak Split
    takes up to three times as much, besides 300 MB (benchmarks/split_edge.py). A Parquet table is read by a process
    that may take `parquet_memory` bytes beside its program's; all of them together take at most `parquet_seconds` of a
    core. `autogluon_image` is the container of models that only AutoGluon can run, empty where there is none.
    `catalog_uri` is as Compact's, for images that are in the lake."""

    lake_uri: str
    batch_rows: int = 1_024
    batch_bytes: int = 512 << 20
    batch_seconds: float = 180.0
    inference_memory: int = 3_008
    table_memory: int = 384 << 20
    parquet_memory: int = 1 << 30
    parquet_seconds: float = 300.0
    autogluon_image: str = ""
    catalog_uri: str = ""


@dataclass(frozen=True)
class InferenceSettings:
    """For embed and classify. `inference_batch` examples are in inference at once, shared by `inference_threads` cores;
    0 means all cores that the process may use. An image may have `max_image_bytes` encoded and `max_pixels` decoded;
    decoding it may take `max_image_seconds` of a core and `max_decoder_bytes` of memory; encoded ones of
    `read_ahead_bytes`, or a single one, are in memory at once. A model may take `max_model_seconds` for an example, and
    of the memory, which Lambda gives in MB, a share: `inference.memory` divides it, and none of these limits is above
    its share. An invocation begins no group of rows that it
    may not finish in `work_seconds`, or in Lambda's time; the rest of the batch is done by the next. `device` runs
    graphs of ONNX."""

    lake_uri: str
    max_pixels: int = 100_000_000
    max_image_bytes: int = 256 << 20
    max_image_seconds: float = 10.0
    max_decoder_bytes: int = 2 << 30
    read_ahead_bytes: int = 256 << 20
    inference_batch: int = 32
    inference_threads: int = 0
    max_model_seconds: float = 20.0
    aws_lambda_function_memory_size: int = 0
    work_seconds: float = 600.0
    device: Device = Device.CPU


@dataclass(frozen=True, kw_only=True)
class ApiSettings(InferenceSettings):
    """`catalog_uri` is as Compact's. What an image and a model may take is as for classify."""

    catalog_uri: str


class Engine(StrEnum):
    """The engine that merges parts into tables: the function itself, or Athena, which has no limit of 15 minutes."""

    LAMBDA = "lambda"
    ATHENA = "athena"


@dataclass(frozen=True)
class CompactSettings:
    """`catalog_uri` is `glue://<database>` on AWS and `sqlite:///<path>` on a laptop. `tolerated_lost_percent` of the
    batches may be missing; above it the execution fails."""

    lake_uri: str
    catalog_uri: str
    target_file_bytes: int = 256 << 20
    tolerated_lost_percent: float = 5.0
    compaction_engine: Engine = Engine.LAMBDA


@dataclass(frozen=True)
class ReportSettings:
    """For report and record_failure. `device` is InferenceSettings'."""

    lake_uri: str
    catalog_uri: str
    device: Device = Device.CPU


@dataclass(frozen=True)
class MaintainSettings:
    lake_uri: str
    catalog_uri: str
    snapshot_days: float = 7.0
    work_days: float = 14.0


@dataclass(frozen=True)
class MirrorSettings:
    """`vector_bucket` is the name of a bucket of S3 Vectors, made where it is not there; `kms_key_arn` encrypts it, the
    service's own key where it is empty."""

    lake_uri: str
    catalog_uri: str
    vector_bucket: str
    kms_key_arn: str = ""
