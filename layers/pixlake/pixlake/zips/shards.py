"""Cuts the images into shards of neighbours in the zip, so that a shard is one ranged read."""

from collections.abc import Iterable, Iterator

import msgspec

from pixlake.messages import Member, Shard
from pixlake.settings import PlanSettings


class ShardCutter:
    """Encodes members as lines and notes where a shard ends: before the member with which it would exceed
    `shard_bytes` compressed bytes or `shard_members` members. A larger member is a shard of its own."""

    def __init__(self, settings: PlanSettings) -> None:
        self._settings = settings
        self._shards: list[Shard] = []

    def lines(self, members: Iterable[Member]) -> Iterator[bytes]:
        """The lines of `Work.members`; afterwards `shards` has the byte range of each shard in them."""
        encoder = msgspec.json.Encoder()
        offset = start = count = size = 0
        for member in members:
            full = count == self._settings.shard_members or size + member.compressed > self._settings.shard_bytes
            if count and full:
                self._cut(start, offset, count, size)
                start, count, size = offset, 0, 0
            line = encoder.encode(member) + b"\n"
            offset, count, size = offset + len(line), count + 1, size + member.compressed
            yield line
        if count:
            self._cut(start, offset, count, size)

    @property
    def shards(self) -> list[Shard]:
        return self._shards

    @property
    def members(self) -> int:
        """The number of members in all shards."""
        return sum(shard.count for shard in self._shards)

    def _cut(self, start: int, end: int, count: int, size: int) -> None:
        self._shards.append(Shard(len(self._shards), start, end - start, count, size))
