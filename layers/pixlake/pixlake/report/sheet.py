"""The contact sheet: a sample of the execution's images with their predictions, and the least certain predictions.

The sample is chosen by a hash of the image's path, so the same upload shows the same images in any order.
"""

import base64
import heapq
import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from pixlake import storage
from pixlake.errors import PixlakeError
from pixlake.images.decoders import Decoders, Limits

SAMPLED = 40
LEAST_CERTAIN = 16
_THUMBNAIL = 160  # pixels; shown at about 110
_MAX_BYTES = 64 << 20
# a thumbnail is worth less waiting than a vector, and Report has less memory than Embed
_LIMITS = Limits(max_pixels=50_000_000, seconds=2, memory=640 << 20, together=768 << 20)
_WORKERS = 4


@dataclass(frozen=True)
class Prediction:
    """The content of a caption. `key` is the record's id, or the image's path where there is no record; a regression
    has no `score`."""

    key: str
    label: str
    score: float | None


@dataclass(frozen=True)
class Picture:
    """An image to show; `order` is its place in the pseudo-random order of all images."""

    image_path: str
    image_uri: str
    record_id: str | None

    @property
    def key(self) -> str:
        """What its prediction is found by."""
        return self.record_id or self.image_path

    @property
    def order(self) -> tuple[int, str]:
        return zlib.crc32(self.image_path.encode()), self.image_path


@dataclass(frozen=True)
class Tile:
    """A picture with its caption; `thumbnail` is a data URI, or None where the image could not be shown."""

    picture: Picture
    prediction: Prediction | None
    thumbnail: str | None


def least_certain(predictions: Iterable[pa.RecordBatch], count: int = LEAST_CERTAIN) -> list[Prediction]:
    """The predictions with the lowest scores among those made with an image, lowest first."""
    lowest: list[Prediction] = []
    for batch in predictions:
        scored = pc.and_(pc.starts_with(batch.column("modality"), "image"), pc.is_finite(batch.column("score")))
        if len(lowest) == count:  # most batches then have few candidates
            scored = pc.and_(scored, pc.less_equal(batch.column("score"), lowest[-1].score))
        lowest = heapq.nsmallest(count, [*lowest, *_predictions(batch.filter(scored))], key=_uncertainty)
    return lowest


def _uncertainty(prediction: Prediction) -> tuple[float, str]:
    return prediction.score or 0.0, prediction.key


def predictions_of(keys: set[str], predictions: Iterable[pa.RecordBatch]) -> dict[str, Prediction]:
    """The predictions for these keys."""
    wanted = pa.array(sorted(keys), pa.string())
    found: dict[str, Prediction] = {}
    for batch in predictions:
        key = pc.coalesce(batch.column("record_id"), batch.column("image_path"))
        for prediction in _predictions(batch.filter(pc.is_in(key, wanted))):
            found[prediction.key] = prediction
    return found


def _predictions(batch: pa.RecordBatch) -> Iterator[Prediction]:
    for row in batch.select(["record_id", "image_path", "label", "score", "value"]).to_pylist():
        label = row["label"] if row["value"] is None else f"{row['value']:.4g}"
        yield Prediction(row["record_id"] or row["image_path"], label or "", row["score"])


def choose_pictures(
    images: Iterable[pa.RecordBatch], keys: set[str], count: int = SAMPLED
) -> tuple[list[Picture], dict[str, Picture]]:
    """A sample of the images, and one image for each of the keys, from batches of image_path, image_uri, record_id."""
    wanted = pa.array(sorted(keys), pa.string())
    sample: list[Picture] = []
    named: dict[str, Picture] = {}
    for batch in images:
        sample = heapq.nsmallest(count, [*sample, *_pictures(batch)], key=lambda picture: picture.order)
        key = pc.coalesce(batch.column("record_id"), batch.column("image_path"))
        for picture in _pictures(batch.filter(pc.is_in(key, wanted))):
            named.setdefault(picture.key, picture)
    return sample, named


def _pictures(batch: pa.RecordBatch) -> Iterator[Picture]:
    columns = (batch.column(name).to_pylist() for name in ("image_path", "image_uri", "record_id"))
    for image_path, image_uri, record_id in zip(*columns, strict=True):
        yield Picture(image_path, image_uri, record_id)


def make_tiles(pictures: Sequence[Picture], predictions: dict[str, Prediction]) -> list[Tile]:
    """Read and shrink the pictures, a few at a time."""
    decoders = Decoders(_LIMITS)
    with ThreadPoolExecutor(_WORKERS) as pool:
        thumbnails = list(pool.map(lambda picture: make_thumbnail(picture.image_uri, decoders), pictures))
    return [
        Tile(picture, predictions.get(picture.key), thumbnail)
        for picture, thumbnail in zip(pictures, thumbnails, strict=True)
    ]


def make_thumbnail(uri: str, decoders: Decoders, side: int = _THUMBNAIL) -> str | None:
    """A small WebP as a data URI; None for an image that is gone, too large to show, or unreadable."""
    try:
        if storage.head(uri).size > _MAX_BYTES:
            return None
        pixels = decoders.shrink(storage.read(uri), side).pixels
    except PixlakeError:
        return None
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "WEBP", quality=70)
    return "data:image/webp;base64," + base64.b64encode(target.getvalue()).decode()
