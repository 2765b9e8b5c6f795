"""An upload of which nothing is predicted says why, and which classifiers there are."""

from pathlib import Path

import pytest

from pixlake.bundles.available import explain_unpredicted
from pixlake.bundles.roles import Model
from tests.unit.inference import tiny


@pytest.fixture
def lake(tmp_path: Path) -> tiny.Lake:
    return tiny.Lake(tmp_path)


def test_no_classifier_is_there(lake: tiny.Lake) -> None:
    assert explain_unpredicted(lake.uri, {}).startswith(
        "Nothing was predicted: no classifier is named, and the lake has none"
    )


def test_the_classifiers_there_are(lake: tiny.Lake) -> None:
    lake.bundle("broken", {}, kind="nothing")
    lake.embedder()
    lake.classifier("colors", tiny.image_graph(), [tiny.image_input()], kind="image_classifier")
    assert explain_unpredicted(lake.uri, {"embedder": Model("tiny@0", "embed")}) == (
        "Nothing was predicted: no classifier is named. The lake has colors (images); name one in pixlake.json:"
        ' {"classifier": {"orphan": "colors"}}'
    )


def test_a_classifier_without_rows() -> None:
    said = explain_unpredicted("file:///nowhere", {"orphan": Model("colors@0", "classify")})
    assert said == "Nothing was predicted: colors@0 is for images without a record, and the upload has none"
