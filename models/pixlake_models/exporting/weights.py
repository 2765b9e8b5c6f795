"""A graph's tensors in a file of their own, `G.data` in docs/bundles.md, from which a process can map them."""

from collections.abc import Mapping
from typing import TypeVar

import onnx
from onnx.external_data_helper import set_external_data

LARGE = 16 << 20
"""Bytes of a graph from which its tensors are taken out. A smaller one loads fast anyway."""
LARGE_TENSOR = 4 << 10
"""Bytes of a tensor that is taken out."""
PAGE = 4 << 10
Other = TypeVar("Other")


def split_graphs(files: Mapping[str, bytes | Other], graphs: set[str]) -> dict[str, bytes | Other]:
    """`files`, where those named in `graphs` that are large have their larger tensors in a file beside them."""
    split = dict(files)
    for name in graphs & files.keys():
        graph, beside = files[name], f"{name}.data"
        if isinstance(graph, bytes) and len(graph) >= LARGE and beside not in files:
            split[name], split[beside] = split_graph(graph, beside)
    return split


def split_graph(graph: bytes, file: str) -> tuple[bytes, bytes]:
    """The graph with its larger tensors in `file`, and that file's bytes, each tensor at the start of a page."""
    model, data = onnx.load_from_string(graph), bytearray()
    for each in model.graph.initializer:
        if len(each.raw_data) >= LARGE_TENSOR:
            data += bytes(-len(data) % PAGE)
            set_external_data(each, file, len(data), len(each.raw_data))
            data += each.raw_data
            each.ClearField("raw_data")
    return model.SerializeToString(), bytes(data)
