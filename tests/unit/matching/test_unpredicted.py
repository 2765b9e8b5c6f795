"""An upload of which nothing is predicted says why, and which classifiers there are."""

from pixlake.bundles.available import explain_missing_columns, explain_unpredicted
from pixlake.bundles.roles import Model
from tests.builders import tiny
from tests.builders.tiny import BundleLake


def test_no_classifier_is_there(bundle_lake: BundleLake) -> None:
    assert explain_unpredicted(bundle_lake.uri, {}).startswith(
        "Nothing was predicted: no classifier is named, and the lake has none"
    )


def test_the_classifiers_there_are(bundle_lake: BundleLake) -> None:
    bundle_lake.bundle("broken", {}, kind="nothing")
    bundle_lake.embedder()
    bundle_lake.classifier("colors", tiny.image_graph(), [tiny.image_input()], kind="image_classifier")
    assert explain_unpredicted(bundle_lake.uri, {"embedder": Model("tiny@0", "embed", demo=False)}) == (
        "Nothing was predicted: no classifier is named. The lake has colors (images); name one in pixlake.json:"
        ' {"classifier": {"orphan": "colors"}}'
    )


def test_a_classifier_without_rows() -> None:
    said = explain_unpredicted("file:///nowhere", {"orphan": Model("colors@0", "classify", demo=False)})
    assert said == "Nothing was predicted: colors@0 is for images without a record, and the upload has none"


def test_the_columns_that_a_classifier_reads_and_the_table_lacks() -> None:
    reads = Model("ages@0", "classify", demo=False, columns=tuple("abcdefg"))
    models = {"with_image": reads, "without_image": reads, "embedder": Model("tiny@0", "embed", demo=False)}
    (said,) = explain_missing_columns(models, ["g", "other"])
    assert said == (
        "ages@0 reads 7 columns, and the table lacks 'a', 'b', 'c', 'd', 'e' and 1 more: it predicts as from empty"
        " cells"
    )
    assert list(explain_missing_columns(models, "abcdefg")) == []
