"""The cost of images on AWS, by service: the work as the code's own settings cut it, times list prices.

The prices are list prices for us-east-1, without free tiers and discounts; `page` is AWS's page of each, `noted` the
day it was written down here. To change a price, edit `PRICES` and run `make docs`, which writes docs/limits.md.
"""

import math
from dataclasses import dataclass

from pixlake.settings import PlanSettings, SplitSettings
from pixlake_models.trying.prices import LAMBDA_GB_SECOND, MB_PER_CORE, MILLION

GB = 1e9
CONTAINER_BYTES = 3 * 0.4e9
"""Of the three container images that infer, 345 to 441 MB each as they are built, before ECR's compression."""
BUCKET_KEY_REQUESTS = 4
"""Requests to a key by a function's environment: a bucket key is asked for once by each, to read and to write."""
REPLACED = 0.5
"""Bytes that one merge replaces and `UndoDays` keep, half a month, as a share of the embeddings' own."""


@dataclass(frozen=True)
class Price:
    """Dollars for `units` of `what`, by AWS's page of that name, as written down on the day `noted`."""

    dollars: float
    units: float
    what: str
    page: str
    noted: str = "2026-11-20"

    def of(self, amount: float) -> float:
        return self.dollars * amount / self.units


PRICES = {
    "lambda_gb_second": Price(LAMBDA_GB_SECOND, 1, "GB-second, x86", "AWS Lambda pricing"),
    "lambda_request": Price(0.20, MILLION, "million invocations", "AWS Lambda pricing"),
    "transition": Price(0.025, 1_000, "thousand state transitions", "AWS Step Functions pricing"),
    "put": Price(0.005, 1_000, "thousand PUT or LIST", "Amazon S3 pricing"),
    "get": Price(0.0004, 1_000, "thousand GET", "Amazon S3 pricing"),
    "stored": Price(0.023, 1, "GB-month, S3 Standard", "Amazon S3 pricing"),
    "archived": Price(0.004, 1, "GB-month, S3 Glacier Instant Retrieval", "Amazon S3 pricing", "2026-11-22"),
    "image": Price(0.10, 1, "GB-month of container images", "Amazon ECR pricing", "2026-11-22"),
    "kms": Price(0.03, 10_000, "ten thousand requests to a key", "AWS KMS pricing", "2026-11-22"),
    "log": Price(0.50, 1, "GB of logs taken in", "Amazon CloudWatch pricing"),
    "metric": Price(0.30, 1, "custom metric and month", "Amazon CloudWatch pricing"),
    "alarm": Price(0.10, 1, "metric of an alarm and month", "Amazon CloudWatch pricing"),
    "athena": Price(5.0, 1, "TB scanned", "Amazon Athena pricing"),
    "bedrock": Price(60.0, MILLION, "million images", "Amazon Bedrock pricing, Titan and Nova multimodal embeddings"),
    "rekognition": Price(1_000.0, MILLION, "million images", "Amazon Rekognition pricing, DetectLabels, first million"),
}


@dataclass(frozen=True)
class Measured:
    """Speeds of one core, from benchmarks/ on the machine that develops this; a core of Lambda's is about as fast."""

    # benchmarks/embed.py: ViT-B/32 in fp32, 14.5 images/s on two cores
    embedded_per_second: float = 7.25
    # benchmarks/compact.py: 100,000 rows of 512 floats in 2.0 s
    compacted_per_second: float = 50_000.0
    # benchmarks/split.py's limit: a million records and a million names in 30 s
    split_per_second: float = 33_000.0
    # no benchmark, but Lambda's network of 75 MB/s, half for reading and half for writing; it bounds Extract and
    # Compact there
    passed_bytes_per_second: float = 37.5e6


