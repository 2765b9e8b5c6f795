"""A bundle as format 1 has it to the byte. What is here was written once: a change that breaks these tests breaks the
bundles that people have, and needs a new format."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixlake.inference.bundles import load_embedder
from pixlake.inference.folders import read_folder
from pixlake.inference.manifest import MANIFEST
from pixlake.inference.parsing import encode, parse
from tests.unit.inference.tiny import Lake

GOLDEN = Path(__file__).parent / "golden" / "tiny"
DOCUMENT = "c962e3a2d5374394540a0a7fe6962cae016c679c0ce94e570dd565763828559a"
BUNDLES = sorted(Path(__file__).parents[3].glob("bundles/*/bundle.json"))


def test_the_version_is_of_the_documents_bytes() -> None:
    assert hashlib.sha256((GOLDEN / MANIFEST).read_bytes()).hexdigest() == DOCUMENT
    assert read_folder(GOLDEN.as_uri()).model == f"tiny@{DOCUMENT[:12]}"


@pytest.mark.parametrize("path", [GOLDEN / MANIFEST, *BUNDLES], ids=lambda path: path.parent.name)
def test_a_document_is_written_to_the_byte(path: Path) -> None:
    assert encode(parse(path.read_bytes(), "golden")) == path.read_bytes()


def test_it_answers_as_it_always_did(lake: Lake) -> None:
    shutil.copytree(GOLDEN, lake.folder / "models" / "tiny")
    embedder = load_embedder(lake.uri, f"tiny@{DOCUMENT[:12]}", 1)
    (image,) = embedder.embed_images([Image.new("RGB", (30, 20), (255, 51, 0))])
    (text,) = embedder.embed_texts(["red square"])
    # the image's mean colour (1, 0.2, 0), standardized to (2, -0.4, -0.3), times the weights, over its length
    np.testing.assert_allclose(image * np.sqrt(1.7**2 + 0.7**2 + 4.4**2 + 3.35**2), [1.7, -0.7, 4.4, -3.35], atol=1e-5)
    # the mean of the vectors of tokens 2, 5, 0 and 0, whose elements count up by 0.1 from -1
    row = np.array([-0.3, -0.2, -0.1, 0])
    np.testing.assert_allclose(text, row / np.linalg.norm(row), atol=1e-6)
