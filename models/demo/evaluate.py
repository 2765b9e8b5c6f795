"""Evaluates the demo bundles on the sample, run as the containers run them: by ONNX Runtime alone.

`python -m demo.evaluate BUNDLES SAMPLE` prints the tables of docs/demo-models.md.
"""

import csv
import io
import shutil
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from demo.table import ID, LABEL
from pixlake.errors import BadImage
from pixlake.images.decoding import decode
from pixlake.images.preprocessing import tensor
from pixlake.inference.classifier import Classifier
from pixlake.inference.embedder import Embedder
from pixlake.inference.encoders import Example
from pixlake.inference.loaded import load_classifier, load_embedder

_MAX_PIXELS = 1_000_000
GREY = (200, 200, 200)


@dataclass(frozen=True)
class Record:
    """A row of the sample, and its readable pictures."""

    values: dict[str, str]
    images: tuple[Image.Image, ...]

    @property
    def label(self) -> str:
        return self.values[LABEL]


def read_sample(path: Path) -> list[Record]:
    """The sample's valid rows."""
    with zipfile.ZipFile(path) as archive:
        rows = csv.DictReader(io.StringIO(archive.read("emoji.csv").decode()))
        sound: dict[str, dict[str, str]] = {}
        for row in rows:
            if row[ID] and None not in row:
                sound.setdefault(row[ID], row)
        names = set(archive.namelist())
        return [Record(row, tuple(_pictures(archive, names, code))) for code, row in sound.items()]


def _pictures(archive: zipfile.ZipFile, names: set[str], code: str) -> Iterator[Image.Image]:
    for name in (f"images/{code}.png", f"images/{code}-1.png", f"images/{code}-2.png"):
        if name in names:
            try:
                yield decode(archive.read(name), max_pixels=_MAX_PIXELS).pixels
            except BadImage:
                continue


def recall(found: NDArray[np.float32], gallery: NDArray[np.float32], right: Sequence[int], top: int) -> float:
    """The share of queries whose right answer is among the `top` nearest of the gallery; vectors of unit length."""
    ranks = np.argsort(-found @ gallery.T, axis=1)[:, :top]
    return float(np.mean([answer in rank for answer, rank in zip(right, ranks, strict=True)]))


