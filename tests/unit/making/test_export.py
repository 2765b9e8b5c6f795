"""A candidate is written as it is proved: with JPEGs decoded smaller, or whole where only those are against it, or not
at all."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from pixlake.bundles.folders import BundleFolder, read_folder
from pixlake.bundles.manifest import ImageInput, Manifest, Output, Preprocessing
from pixlake.errors import NotEqual
from pixlake_models.exporting.export import Candidate, prove_and_write
from pixlake_models.exporting.figures import Figure
from tests.builders import tiny

LEAST = 0.9999


class Model:
    """Compares as an exporter does, and keeps how often. `cosines` are those of JPEGs decoded smaller, of whole ones,
    and of all other pictures."""

    def __init__(self, smaller: float, whole: float = 1.0, others: float = 1.0) -> None:
        self.cosines, self.others = {"shown": smaller, "whole": whole}, others
        self.asked: list[str] = []

    def measure(self, folder: BundleFolder) -> Sequence[Figure]:
        pixels = read_pixels(folder)
        self.asked.append(pixels)
        spared = self.others if pixels == "shown" else None
        return [Figure("image_cosine", min(self.cosines[pixels], self.others), least=LEAST, spared=spared)]


def read_pixels(folder: BundleFolder) -> str:
    declared = folder.manifest.image_input
    assert declared
    return declared.preprocessing.pixels


def make_candidate(measure: Callable[[BundleFolder], Sequence[Figure]]) -> Candidate:
    manifest = Manifest(
        format=1,
        name="",
        kind="embedder",
        inputs=(ImageInput("image", msgspec.convert(tiny.preprocessing(), Preprocessing)),),
        graph="image.onnx",
        output=Output("embedding", "normalize"),
        files={},
        source={"origin": "a test"},
        dimensions=4,
        metrics={"recall": 0.5},
    )
    return Candidate(manifest, {"image.onnx": tiny.image_graph()}, measure)


def test_a_candidate_within_tolerance_is_written_unchanged(tmp_path: Path) -> None:
    model = Model(smaller=0.99991)
    written = prove_and_write(make_candidate(model.measure), tmp_path / "tiny")
    folder = read_folder((tmp_path / "tiny").as_uri())
    assert (model.asked, read_pixels(folder), written.notes) == (["shown"], "shown", ())
    assert folder.manifest.metrics == {"recall": 0.5, "image_cosine": 0.99991}
    assert written.describe() == "image cosine  0.99991     >= 0.9999"


def test_a_candidate_that_fails_only_on_reduced_jpegs_decodes_them_whole(tmp_path: Path) -> None:
    model = Model(smaller=0.9994)
    written = prove_and_write(make_candidate(model.measure), tmp_path / "tiny")
    folder = read_folder((tmp_path / "tiny").as_uri())
    assert (model.asked, read_pixels(folder)) == (["shown", "whole"], "whole")
    found = {"recall": 0.5, "jpegs_decoded_smaller": {"image_cosine": 0.9994}, "image_cosine": 1.0}
    assert folder.manifest.metrics == found
    note = "JPEGs are decoded whole: when they are decoded smaller, image_cosine is 0.9994, not >= 0.9999"
    assert written.describe().splitlines() == ["image cosine  1           >= 0.9999", note]


@pytest.mark.parametrize(
    ("model", "asked", "reason"),
    [
        (Model(smaller=0.9994, others=0.9), ["shown"], "0.9"),
        (Model(smaller=0.9994, others=float("nan")), ["shown"], "0.9994"),
        (Model(smaller=0.9994, whole=0.9996), ["shown", "whole"], "0.9996"),
    ],
)
def test_a_candidate_out_of_tolerance_is_not_written(
    tmp_path: Path, model: Model, asked: list[str], reason: str
) -> None:
    with pytest.raises(NotEqual, match=rf"tiny: .* image_cosine is {reason}, not >= 0\.9999"):
        prove_and_write(make_candidate(model.measure), tmp_path / "tiny")
    assert model.asked == asked
    assert not (tmp_path / "tiny").exists()


def test_a_candidate_that_also_fails_without_jpegs_is_not_tried_with_whole_ones(tmp_path: Path) -> None:
    model = Model(smaller=0.9994)

    def measure(folder: BundleFolder) -> Sequence[Figure]:
        return [*model.measure(folder), Figure("text_tokens_differ", 3, most=0)]

    with pytest.raises(NotEqual, match=r"image_cosine is 0\.9994.*; text_tokens_differ is 3"):
        prove_and_write(make_candidate(measure), tmp_path / "tiny")
    assert model.asked == ["shown"]
