"""Pictures as files that AutoGluon reads as the bundle will read the originals. AutoGluon takes the stored pixels: not
rotated by EXIF, with the hidden colours of transparent pixels. A bundle takes the pixels that a viewer shows, and
decodes a large JPEG smaller. So files that would differ are decoded here, once, by the bundle's own code, which also
saves decoding large photographs in every epoch.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from pixlake import storage
from pixlake.bundles.manifest import Preprocessing
from pixlake.cores import available_cores
from pixlake.errors import BadImage
from pixlake.images.preprocessing import decode_for
from pixlake.rejects import Reject, Stage
from pixlake.settings import InferenceSettings

_MAX_PIXELS = InferenceSettings.max_pixels


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


def prepare_pictures(records: Iterable[Sequence[Original]], preprocessing: Preprocessing, folder: Path) -> Pictures:
    """The images of each record, in `folder`, named by numbers: AutoGluon takes `;` in a path for a separator."""
    folder.mkdir(parents=True)
    groups = [list(group) for group in records]
    every = [original for group in groups for original in group]

    def prepare(numbered: tuple[int, Original]) -> Path | Reject:
        number, original = numbered
        return _prepare(original, preprocessing, folder / f"{number:07d}.png")

    with ThreadPoolExecutor(available_cores()) as pool:
        prepared = list(pool.map(prepare, enumerate(every)))
    done = iter(prepared)
    files = tuple(tuple(each for each in (next(done) for _ in group) if isinstance(each, Path)) for group in groups)
    return Pictures(files, tuple(each for each in prepared if isinstance(each, Reject)))


def _prepare(original: Original, preprocessing: Preprocessing, target: Path) -> Path | Reject:
    data = storage.read(original.uri)
    try:
        pixels = decode_for(data, preprocessing, _MAX_PIXELS).pixels
    except BadImage as error:
        return Reject(original.path, Stage.CLASSIFY, error.reason, error.detail)
    place = storage.local_path(original.uri)
    if place and _read_alike(data, pixels):
        target.symlink_to(place)
    else:
        pixels.save(target, "PNG", compress_level=1)
    return target


def _read_alike(data: bytes, pixels: Image.Image) -> bool:
    """Whether the file itself gives the same pixels when it is just opened."""
    with Image.open(BytesIO(data)) as image:
        return image.size == pixels.size and image.convert("RGB").tobytes() == pixels.tobytes()