def _altered(image: Image.Image) -> Image.Image:
    """The picture smaller, rotated by ten degrees and on grey."""
    side = image.width
    small = image.resize((side * 3 // 4,) * 2, Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", image.size, (255, 255, 255))
    canvas.paste(small, (side // 8, side // 8))
    turned = np.asarray(canvas.rotate(10, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255)), dtype=np.float32)
    return Image.fromarray((turned * (np.array(GREY) / 255)).round().astype(np.uint8))


@dataclass(frozen=True)
class Search:
    """The share of queries of a kind that find the right picture: as the first, and among the first five."""

    query: str
    queries: int
    first: float
    fifth: float


def search(embedder: Embedder, shown: Sequence[Record], gallery: NDArray[np.float32]) -> list[Search]:
    """By words and by pictures, among the first pictures of the records, whose vectors are `gallery`."""
    every = range(len(shown))
    toned = [index for index in every if len(shown[index].images) > 1]
    words = [index for index in every if shown[index].values["keywords"]]
    queries = {
        "its name": (embedder.embed_texts([record.values["name"] for record in shown]), every),
        "its keywords": (embedder.embed_texts([shown[index].values["keywords"] for index in words]), words),
        "its picture, altered": (embedder.embed_images([_altered(record.images[0]) for record in shown]), every),
        "its picture in another skin tone": (embedder.embed_images([shown[index].images[1] for index in toned]), toned),
    }
    return [
        Search(name, len(right), *(recall(vectors, gallery, list(right), top) for top in (1, 5)))
        for name, (vectors, right) in queries.items()
    ]


def search_table(embedder: Embedder, records: Sequence[Record]) -> Iterator[str]:
    """Rows of Markdown: the query, their number, recall and chance."""
    shown = [record for record in records if record.images]
    gallery = embed_gallery(embedder, shown)
    yield f"| find an emoji among {len(shown)} by | queries | recall@1 | recall@5 | chance @1 | chance @5 |"
    yield "| --- | --- | --- | --- | --- | --- |"
    chance = " | ".join(f"{top / len(shown):.1%}" for top in (1, 5))
    for found in search(embedder, shown, gallery):
        yield f"| {found.query} | {found.queries} | {found.first:.1%} | {found.fifth:.1%} | {chance} |"
    yield ""
    yield neighbours(gallery, shown)


def search_figures(embedder: Embedder, records: Sequence[Record]) -> dict[str, dict[str, float]]:
    """The same figures as a bundle holds them."""
    shown = [record for record in records if record.images]
    found = search(embedder, shown, embed_gallery(embedder, shown))
    figures = {
        f"found by {each.query}": {
            "queries": each.queries,
            "recall_at_1": round(each.first, 4),
            "recall_at_5": round(each.fifth, 4),
        }
        for each in found
    }
    chance = {f"recall_at_{top}": round(top / len(shown), 4) for top in (1, 5)}
    return {**figures, "found by chance": {"pictures": len(shown), **chance}}


def embed_gallery(embedder: Embedder, shown: Sequence[Record]) -> NDArray[np.float32]:
    """The first picture of each record."""
    return embedder.embed_images([record.images[0] for record in shown])


def neighbours(gallery: NDArray[np.float32], shown: Sequence[Record]) -> str:
    """The share of pictures whose most similar other one is of the same group and subgroup, against chance."""
    similar = gallery @ gallery.T
    np.fill_diagonal(similar, -1)
    nearest = similar.argmax(axis=1)
    shares = []
    for column in (LABEL, "subgroup"):
        values = [record.values[column] for record in shown]
        same = np.mean([values[index] == values[other] for index, other in enumerate(nearest)])
        chance = sum(count * (count - 1) for count in Counter(values).values()) / (len(values) * (len(values) - 1))
        shares.append(f"{column} for {same:.0%} (chance {chance:.0%})")
    return f"The nearest other picture is of the same {', of the same '.join(shares)}."


def accuracy(classifier: Classifier, records: Sequence[Record]) -> float:
    declared = classifier.image_input
    examples = [
        Example(record.values, [tensor(image, declared.preprocessing) for image in record.images] if declared else [])
        for record in records
    ]
    answers = [prediction.label if prediction else None for prediction in classifier.predict(examples)]
    return float(np.mean([answer == record.label for answer, record in zip(answers, records, strict=True)]))


def classifier_table(with_image: Classifier, without_image: Classifier, records: Sequence[Record]) -> Iterator[str]:
    """Rows of Markdown: the model, its records, accuracy, that of the most frequent group and of chance."""
    shown = [record for record in records if record.images]
    hidden = [record for record in records if not record.images]
    yield "| model | on records | accuracy | most frequent group | chance |"
    yield "| --- | --- | --- | --- | --- |"
    for model, name, chosen in (
        (with_image, "with image", shown),
        (without_image, "without image", hidden),
        (without_image, "all, by their table alone", records),
    ):
        groups = Counter(record.label for record in chosen)
        majority = max(groups.values()) / len(chosen)
        line = [model.model.partition("@")[0], f"{len(chosen)} {name}", f"{accuracy(model, chosen):.1%}"]
        yield "| " + " | ".join([*line, f"{majority:.1%}", f"{1 / len(groups):.1%}"]) + " |"


@contextmanager
def lake_of(bundles: Path) -> Iterator[str]:
    """A temporary lake with the bundles."""
    with tempfile.TemporaryDirectory() as lake:
        shutil.copytree(bundles, Path(lake) / "models")
        yield f"file://{lake}"


def main(bundles: Path, sample: Path) -> None:
    records = read_sample(sample)
    with lake_of(bundles) as lake:
        print(*search_table(load_embedder(lake, "emoji-clip"), records), sep="\n")
        print()
        with_image, without_image = (load_classifier(lake, name) for name in ("emoji-group", "emoji-group-table"))
        print(*classifier_table(with_image, without_image, records), sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
