"""Photographs of 12 megapixels, embedded with JPEGs decoded smaller, as a bundle has it, and with whole ones.

    python -m benchmarks.decoding

EfficientNet-Lite0's ImageNet weights, and photographs that come with Pixlake, enlarged. Both take turns in one process,
by a core's own time.
"""

import io
import time

import msgspec
import numpy as np
from PIL import Image

from pixlake.bundles.folders import read_folder
from pixlake.bundles.manifest import Preprocessing
from pixlake.images.preprocessing import decode_for, tensor
from pixlake.inference.embedder import Embedder
from pixlake_models.photographs import list_photographs
from tests.project import ROOT

_SIZE, _QUALITY, _MOST = (4000, 3000), 90, 10**8
_PHOTOGRAPHS, _TURNS = 4, 3
Vectors = np.typing.NDArray[np.float32]


def main() -> None:
    embedder = Embedder(read_folder((ROOT / "bundles/photo-lite0").as_uri()), threads=1)
    usual = embedder.preprocessing
    ways = {way: msgspec.structs.replace(usual, pixels=way) for way in ("shown", "whole")}
    files = [enlarge(Image.open(path)) for path in list_photographs()[:_PHOTOGRAPHS]]
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    vectors: dict[str, Vectors] = {}
    for _ in range(_TURNS):
        for way, preprocessing in ways.items():
            begun = time.process_time()
            vectors[way] = np.concatenate([embed(embedder, data, preprocessing) for data in files])
            seconds[way].append((time.process_time() - begun) / len(files))
    least = {way: min(each) for way, each in seconds.items()}
    print(f"decoded smaller {1000 * least['shown']:.0f} ms of a core, whole {1000 * least['whole']:.0f} ms")
    cosine = (vectors["shown"] * vectors["whole"]).sum(axis=1).min()
    print(f"ratio {least['whole'] / least['shown']:.2f}; least cosine {cosine:.5f}")


def enlarge(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.convert("RGB").resize(_SIZE, Image.Resampling.BICUBIC).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def embed(embedder: Embedder, data: bytes, preprocessing: Preprocessing) -> Vectors:
    return embedder.embed_tensors([tensor(decode_for(data, preprocessing, _MOST), preprocessing)])


if __name__ == "__main__":
    main()
