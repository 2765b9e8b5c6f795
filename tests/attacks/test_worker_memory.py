"""A worker takes no more memory than it has, its decoders included, whatever the images of its batch."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import psutil
import pytest
from PIL import Image

from pixlake.inference.memory import divide, memory_of, widths
from pixlake.messages import BatchRequest
from pixlake.settings import InferenceSettings
from tests.builders.pictures import halves, png_chunk
from tests.builders.tiny import BundleLake, encode, image_graph, image_input, preprocessing
from tests.project import ROOT

MEGABYTES, SIDE = 768, 1_024
THREADS = 4
SETTINGS = InferenceSettings("", inference_threads=THREADS, aws_lambda_function_memory_size=MEGABYTES)
SHARES = divide(SETTINGS)
GOOD = encode(halves())

_EMBED = """
import sys
from pathlib import Path
import msgspec
from pixlake.messages import BatchRequest, parse
from pixlake.settings import InferenceSettings
from pixlake.steps.embed import embed
lake, request, megabytes, threads = sys.argv[1:]
embed(
    parse(msgspec.json.decode(request), BatchRequest),
    InferenceSettings(
        Path(lake).as_uri(),
        inference_threads=int(threads),
        max_image_seconds=60,
        aws_lambda_function_memory_size=int(megabytes),
    ),
)
"""


def lying(mode: str, side: int) -> bytes:
    """A PNG of one color that is to be turned upright."""
    turned = Image.Exif()
    turned[0x0112] = 6
    return encode(Image.new(mode, (side, side)), exif=turned, compress_level=1)


def padded(size: int) -> bytes:
    """A good PNG of so many bytes, in chunks of a megabyte."""
    count, rest = divmod(size - len(GOOD), 1_000_012)
    chunks = png_chunk(b"jUNk", bytes(1_000_000)) * (count - 1)
    return GOOD[:33] + chunks + png_chunk(b"jUNk", bytes(rest + 1_000_000)) + GOOD[33:]


def just_below() -> dict[str, bytes]:
    """Images just below the limits of encoded bytes, of small images' pixels, and of large ones'."""
    return {
        "padded": padded(SHARES.alone - 10_000),
        "small": lying("RGBA", int((SHARES.decoding / 4 / 32) ** 0.5)),
        "large": lying("RGBA", int((SHARES.decoding / 13) ** 0.5)),
        "deep": lying("I;16", int((SHARES.decoding / 15) ** 0.5)),
    }


def just_above() -> dict[str, bytes]:
    return {"bytes": padded(SHARES.alone + 1), "pixels": lying("RGBA", int((SHARES.decoding / 9) ** 0.5))}


def put(lake: BundleLake, images: Mapping[str, bytes], copies: int) -> BatchRequest:
    """Copies of each image between good ones, for a model of large tensors."""
    names = []
    for number in range(copies):
        for name, data in {"good": GOOD, **images}.items():
            path = lake.folder / "images/pets" / f"{number}-{name}"
            if number:
                path.hardlink_to(path.with_name(f"0-{name}"))
            else:
                lake.put(path.name, data)
            names.append(path.name)
    described = image_input(preprocessing=preprocessing(width=SIDE, height=SIDE))
    model = lake.embedder(files={"image.onnx": image_graph(side=SIDE)}, text=None, inputs=[described])
    return lake.request("embed", model, lake.images(*names))


def peak(lake: BundleLake, request: BatchRequest) -> int:
    """Bytes that Embed takes at its peak, with its decoders: what each has alone, and its part of what they share."""
    said = (str(lake.folder), msgspec.json.encode(request).decode(), str(MEGABYTES), str(THREADS))
    command = [sys.executable, "-c", _EMBED, *said]
    most = 0
    with subprocess.Popen(command, cwd=ROOT) as process:
        while process.poll() is None:
            most = max(most, _held(process.pid))
        assert process.returncode == 0
    return most


def _held(process: int) -> int:
    total = 0
    try:
        family = psutil.Process(process)
        for each in (family, *family.children(recursive=True)):
            total += each.memory_full_info().pss
    except psutil.NoSuchProcess:
        pass  # it has just ended; what was counted is held by the others
    return total


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory as Linux tells it")
def test_images_just_within_their_limits_fit_into_the_workers_memory_together(bundle_lake: BundleLake) -> None:
    copies = 3
    request = put(bundle_lake, {**just_below(), **just_above()}, copies)
    found = peak(bundle_lake, request)
    print(f"{found >> 20} of {MEGABYTES} MB")
    assert SHARES.decoding < found < MEGABYTES << 20
    reasons = {each.source: each.reason for each in bundle_lake.rejects("embed")}
    assert reasons == {f"{number}-{name}": "too_large" for number in range(copies) for name in just_above()}
    assert bundle_lake.part("embeddings", "embed-0").num_rows == copies * (1 + len(just_below()))


@pytest.mark.parametrize("megabytes", [1_769, 3_008, 10_240])
@pytest.mark.parametrize("model", [0, 100 << 20, 350 << 20])
def test_the_shares_together_are_no_more_than_the_memory(megabytes: int, model: int) -> None:
    shares = divide(replace(SETTINGS, aws_lambda_function_memory_size=megabytes), model)
    assert min(shares.ahead, shares.alone, shares.decoding, shares.tensors, shares.arena) > 0
    assert shares.total <= megabytes << 20


def test_images_have_an_eighth_however_large_the_model_is() -> None:
    shares = divide(SETTINGS, 10 << 30)
    assert shares.ahead + shares.alone + shares.decoding == ((MEGABYTES << 20) - SHARES.program) // 8


@pytest.mark.parametrize("side", [8, 224, 1_024, 4_096])
@pytest.mark.parametrize("threads", [1, 2, 6])
def test_large_tensors_are_fewer_at_once(side: int, threads: int) -> None:
    size = 12 * side * side
    width = widths(SETTINGS, SHARES, size, threads)
    held = size * (width.ahead + 2 * width.group * (threads + 1))
    assert held <= SHARES.tensors or (width.ahead, width.group) == (1, 1)
    if side == 8:
        assert (width.ahead, width.group) == (64, 32 // threads)


def test_a_worker_without_lambdas_variable_has_its_containers_memory(tmp_path: Path) -> None:
    (tmp_path / "max").write_text("1000000\n")
    assert memory_of(InferenceSettings(""), tmp_path / "max") == 1_000_000
    (tmp_path / "max").write_text("max\n")
    assert memory_of(InferenceSettings(""), tmp_path / "max") == memory_of(InferenceSettings(""), tmp_path / "none")
