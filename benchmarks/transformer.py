"""The image tower of ViT-B/32 as an ONNX graph with random weights, to measure speed.

Dosovitskiy et al., https://arxiv.org/abs/2010.11929, table 1: 12 layers, width 768, 12 heads, MLP 3072; patches of 32
at 224 pixels make 50 tokens, 4.4 G multiply-adds an image.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

LAYERS, WIDTH, HEADS, MLP, PATCH, SIDE, DIMENSIONS = 12, 768, 12, 3072, 32, 224, 512
TOKENS = (SIDE // PATCH) ** 2 + 1
FLOP = 2 * (
    LAYERS * (4 * TOKENS * WIDTH**2 + 2 * TOKENS * WIDTH * MLP + 2 * TOKENS**2 * WIDTH)
    + (TOKENS - 1) * 3 * PATCH**2 * WIDTH
    + WIDTH * DIMENSIONS
)
"""For an image, all but the sums: 8.8 G."""


class Tower:
    """Collects the nodes and weights of an ONNX graph."""

    def __init__(self, seed: int = 0) -> None:
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
        ones, zeros = self.constant(np.ones(WIDTH, np.float32)), self.constant(np.zeros(WIDTH, np.float32))
        return self.op("LayerNormalization", source, ones, zeros, axis=-1, epsilon=1e-5)

    def heads(self, source: str, order: list[int]) -> str:
        """`[n, tokens, width]` to a head each, its axes in `order`."""
        split = self.op("Reshape", source, self.shape(0, 0, HEADS, WIDTH // HEADS))
        return self.op("Transpose", split, perm=order)

    def attention(self, source: str) -> str:
        """Multi-head self-attention (Vaswani et al., https://arxiv.org/abs/1706.03762, 3.2)."""
        query, key, value = (self.linear(source, WIDTH, WIDTH) for _ in range(3))
        scale = self.constant(np.array((WIDTH // HEADS) ** -0.5, np.float32))
        scores = self.op("MatMul", self.heads(query, [0, 2, 1, 3]), self.heads(key, [0, 2, 3, 1]))
        shares = self.op("Softmax", self.op("Mul", scores, scale), axis=-1)
        mixed = self.op("MatMul", shares, self.heads(value, [0, 2, 1, 3]))
        joined = self.op("Reshape", self.op("Transpose", mixed, perm=[0, 2, 1, 3]), self.shape(0, 0, WIDTH))
        return self.linear(joined, WIDTH, WIDTH)

    def mlp(self, source: str) -> str:
        """Two layers with CLIP's sigmoid approximation of GELU between."""
        hidden = self.linear(source, WIDTH, MLP)
        gate = self.op("Sigmoid", self.op("Mul", hidden, self.constant(np.array(1.702, np.float32))))
        return self.linear(self.op("Mul", hidden, gate), MLP, WIDTH)


def vision_transformer() -> bytes:
    """The graph: `image` float32 `[n, 3, 224, 224]` to `embedding` `[n, 512]`."""
    tower = Tower()
    patches = tower.op("Conv", "image", tower.weight(WIDTH, 3, PATCH, PATCH), strides=[PATCH, PATCH])
    flat = tower.op("Transpose", tower.op("Reshape", patches, tower.shape(0, WIDTH, -1)), perm=[0, 2, 1])
    # the class token: as many as there are images, made from the first patch times zero
    first = tower.op("Slice", flat, tower.shape(0), tower.shape(1), tower.shape(1))
    blank = tower.op("Mul", first, tower.constant(np.array(0, np.float32)))
    state = tower.op("Concat", tower.op("Add", blank, tower.weight(WIDTH)), flat, axis=1)
    state = tower.norm(tower.op("Add", state, tower.weight(TOKENS, WIDTH)))
    for _ in range(LAYERS):
        state = tower.op("Add", state, tower.attention(tower.norm(state)))
        state = tower.op("Add", state, tower.mlp(tower.norm(state)))
    token = tower.op("Gather", tower.norm(state), tower.constant(np.array(0, dtype=np.int64)), axis=1)
    tower.nodes.append(helper.make_node("MatMul", [token, tower.weight(WIDTH, DIMENSIONS)], ["embedding"]))
    graph = helper.make_graph(
        tower.nodes,
        "vit_b_32",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", DIMENSIONS])],
        tower.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    return bytes(model.SerializeToString())
