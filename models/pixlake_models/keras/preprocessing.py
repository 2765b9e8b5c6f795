"""Keras' preprocessing for ResNet50 and its like (`mode="caffe"`), as a bundle's.

`keras.applications.resnet.preprocess_input` turns RGB into BGR and takes ImageNet's mean from each channel's pixels of
0 to 255, without scaling. The mean is a bundle's `mean`; the order of channels becomes the graph's first step.
"""

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, ValueInfoProto, helper, numpy_helper

from pixlake.bundles.manifest import Interpolation, Preprocessing
from pixlake.errors import NotServable
from pixlake_models.exporting.channels import WHITE

CAFFE_MEAN = (123.68, 116.779, 103.939)
"""The means of ImageNet's red, green and blue, in levels of 255; as `keras.applications.imagenet_utils` has them."""
_PREFIX = "rgb_to_bgr"


def caffe_preprocessing(width: int, height: int, interpolation: Interpolation = "nearest") -> Preprocessing:
    """As `keras.utils.load_img(path, target_size=(height, width))`, which resizes by Pillow, and then
    `preprocess_input`; `(pixel / 255 - mean / 255) / (1 / 255)` is `pixel - mean`."""
    red, green, blue = (each / 255 for each in CAFFE_MEAN)
    return Preprocessing(
        width=width,
        height=height,
        resize="squash",
        interpolation=interpolation,
        background=WHITE,
        mean=(red, green, blue),
        std=(1 / 255, 1 / 255, 1 / 255),
    )


def take_rgb(graph: bytes) -> bytes:
    """A graph of BGR pictures, `[n, 3, height, width]` or `[n, height, width, 3]`, made to take RGB
    ones, `[n, 3, height, width]`.

    The result is the same as with the first convolution's channels reversed, for any first node.
    NotServable where its input is not one picture.
    """
    model = onnx.load_from_string(graph)
    constants = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in constants]
    axis = _color_axis(inputs[0]) if len(inputs) == 1 else None
    if axis is None:
        found = [f"{each.name} {_shape(each)}" for each in inputs]
        raise NotServable(f"the graph takes {found}, not one picture of three channels")
    (image,) = inputs
    for node in model.graph.node:
        node.input[:] = [f"{_PREFIX}/image" if name == image.name else name for name in node.input]
    _prepend(model, image.name, axis)
    if axis == 3:
        shape = _shape(image)
        del image.type.tensor_type.shape.dim[:]
        for size in (None, 3, shape[1], shape[2]):
            image.type.tensor_type.shape.dim.add(**({} if size is None else {"dim_value": size}))
    data: bytes = model.SerializeToString()
    return data


def _prepend(model: ModelProto, image: str, axis: int) -> None:
    """Reverse the channels, and put them last where the graph has them there."""
    order = numpy_helper.from_array(np.array([2, 1, 0], dtype=np.int64), f"{_PREFIX}/order")
    model.graph.initializer.append(order)
    reversed_ = f"{_PREFIX}/reversed" if axis == 3 else f"{_PREFIX}/image"
    steps: list[NodeProto] = [helper.make_node("Gather", [image, order.name], [reversed_], axis=1)]
    if axis == 3:
        steps.append(helper.make_node("Transpose", [reversed_], [f"{_PREFIX}/image"], perm=[0, 2, 3, 1]))
    for step in reversed(steps):
        model.graph.node.insert(0, step)


def _color_axis(image: ValueInfoProto) -> int | None:
    shape = _shape(image)
    return next((axis for axis in (1, 3) if len(shape) == 4 and shape[axis] == 3), None)


def _shape(value: ValueInfoProto) -> list[int | None]:
    """The axes' sizes; None where one is free."""
    return [each.dim_value or None for each in value.type.tensor_type.shape.dim]
