"""How often a picture that was resized, recompressed or cropped by a tenth finds itself first, by the embedder of
photographs that comes with Pixlake.

The photographs are the 14 freely licensed ones that come with `pixlake models export --int8`, which the weights were
not made of, and the `--grid` times `--grid` tiles of each: a small set, in which tiles of a wall, of grass and of
gravel are as much alike as pictures get.

    python -m benchmarks.self_retrieval
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixlake.bundles.folders import read_folder
from pixlake.images.decoding import decode
from pixlake.inference.embedder import Embedder
from pixlake_models.photographs import list_photographs

_BATCH = 16
_AIM = 0.95
Change = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True)
class _Picture:
    """`whole` tells a photograph from a tile of one."""

    name: str
    pixels: Image.Image
    whole: bool


def _resized(by: float) -> Change:
    return lambda image: image.resize((max(1, round(image.width * by)), max(1, round(image.height * by))))


def _recompressed(quality: int) -> Change:
    def change(image: Image.Image) -> Image.Image:
        target = io.BytesIO()
        image.save(target, "JPEG", quality=quality)
        return Image.open(target).convert("RGB")

    return change


def _cropped(left: float, top: float) -> Change:
    """A tenth of the width and of the height are gone, so much of it at the left and at the top."""

    def change(image: Image.Image) -> Image.Image:
        x, y = round(image.width * 0.1 * left), round(image.height * 0.1 * top)
        return image.crop((x, y, x + round(image.width * 0.9), y + round(image.height * 0.9)))

    return change


CHANGES: dict[str, Change] = {
    "resized to a half": _resized(0.5),
    "resized to 150 %": _resized(1.5),
    "recompressed, JPEG quality 50": _recompressed(50),
    "recompressed, JPEG quality 20": _recompressed(20),
    "cropped by a tenth, evenly": _cropped(0.5, 0.5),
    "cropped by a tenth, at the right and below": _cropped(0, 0),
}


def _read(grid: int) -> Iterator[_Picture]:
    for path in list_photographs():
        pixels = decode(path.read_bytes(), max_pixels=10**8).pixels.convert("RGB")
        yield _Picture(path.stem, pixels, True)
        width, height = pixels.width // grid, pixels.height // grid
        for x, y in np.ndindex(grid, grid):
            tile = pixels.crop((x * width, y * height, (x + 1) * width, (y + 1) * height))
            yield _Picture(f"{path.stem} {x + 1},{y + 1}", tile, False)


def _embed(embedder: Embedder, images: list[Image.Image]) -> NDArray[np.float32]:
    parts = [embedder.embed_images(images[start : start + _BATCH]) for start in range(0, len(images), _BATCH)]
    return np.concatenate(parts)


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path), default=Path("bundles/photo-lite0"), show_default=True)
@click.option("--grid", default=3, show_default=True)
def main(bundle: Path, grid: int) -> None:
    embedder = Embedder(read_folder(bundle.resolve().as_uri()))
    pictures = list(_read(grid))
    whole = np.array([picture.whole for picture in pictures])
    there = _embed(embedder, [picture.pixels for picture in pictures])
    click.echo(f"{embedder.model}: {whole.sum()} photographs and {(~whole).sum()} tiles, searched together")
    first_of_all = []
    for name, change in CHANGES.items():
        nearest = (_embed(embedder, [change(picture.pixels) for picture in pictures]) @ there.T).argmax(axis=1)
        first = nearest == np.arange(len(pictures))
        first_of_all.append(first)
        missed = [f"{pictures[row].name} finds {pictures[nearest[row]].name}" for row in np.flatnonzero(~first)]
        told = f": {'; '.join(missed[:5])}" if missed else ""
        click.echo(f"{name:45} {first[whole].mean():6.1%} photographs {first[~whole].mean():6.1%} tiles{told}")
    found = np.concatenate(first_of_all).mean()
    click.echo(f"{'all':45} {found:6.1%}; {_AIM:.0%} are aimed at")


if __name__ == "__main__":
    main()
