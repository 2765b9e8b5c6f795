"""A seekable file of ranges that are asked for one at a time."""

import io
import os
from abc import abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class RangedFile(io.RawIOBase):
    """Of `size` bytes, for pyarrow to read parts of."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size, self._position = size, 0

    @abstractmethod
    def read_range(self, start: int, length: int) -> bytes:
        """`length` bytes from `start`, at least one."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        left = max(self._size - self._position, 0)
        length = left if size is None or size < 0 else min(size, left)
        data = self.read_range(self._position, length) if length else b""
        self._position += len(data)
        return data

    def readinto(self, buffer: "WriteableBuffer") -> int:
        data = self.read(len(memoryview(buffer)))
        memoryview(buffer)[: len(data)] = data
        return len(data)
