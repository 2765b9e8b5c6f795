"""A bundle as format 1 has it to the byte. What is here was written once: a change that breaks these tests breaks the
bundles that people have, and needs a new format."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixlake.bundles.archives import pack, unpack
from pixlake.bundles.folders import read_folder
from pixlake.bundles.manifest import MANIFEST
from pixlake.bundles.parsing import encode, parse
from pixlake.inference.loaded import load_embedder
from tests.builders.tiny import BundleLake
from tests.project import ROOT

GOLDEN = Path(__file__).parent / "golden" / "tiny"
DOCUMENT = "c962e3a2d5374394540a0a7fe6962cae016c679c0ce94e570dd565763828559a"
PREDICTOR = GOLDEN.with_name("predictor")
PREDICTOR_DOCUMENT = "1237c787dbd807af7124d64af64082d6ec7d9105ed5b769674d21f390f313b07"
BUNDLES = sorted(ROOT.glob("bundles/*/bundle.json"))


def test_the_version_is_of_the_documents_bytes() -> None:
    assert hashlib.sha256((GOLDEN / MANIFEST).read_bytes()).hexdigest() == DOCUMENT
    assert read_folder(GOLDEN.as_uri()).model == f"tiny@{DOCUMENT[:12]}"
    assert hashlib.sha256((PREDICTOR / MANIFEST).read_bytes()).hexdigest() == PREDICTOR_DOCUMENT
    assert read_folder(PREDICTOR.as_uri()).model == f"predictor@{PREDICTOR_DOCUMENT[:12]}"


@pytest.mark.parametrize("path", [GOLDEN / MANIFEST, PREDICTOR / MANIFEST, *BUNDLES], ids=lambda path: path.parent.name)
def test_a_document_is_written_byte_for_byte(path: Path) -> None:
    assert encode(parse(path.read_bytes(), "golden")) == path.read_bytes()


def test_the_golden_bundle_gives_its_recorded_vectors(bundle_lake: BundleLake) -> None:
    shutil.copytree(GOLDEN, bundle_lake.folder / "models" / "tiny")
    embedder = load_embedder(bundle_lake.uri, f"tiny@{DOCUMENT[:12]}", 1)
    (image,) = embedder.embed_images([Image.new("RGB", (30, 20), (255, 51, 0))])
    (text,) = embedder.embed_texts(["red square"])
    # the image's mean colour (1, 0.2, 0), standardized to (2, -0.4, -0.3), times the weights, over its length
    np.testing.assert_allclose(image * np.sqrt(1.7**2 + 0.7**2 + 4.4**2 + 3.35**2), [1.7, -0.7, 4.4, -3.35], atol=1e-5)
    # the mean of the vectors of tokens 2, 5, 0 and 0, whose elements count up by 0.1 from -1
    row = np.array([-0.3, -0.2, -0.1, 0])
    np.testing.assert_allclose(text, row / np.linalg.norm(row), atol=1e-6)


def test_a_predictors_tar_is_written_byte_for_byte(tmp_path: Path) -> None:
    """The folders in it follow from the files' names."""
    folder, data = read_folder(PREDICTOR.as_uri()), (PREDICTOR / "predictor.tar").read_bytes()
    assert unpack(folder.stream("predictor.tar"), len(data), tmp_path / "out") == 2
    files = {
        path.relative_to(tmp_path / "out").as_posix(): path for path in (tmp_path / "out").rglob("*") if path.is_file()
    }
    assert files.keys() == {"assets.json", "backbones/timm_image/pytorch_model.bin"}
    pack(files, tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == data
