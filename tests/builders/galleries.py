"""A lake of one-colored images with a tiny embedder and a classifier of colors."""

import numpy as np
from PIL import Image

from pixlake.iceberg.lakes import Lake
from pixlake.inference.loaded import load_embedder
from tests.builders import tiny
from tests.builders.zoo import put_rows

COLORS = {"red": (250, 10, 10), "dark": (120, 0, 0), "green": (10, 250, 10), "blue?#é": (10, 10, 250)}
EXPERIMENT, OTHER = "colors", "others"
ADDRESS = "http://127.0.0.1:8000"


def fill(lake: Lake) -> Lake:
    """Put the models, the images and their vectors."""
    assert lake.folder
    models = tiny.BundleLake(lake.folder)
    model = models.embedder("tiny")
    graph = tiny.image_graph(np.eye(3, dtype=np.float32))
    models.classifier("colors", graph, [tiny.image_input()], kind="image_classifier")
    embedder = load_embedder(lake.uri, model)
    rows = []
    for name, color in COLORS.items():
        image = Image.new("RGB", (600, 400), color)
        (lake.folder / "images" / "of").mkdir(parents=True, exist_ok=True)
        image.save(lake.folder / "images" / "of" / f"{name}.png")
        vector = embedder.embed_images([image])[0].tolist()
        rows.append({"image_path": f"of/{name}.png", "record_id": name, "embedding": vector, "model": model})
    put_rows(lake, "embeddings", rows, "colors", EXPERIMENT)
    put_rows(lake, "embeddings", rows[:1], "others", OTHER)
    return lake
