"""Pictures as files that AutoGluon reads as the bundle will read the originals. AutoGluon takes the stored pixels: not
rotated by EXIF, with the hidden colours of transparent pixels. A bundle takes the pixels that a viewer shows, and
decodes a large JPEG smaller. So files that would differ are drawn here, once, by the bundle's own code, which also
saves decoding large photographs in every epoch. All are decoded in processes that can only compute first, within the
limits of an upload's: what AutoGluon reads has been decoded whole.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from pixlake import storage
from pixlake.bundles.manifest import Preprocessing
from pixlake.cores import available_cores
from pixlake.errors import BadImage
from pixlake.images.decoders import Decoded, Decoders, Limits
from pixlake.inference.encoded import too_large
from pixlake.rejects import Reject, Stage
from pixlake.settings import InferenceSettings

_MAX_BYTES = InferenceSettings.max_image_bytes


@dataclass(frozen=True)
class Original:
    """An image of the upload."""

    path: str
    uri: str


@dataclass(frozen=True)
class Pictures:
    """The files of each record, and the images that cannot be decoded."""

    files: tuple[tuple[Path, ...], ...]
    rejects: tuple[Reject, ...]


def prepare_pictures(
    records: Iterable[Sequence[Original]],
    preprocessing: Preprocessing,
    folder: Path,
    decoders: Decoders | None = None,
) -> Pictures:
    """The images of each record, in `folder`, named by numbers: AutoGluon takes `;` in a path for a separator."""
    folder.mkdir(parents=True)
    drawing = _Drawing(preprocessing, decoders or Decoders(Limits()))
    groups = [list(group) for group in records]
    every = [original for group in groups for original in group]

    def prepare(numbered: tuple[int, Original]) -> Path | Reject:
        number, original = numbered
        return drawing.prepare(original, folder / f"{number:07d}.png")

    with ThreadPoolExecutor(available_cores()) as pool:
        prepared = list(pool.map(prepare, enumerate(every)))
    done = iter(prepared)
    files = tuple(tuple(each for each in (next(done) for _ in group) if isinstance(each, Path)) for group in groups)
    return Pictures(files, tuple(each for each in prepared if isinstance(each, Reject)))


@dataclass(frozen=True)
class _Drawing:
    """Files of single images, as the preprocessing has them."""

    preprocessing: Preprocessing
    decoders: Decoders

    def prepare(self, original: Original, target: Path) -> Path | Reject:
        """The file at `target`, or why there is none."""
        try:
            data = _read(original.uri)
            drawn = self.decoders.draw(data, self.preprocessing)
        except BadImage as error:
            return Reject(original.path, Stage.CLASSIFY, error.reason, error.detail)
        place = storage.local_path(original.uri)
        if place and self._is_stored_so(data, drawn):
            target.symlink_to(place)
        else:
            Image.fromarray(drawn.pixels).save(target, "PNG", compress_level=1)
        return target

    def _is_stored_so(self, data: bytes, drawn: Decoded) -> bool:
        """Whether the file itself gives the same pixels when it is just opened."""
        if drawn.pixels.shape[:2] != (drawn.height, drawn.width):
            return False  # it is drawn smaller
        try:
            stored = self.decoders.draw(data, msgspec.structs.replace(self.preprocessing, pixels="stored"))
        except BadImage:
            return False
        return np.array_equal(stored.pixels, drawn.pixels)


def _read(uri: str) -> bytes:
    """The encoded image; BadImage for a file that is too large."""
    opened = storage.open_object(uri)
    if opened.size > _MAX_BYTES:
        raise too_large(opened.size, _MAX_BYTES)
    return opened.read()
