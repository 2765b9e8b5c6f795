"""Images through the step Embed, hostile and good ones in one batch.

What holds: each image is embedded or rejected, the good ones are embedded with the vectors that they always have, a
reject is its image's own doing, and neither memory nor a core's seconds go beyond the limits.
"""

import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from pixlake.errors import BadImage
from pixlake.images.decoders import Decoders, Limits
from pixlake.images.processes import shared_processes
from pixlake.steps.embed import embed
from tests.builders.pictures import halves
from tests.builders.tiny import BundleLake, encode, spec
from tests.fuzz.findings import NOTE, Finding, Tally, broken

Item = tuple[str, bytes]
"""An image, and the format that it was made of."""

SECONDS, MEMORY = 1.0, 1 << 30
REASONS = frozenset(
    {"empty", "not_an_image", "too_many_pixels", "side_too_long", "truncated", "damaged"}
    | {"too_large", "too_slow", "decoder_killed", "bad_embedding"}
)
_OWN_DOING = frozenset({"too_large", "too_slow", "decoder_killed"})
_GOOD = {f"good-{number}.{kind.lower()}": encode(halves(), kind) for number, kind in enumerate(("PNG", "JPEG", "WEBP"))}
_TRIES = 2
# of a core beside decoding: reading, the graph, writing the part
_OVERHEAD_SECONDS, _OVERHEAD_BYTES = 5.0, 512 << 20


@dataclass
class ImageChecks:
    """A lake in a folder, used by one batch after another."""

    folder: Path
    tally: Tally
    limits: Limits = field(default_factory=lambda: Limits(20_000_000, SECONDS, MEMORY))

    def __post_init__(self) -> None:
        (self.folder / "models").mkdir(parents=True)
        self._lake = BundleLake(self.folder)
        self._lake.settings = replace(
            self._lake.settings,
            max_pixels=self.limits.max_pixels,
            max_image_seconds=self.limits.seconds,
            max_decoder_bytes=self.limits.memory,
        )
        self._model = self._lake.embedder()
        self._good = self._embed(_GOOD)[0]
        self._begun = _peak()

    def check(self, items: Sequence[Item]) -> None:
        """Raises Finding."""
        files = {f"{number:02}-{kind}": data for number, (kind, data) in enumerate(items)}
        before = _core_seconds()
        vectors, rejected = self._embed(_between(files))
        found = self._judge(files, vectors, rejected)
        if not found and _core_seconds() - before > len(files) * _TRIES * self.limits.seconds + _OVERHEAD_SECONDS:
            found = "a batch took more of a core than its images may"
        if not found and _peak() - self._begun > _OVERHEAD_BYTES:
            self._begun = _peak()
            found = "the worker's memory grew"
        if found:
            raise broken(found, files)
        for name in files:
            self.tally.count(name[3:], rejected.get(name, "embedded"))

    def _embed(self, images: Mapping[str, bytes]) -> tuple[dict[str, Any], dict[str, str]]:
        """The vectors and the reasons, by name."""
        lake = self._lake
        for name, data in images.items():
            lake.put(name, data)
        Path(lake.work.rejects("embed", "embed-0").removeprefix("file://")).unlink(missing_ok=True)
        answer = embed(lake.request("embed", self._model, lake.images(*images)), lake.settings)
        rows = lake.part("embeddings", "embed-0").to_pylist()
        rejected = lake.rejects("embed")
        if (answer.rows, answer.rejected) != (len(rows), len(rejected)):
            raise Finding("the answer counts otherwise than the files", str(answer), dict(images))
        return {row["image_path"]: row["embedding"] for row in rows}, {each.source: each.reason for each in rejected}

    def _judge(self, files: Mapping[str, bytes], vectors: Mapping[str, Any], rejected: Mapping[str, str]) -> str:
        """What must not be, in words; empty where all is well."""
        if {*vectors} & {*rejected} or {*vectors} | {*rejected} != {*_between(files)}:
            return f"an image is lost, or counted twice: {sorted(vectors)} {sorted(rejected)}"
        for name, vector in self._good.items():
            if name not in vectors:
                return f"a good image is rejected: {rejected[name]}"
            if not np.array_equal(vectors[name], vector):
                return f"a good image has another vector: {name}"
        for name, reason in rejected.items():
            if reason not in REASONS:
                return f"an unknown reason: {reason}"
            if reason in _OWN_DOING and not self._is_own_doing(files[name]):
                return f"an image is rejected for what another did: {name} {reason}"
            if reason == "decoder_killed":
                self.tally.keep(Finding(f"{NOTE}: {name[3:]} kills its decoder", "", {name: files[name]}))
        return ""

    def _is_own_doing(self, data: bytes) -> bool:
        """Whether an image by itself is rejected, too, in half the time."""
        limits = replace(self.limits, seconds=self.limits.seconds / 2)
        try:
            Decoders(limits).load(data, spec())
        except BadImage:
            return True
        return False


def _between(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The images with good ones before, among and behind them."""
    first, second, third = _GOOD.items()
    names = list(files)
    middle = len(names) // 2
    mixed = [first, *((name, files[name]) for name in names[:middle]), second]
    return dict([*mixed, *((name, files[name]) for name in names[middle:]), third])


def _peak() -> int:
    """Bytes of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _core_seconds() -> float:
    """Of this process, its nursery, and the decoders that live or have ended."""
    nursery = shared_processes()._nursery
    own = psutil.Process().cpu_times()
    total = own.user + own.system
    if nursery is None:
        return total
    process = psutil.Process(nursery.pid)
    times = [each.cpu_times() for each in (process, *process.children())]
    ended = process.cpu_times()
    return total + sum(each.user + each.system for each in times) + ended.children_user + ended.children_system
