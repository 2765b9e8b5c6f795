"""A model that puts images, and texts where it has a text tower, into one space."""

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixlake.bundles.demo import READS_TEXTS
from pixlake.bundles.folders import BundleFolder
from pixlake.bundles.manifest import ImageInput, Output, Preprocessing, TextTower
from pixlake.errors import BadBundle
from pixlake.images.preprocessing import tensor
from pixlake.inference.encoders import ImageEncoder, TextEncoder
from pixlake.inference.graphs import Feeds, Graph, Tensor, activate, load_graph
from pixlake.inference.limits import Limits


class Embedder:
    """An `embedder` bundle. Vectors are float32 of unit length; all NaN where a model gave none.

    Each tower is loaded and verified when first asked for, ready for many runs or soonest for few."""

    def __init__(
        self, folder: BundleFolder, threads: int = 0, *, fast_start: bool = False, limits: Limits | None = None
    ) -> None:
        self._folder, self._threads, self._fast_start, self._limits = folder, threads, fast_start, limits
        manifest = folder.manifest
        if manifest.kind != "embedder" or manifest.image_input is None or manifest.dimensions is None:
            raise BadBundle(f"{folder.uri}: the bundle is of the kind {manifest.kind}, not an embedder")
        self.model, self.dimensions, self.demo = folder.model, manifest.dimensions, folder.demo
        self._image: ImageInput = manifest.image_input
        self._graph: Graph | None = None
        self._text: tuple[TextEncoder, Graph] | None = None
        self._loading = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes of the graphs in memory."""
        return (self._graph.size if self._graph else 0) + (self._text[1].size if self._text else 0)

    @property
    def preprocessing(self) -> Preprocessing:
        return self._image.preprocessing

    def embed_images(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """`[n, dimensions]` of decoded images (`images.decode(...).pixels`)."""
        return self.embed_tensors([tensor(image, self.preprocessing) for image in images])

    def embed_tensors(self, tensors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """`[n, dimensions]` of preprocessed images, each `[3, height, width]`."""
        if not tensors:
            return np.empty((0, self.dimensions), dtype=np.float32)
        return self._vectors(self._image_tower(), {self._image.tensor: np.stack(tensors)}, len(tensors))

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """`[n, dimensions]` of texts; BadBundle if the model has no text tower."""
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        encoder, graph = self._text_tower()
        return self._vectors(graph, encoder.encode(texts), len(texts))

    def _vectors(self, graph: Graph, feeds: Feeds, count: int) -> NDArray[np.float32]:
        values = graph.run(feeds)
        if values.shape != (count, self.dimensions):
            expected = [count, self.dimensions]
            raise BadBundle(f"{self._folder.uri}: the graph answered {list(values.shape)}, not {expected}")
        return activate(values, "normalize").astype(np.float32)

    def load_images(self) -> None:
        """The image tower; BadBundle if it is damaged, or not what the bundle says."""
        self._image_tower()

    def _image_tower(self) -> Graph:
        if self._graph:  # whoever embeds images does not wait for a text tower
            return self._graph
        with self._loading:
            if self._graph is None:
                tensors = ImageEncoder(self._image).tensors()
                self._graph = self._load(self._folder.manifest.graph, tensors, self._folder.manifest.output)
            return self._graph

    def _text_tower(self) -> tuple[TextEncoder, Graph]:
        tower = self._folder.manifest.text
        if tower is None:
            raise BadBundle(
                f"{self._folder.uri}: the model {self.model} has no text tower: search by an image instead."
                f" {READS_TEXTS}"
            )
        with self._loading:
            if self._text is None:
                self._text = self._load_text_tower(tower)
            return self._text

    def _load_text_tower(self, tower: TextTower) -> tuple[TextEncoder, Graph]:
        encoder = TextEncoder(tower.input, self._folder.read(tower.input.tokenizer))
        return encoder, self._load(tower.graph, encoder.tensors(), tower.output)

    def _load(self, graph: str, tensors: dict[str, Tensor], output: Output) -> Graph:
        fast, limits = self._fast_start, self._limits
        return load_graph(self._folder, graph, tensors, output, self._threads, fast_start=fast, limits=limits)
