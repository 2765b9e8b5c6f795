"""Forward reading of one ranged read, addressed by the offsets of the whole object."""

from collections.abc import Iterator

from pixlake.errors import StorageError


class Cursor:
    """The bytes of `chunks`, the first at `position` of the object called `name`. Raises StorageError where they end
    early: every range asked for lies inside the object.
    """

    def __init__(self, chunks: Iterator[memoryview], position: int, name: str) -> None:
        self._chunks = chunks
        self._chunk = memoryview(b"")
        self._used = 0
        self._name = name
        self.position = position

    def seek(self, offset: int) -> None:
        """Skip forward to `offset`."""
        for _ in self.pieces(offset - self.position):
            pass

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        end = self._used + length
        if end <= len(self._chunk):
            data = bytes(self._chunk[self._used : end])
            self._used = end
            self.position += length
            return data
        return b"".join(self.pieces(length))

    def pieces(self, length: int) -> Iterator[memoryview]:
        """The next `length` bytes as they come, without copying; unconsumed bytes are not skipped."""
        while length:
            if self._used == len(self._chunk):
                self._refill()
            piece = self._chunk[self._used : self._used + length]
            self._used += len(piece)
            self.position += len(piece)
            length -= len(piece)
            yield piece

    def _refill(self) -> None:
        chunk = next(self._chunks, None)
        if chunk is None:
            raise StorageError(f"{self._name}: the object ended at byte {self.position}, before it should")
        self._chunk, self._used = chunk, 0