@dataclass(frozen=True)
class Work:
    """An upload of `images` images of `image_bytes`, each of one record, embedded once in `dimensions` floats."""

    images: int
    image_bytes: int = 200_000
    dimensions: int = 512
    inference_mb: int = 3008
    measured: Measured = Measured()

    @property
    def uploads(self) -> int:
        """The number of zips, for one holds `max_members`."""
        return math.ceil(self.images / PlanSettings.max_members)

    @property
    def largest(self) -> int:
        """Images of the largest upload."""
        return math.ceil(self.images / self.uploads)

    @property
    def shards(self) -> int:
        """Shards of the largest upload."""
        by_bytes = self.largest * self.image_bytes / PlanSettings.shard_bytes
        return math.ceil(max(by_bytes, self.largest / PlanSettings.shard_members))

    @property
    def batch_images(self) -> int:
        return max(1, min(SplitSettings.batch_rows, SplitSettings.batch_bytes // self.image_bytes, self.largest))

    @property
    def batches(self) -> int:
        """Batches of the largest upload, all of one model."""
        return math.ceil(self.largest / self.batch_images)

    @property
    def inference_cores(self) -> float:
        return self.inference_mb / MB_PER_CORE

    @property
    def embed_seconds(self) -> float:
        """Seconds for one batch."""
        return self.batch_images / (self.measured.embedded_per_second * self.inference_cores)

    @property
    def extract_seconds(self) -> float:
        """Seconds for one shard."""
        return min(PlanSettings.shard_bytes, self.largest * self.image_bytes) / self.measured.passed_bytes_per_second

    @property
    def compact_seconds(self) -> float:
        """Seconds for one upload's embeddings in one function."""
        passing = self.largest * self.vector_bytes / self.measured.passed_bytes_per_second
        return max(self.largest / self.measured.compacted_per_second, passing)

    @property
    def vector_bytes(self) -> int:
        """A row of `embeddings`: floats hardly compress, and the other columns take about 200 bytes."""
        return self.dimensions * 4 + 200


def costs(work: Work) -> dict[str, float]:
    """Dollars by service for all of `work`, once."""
    uploads, shards, batches = work.uploads, work.shards * work.uploads, work.batches * work.uploads
    seconds = {
        "embed": batches * work.embed_seconds * work.inference_mb / 1024,
        "extract": shards * work.extract_seconds * MB_PER_CORE / 1024,
        "split": work.images / work.measured.split_per_second * 3008 / 1024,
        "compact": uploads * work.compact_seconds * 3008 / 1024,
        "plan, report": uploads * 60 * MB_PER_CORE / 1024,
    }
    gets = work.images + 4 * (shards + batches)
    puts = work.images + 3 * (shards + batches)
    # the child's own start, its states, the machine's states
    transitions = 2 * shards + 3 * batches + 12 * uploads
    return {
        "Lambda: embed": PRICES["lambda_gb_second"].of(seconds["embed"]),
        "Lambda: the rest": PRICES["lambda_gb_second"].of(sum(seconds.values()) - seconds["embed"])
        + PRICES["lambda_request"].of(shards + batches + 5 * uploads),
        "Step Functions": PRICES["transition"].of(transitions),
        "S3 requests": PRICES["put"].of(puts) + PRICES["get"].of(gets),
        "CloudWatch Logs": PRICES["log"].of((shards + batches) * 8_000 / GB),
        "KMS, with a key of one's own": PRICES["kms"].of(BUCKET_KEY_REQUESTS * (shards + batches + 5 * uploads)),
    }


def monthly(work: Work) -> dict[str, float]:
    """Dollars a month: storage of the images and vectors, and the stack's alarms and metrics."""
    return {
        "S3: images": PRICES["stored"].of(work.images * work.image_bytes / GB),
        "S3: uploaded zips, as long as they are kept": PRICES["stored"].of(work.images * work.image_bytes / GB),
        "S3: embeddings": PRICES["stored"].of(work.images * work.vector_bytes / GB),
        "S3: replaced versions, in the first month": PRICES["stored"].of(
            REPLACED * work.images * work.vector_bytes / GB
        ),
        "ECR: the functions' images": PRICES["image"].of(CONTAINER_BYTES / GB),
        "CloudWatch: metrics and alarms": PRICES["metric"].of(14) + PRICES["alarm"].of(33),
    }


def others(work: Work) -> dict[str, float]:
    """Dollars by services that do the same, paid by the image."""
    return {
        "Titan or Nova multimodal embeddings": PRICES["bedrock"].of(work.images),
        "Rekognition DetectLabels": PRICES["rekognition"].of(work.images),
    }
