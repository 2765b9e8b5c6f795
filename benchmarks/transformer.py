"""The image towers of ViT-B/32 and ViT-L/14 as ONNX graphs with random weights, to measure speed and memory.

Dosovitskiy et al., https://arxiv.org/abs/2010.11929, table 1.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIDE = 224
_HEAD = 64


@dataclass(frozen=True)
class Size:
    """Of a vision transformer with patches of `patch` times `patch` pixels."""

    name: str
    layers: int
    width: int
    mlp: int
    patch: int
    dimensions: int

    @property
    def heads(self) -> int:
        return self.width // _HEAD

    @property
    def tokens(self) -> int:
        """A patch each, and one for the class."""
        return (SIDE // self.patch) ** 2 + 1

    @property
    def flop(self) -> int:
        """For an image, all but the sums."""
        layer = 4 * self.tokens * self.width**2 + 2 * self.tokens * self.width * self.mlp
        ends = (self.tokens - 1) * 3 * self.patch**2 * self.width + self.width * self.dimensions
        return 2 * (self.layers * (layer + 2 * self.tokens**2 * self.width) + ends)


VIT_B_32 = Size("vit-b-32-random", 12, 768, 3072, 32, 512)
"""50 tokens, 8.8 GFLOP an image, 350 MB."""
VIT_L_14 = Size("vit-l-14-random", 24, 1024, 4096, 14, 768)
"""257 tokens, 162 GFLOP an image, 1.2 GB."""


class Tower:
    """Collects the nodes and weights of an ONNX graph."""

    def __init__(self, size: Size, seed: int = 0) -> None:
        self.size = size
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(seed)

    def op(self, kind: str, *inputs: str, **attributes: int | float | list[int]) -> str:
        """Add a node; the name of its output."""
        output = f"t{len(self.nodes)}"
        node = helper.make_node(kind, list(inputs), [output])
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        self.nodes.append(node)
        return output

    def constant(self, value: NDArray[np.generic]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, *shape: int) -> str:
        """Normal values of the deviation that keeps activations in range."""
        return self.constant((self._random.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32))

    def shape(self, *axes: int) -> str:
        return self.constant(np.array(axes, dtype=np.int64))

    def linear(self, source: str, inputs: int, outputs: int) -> str:
        return self.op("Add", self.op("MatMul", source, self.weight(inputs, outputs)), self.weight(outputs))

    def norm(self, source: str) -> str:
        ones, zeros = (self.constant(make(self.size.width, np.float32)) for make in (np.ones, np.zeros))
        return self.op("LayerNormalization", source, ones, zeros, axis=-1, epsilon=1e-5)

    def heads(self, source: str, order: list[int]) -> str:
        """`[n, tokens, width]` to a head each, its axes in `order`."""
        split = self.op("Reshape", source, self.shape(0, 0, self.size.heads, _HEAD))
        return self.op("Transpose", split, perm=order)

    def attention(self, source: str) -> str:
        """Multi-head self-attention (Vaswani et al., https://arxiv.org/abs/1706.03762, 3.2)."""
        query, key, value = (self.linear(source, self.size.width, self.size.width) for _ in range(3))
        scale = self.constant(np.array(_HEAD**-0.5, np.float32))
        scores = self.op("MatMul", self.heads(query, [0, 2, 1, 3]), self.heads(key, [0, 2, 3, 1]))
        shares = self.op("Softmax", self.op("Mul", scores, scale), axis=-1)
        mixed = self.op("MatMul", shares, self.heads(value, [0, 2, 1, 3]))
        joined = self.op("Reshape", self.op("Transpose", mixed, perm=[0, 2, 1, 3]), self.shape(0, 0, self.size.width))
        return self.linear(joined, self.size.width, self.size.width)

    def mlp(self, source: str) -> str:
        """Two layers with CLIP's sigmoid approximation of GELU between."""
        hidden = self.linear(source, self.size.width, self.size.mlp)
        gate = self.op("Sigmoid", self.op("Mul", hidden, self.constant(np.array(1.702, np.float32))))
        return self.linear(self.op("Mul", hidden, gate), self.size.mlp, self.size.width)


def vision_transformer(size: Size) -> bytes:
    """The graph: `image` float32 `[n, 3, 224, 224]` to `embedding` `[n, dimensions]`."""
    tower, width = Tower(size), size.width
    kernel = tower.weight(width, 3, size.patch, size.patch)
    patches = tower.op("Conv", "image", kernel, strides=[size.patch, size.patch])
    flat = tower.op("Transpose", tower.op("Reshape", patches, tower.shape(0, width, -1)), perm=[0, 2, 1])
    # the class token: as many as there are images, made from the first patch times zero
    first = tower.op("Slice", flat, tower.shape(0), tower.shape(1), tower.shape(1))
    blank = tower.op("Mul", first, tower.constant(np.array(0, np.float32)))
    state = tower.op("Concat", tower.op("Add", blank, tower.weight(width)), flat, axis=1)
    state = tower.norm(tower.op("Add", state, tower.weight(size.tokens, width)))
    for _ in range(size.layers):
        state = tower.op("Add", state, tower.attention(tower.norm(state)))
        state = tower.op("Add", state, tower.mlp(tower.norm(state)))
    token = tower.op("Gather", tower.norm(state), tower.constant(np.array(0, dtype=np.int64)), axis=1)
    tower.nodes.append(helper.make_node("MatMul", [token, tower.weight(width, size.dimensions)], ["embedding"]))
    graph = helper.make_graph(
        tower.nodes,
        size.name,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", size.dimensions])],
        tower.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    return bytes(model.SerializeToString())
