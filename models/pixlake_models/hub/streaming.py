"""Takes the tensors out of a large graph's file without having them in memory, where `onnx` has a graph twice.

It walks protobuf's wire format (protobuf.dev/programming-guides/encoding) by three fields of onnx.proto: a model's
graph, the graph's initializers, and an initializer's raw data.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from onnx import TensorProto

from pixlake_models.exporting.weights import LARGE_TENSOR, PAGE

_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9
_VARINT, _LENGTH = 0, 2
_FIXED = {1: 8, 5: 4}
_LONGEST_VARINT = 10


class Target(Protocol):
    """A file for tensors."""

    def write(self, data: bytes | memoryview, /) -> object: ...

    def tell(self) -> int: ...


Field = tuple[int, int, int, int, int]
"""Number, wire type, where it begins, where its value begins, and its end."""


def take_out_tensors(graph: Path, target: Target, name: str) -> bytes:
    """The graph with its larger tensors in `target`, to be a file `name` beside it, each at the start of a page.
    ValueError for what is no protobuf."""
    with graph.open("rb") as file:
        # closed once nobody has a view of it, an error's traceback included
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return _Taking(target, name).model(memoryview(mapped))


class _Taking:
    def __init__(self, target: Target, name: str) -> None:
        self._target, self._name = target, name

    def model(self, view: memoryview) -> bytes:
        return b"".join(self._part(view, each, _GRAPH) for each in _fields(view))

    def _part(self, view: memoryview, field: Field, wanted: int) -> bytes:
        """A field as it is, but for those on the way to a tensor."""
        number, wire, begin, start, end = field
        if (number, wire) != (wanted, _LENGTH):
            return bytes(view[begin:end])
        inner = view[start:end]
        if wanted == _GRAPH:
            changed = b"".join(self._part(inner, each, _INITIALIZER) for each in _fields(inner))
        else:
            changed = self._tensor(inner)
        return _write_varint(number << 3 | wire) + _write_varint(len(changed)) + changed

    def _tensor(self, view: memoryview) -> bytes:
        kept, data = [], None
        for number, wire, begin, start, end in _fields(view):
            if (number, wire) == (_RAW_DATA, _LENGTH) and end - start >= LARGE_TENSOR:
                data = (start, end)
            else:
                kept.append(bytes(view[begin:end]))
        tensor = TensorProto.FromString(b"".join(kept))
        if data is None or tensor.external_data:
            return bytes(view)
        offset = self._write(view[data[0] : data[1]])
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", self._name), ("offset", offset), ("length", data[1] - data[0])):
            tensor.external_data.add(key=key, value=str(value))
        return bytes(tensor.SerializeToString())

    def _write(self, data: memoryview) -> int:
        """Where it begins."""
        self._target.write(bytes(-self._target.tell() % PAGE))
        offset = self._target.tell()
        self._target.write(data)
        return offset


def _fields(view: memoryview) -> Iterator[Field]:
    at = 0
    while at < len(view):
        tag, start = _read_varint(view, at)
        wire = tag & 7
        if wire == _LENGTH:
            length, start = _read_varint(view, start)
            end = start + length
        elif wire == _VARINT:
            _, end = _read_varint(view, start)
        elif wire in _FIXED:
            end = start + _FIXED[wire]
        else:
            raise ValueError(f"a field of the wire type {wire}")
        if end > len(view):
            raise ValueError("a field goes beyond its end")
        yield tag >> 3, wire, at, start, end
        at = end


def _read_varint(view: memoryview, at: int) -> tuple[int, int]:
    """The number, and what comes after it."""
    value = 0
    for place, byte in enumerate(view[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("a number without an end")


def _write_varint(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])
