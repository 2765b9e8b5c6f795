"""A predictor gets a record's cells and images as AutoGluon expects them, and answers as any classifier does."""

import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pixlake.bundles.folders import open_folder
from pixlake.errors import BadBundle, BadImage, ModelTimeout
from pixlake.images.decoders import Decoders, Limits
from pixlake.inference.loaded import load_bundle, load_classifier
from pixlake.inference.predictor import Predictor, Row, unpack_predictor
from pixlake.messages import BatchAnswer
from pixlake.steps.classify import classify
from tests.builders.predictors import COLUMNS, IMAGES, Told, put_predictor, tar
from tests.builders.tiny import BundleLake, encode

PNG = encode(Image.new("RGB", (9, 7), (200, 10, 30)))
MODALITIES = ["image+tabular", "tabular", "image"]


def record(name: str, images: dict[str, str], **attributes: str | None) -> dict[str, Any]:
    """A row of a batch; `images` are URIs by path."""
    return {
        "record_id": name,
        "image_paths": list(images),
        "image_uris": list(images.values()),
        "attributes": list(attributes.items()),
    }


def ask(
    bundle_lake: BundleLake, told: Told, model: str, rows: list[dict[str, Any]], modality: str = "tabular"
) -> BatchAnswer:
    scratch = bundle_lake.folder / "scratch"
    scratch.mkdir(exist_ok=True)

    def load(lake_uri: str, name: str) -> Predictor:
        assert (lake_uri, name) == (bundle_lake.uri, model)
        return told.predictor(bundle_lake, name, scratch)

    return classify(bundle_lake.request("classify", model, rows, modality), bundle_lake.settings, load)


def test_cells_are_converted_to_the_types_of_training(bundle_lake: BundleLake) -> None:
    rows = [
        record("a", {}, Age=" 3.50 ", Tame="TRUE", Home="sea ", Colour="red"),
        record("b", {}, Age="1,234", Tame="1", Home=None),
        record("c", {}, Age="nan", Tame="false", Home=""),
        record("d", {}),
    ]
    told = Told()
    ask(bundle_lake, told, put_predictor(bundle_lake), rows)
    assert told.asked == [
        {
            "Age": [3.5, None, None, None],
            "Tame": [True, None, False, None],
            "Home": ["sea ", "", "", ""],
            "Photo": [""] * 4,
        }
    ]


def test_a_batch_is_predicted_in_one_call_and_answered_in_order(bundle_lake: BundleLake) -> None:
    names = [f"{number:02}" for number in range(40)]
    told = Told([[number / 40, 1 - number / 40] for number in range(40)])
    model = put_predictor(bundle_lake)
    ask(bundle_lake, told, model, [record(name, {}, Age="1") for name in names])
    assert len(told.asked) == 1
    part = bundle_lake.part("predictions", "classify-0")
    assert part["record_id"].to_pylist() == names
    assert [dict(each)["cat"] for each in part["probabilities"].to_pylist()] == [number / 40 for number in range(40)]
    # at 20 both are equal, and the first wins
    assert part["label"].to_pylist() == ["dog"] * 20 + ["cat"] * 20
    assert set(part["model"].to_pylist()) == {model}


def test_a_long_batch_is_predicted_in_several_calls_and_stops_between_two(bundle_lake: BundleLake) -> None:
    rows = [record(f"{number:03}", {}, Age="1") for number in range(300)]
    told, model = Told(), put_predictor(bundle_lake)
    ask(bundle_lake, told, model, rows)
    assert [len(each["Age"]) for each in told.asked] == [128, 128, 44]
    part = bundle_lake.part("predictions", "classify-0")
    assert part["record_id"].to_pylist() == [row["record_id"] for row in rows]
    predictor = told.predictor(bundle_lake, model, bundle_lake.folder)
    request = bundle_lake.request("classify", model, rows, "tabular")
    answer = classify(request, bundle_lake.settings, lambda *_: predictor, seconds=0.0)
    assert (answer.rows, [rest.done for rest in answer.rest]) == (128, [(128,)])


def test_images_that_are_passed_as_bytes_are_in_memory_a_few_at_a_time(
    bundle_lake: BundleLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixlake.inference.predictor._IMAGE_BYTES", 2 * len(PNG))
    told, rows = Told(), [record(str(number), {"a.png": bundle_lake.put("a.png", PNG)}) for number in range(5)]
    ask(bundle_lake, told, put_predictor(bundle_lake, images={**IMAGES, "form": "bytes"}), rows, "image+tabular")
    assert [each["Photo"] for each in told.asked] == [[[PNG], [PNG]], [[PNG], [PNG]], [[PNG]]]


def test_a_predictor_that_does_not_answer_in_time_is_given_up(bundle_lake: BundleLake) -> None:
    class Hanging(Told):
        def answer(self, _: Any) -> Any:
            ended.wait(60)

    ended = threading.Event()
    model = put_predictor(bundle_lake)
    described = Hanging().predictor(bundle_lake, model, bundle_lake.folder)._manifest
    predictor = Predictor(model, described, Hanging(), bundle_lake.folder, seconds=0.01)
    try:
        with pytest.raises(ModelTimeout, match=r"did not answer 1 rows within 0\.02 s"):
            predictor.predict([predictor.make_example({}, [])])
    finally:
        ended.set()


def test_images_are_passed_as_files_with_the_uploaded_bytes(bundle_lake: BundleLake) -> None:
    """The first two that are images; in a folder that goes when the batch is done."""
    seen: list[list[bytes]] = []

    class Looking(Told):
        def answer(self, table: Any) -> Any:
            seen.extend([Path(path).read_bytes() for path in cell.split(";") if path] for cell in table["Photo"])
            return super().answer(table)

    other = encode(Image.new("L", (5, 5)))
    good, grey, bad, cut = (
        bundle_lake.put(name, data)
        for name, data in (("a.png", PNG), ("b.png", other), ("c.png", b"text"), ("d.png", PNG[:-30]))
    )
    rows = [
        record("one", {"a.png": good}),
        record("two", {"b.png": grey, "a.png": good, "more.png": good}),
        record("mended", {"c.png": bad, "d.png": cut, "b.png": grey, "a.png": good}),
        record("none", {"c.png": bad}),
    ]
    answer = ask(bundle_lake, Looking(), put_predictor(bundle_lake), rows, "image+tabular")
    assert seen == [[PNG], [other, PNG], [other, PNG], []]
    assert (answer.rows, answer.rejected) == (4, 3)
    found = [(each.source, each.reason) for each in bundle_lake.rejects("classify")]
    assert found == [("c.png", "not_an_image"), ("d.png", "truncated"), ("c.png", "not_an_image")]


def test_images_are_passed_as_bytes_where_training_had_bytes(bundle_lake: BundleLake) -> None:
    uri, told = bundle_lake.put("a.png", PNG), Told()
    model = put_predictor(bundle_lake, images={**IMAGES, "form": "bytes"})
    ask(bundle_lake, told, model, [record("a", {"a.png": uri}), record("b", {})], "image+tabular")
    assert told.asked[0]["Photo"] == [[PNG], [b""]]


def test_a_record_without_a_required_image_is_a_reject(bundle_lake: BundleLake) -> None:
    told, uri = Told(), bundle_lake.put("a.png", PNG)
    model = put_predictor(bundle_lake, images={**IMAGES, "missing": "refuse"})
    answer = ask(bundle_lake, told, model, [record("a", {"a.png": uri}), record("b", {})], "image+tabular")
    assert (answer.rows, len(told.asked[0]["Age"])) == (1, 1)
    assert [(each.source, each.reason) for each in bundle_lake.rejects("classify")] == [("b", "missing_image")]


def test_orphan_images_are_predicted_by_path(bundle_lake: BundleLake) -> None:
    told, uri = Told(), bundle_lake.put("a.png", PNG)
    model = put_predictor(bundle_lake, columns=[], images=IMAGES)
    ask(bundle_lake, told, model, [{**record("", {"a.png": uri}), "record_id": None}], "image")
    assert told.asked[0].keys() == {"Photo"}
    assert bundle_lake.part("predictions", "classify-0")["image_path"].to_pylist() == ["a.png"]


def test_a_regression_has_a_value_and_no_label(bundle_lake: BundleLake) -> None:
    model = put_predictor(bundle_lake, problem="regression", labels=[])
    ask(bundle_lake, Told([[2.5], [float("nan")]]), model, [record("a", {}), record("b", {})])
    part = bundle_lake.part("predictions", "classify-0").to_pylist()
    assert [(row["value"], row["label"], row["probabilities"]) for row in part] == [(2.5, None, None)]
    assert [(each.source, each.reason) for each in bundle_lake.rejects("classify")] == [("b", "bad_prediction")]


def test_an_empty_batch_does_not_call_the_predictor(bundle_lake: BundleLake) -> None:
    told = Told()
    assert ask(bundle_lake, told, put_predictor(bundle_lake), []).rows == 0
    assert told.asked == []


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_predictor_takes_only_the_modalities_that_it_was_trained_on(bundle_lake: BundleLake, modality: str) -> None:
    records = Told().predictor(bundle_lake, put_predictor(bundle_lake, "records"), bundle_lake.folder)
    images = Told().predictor(bundle_lake, put_predictor(bundle_lake, "images", columns=[]), bundle_lake.folder)
    assert (records.answers(modality), images.answers(modality)) == (modality != "image", modality == "image")
    with pytest.raises(BadBundle, match="cannot predict the modality"):
        ask(
            bundle_lake,
            Told(),
            put_predictor(bundle_lake, columns=[] if modality != "image" else COLUMNS),
            [],
            modality,
        )


def test_another_number_of_answers_than_rows_is_refused(bundle_lake: BundleLake) -> None:
    """A predictor set to skip what it cannot read would answer for the wrong records."""
    with pytest.raises(BadBundle, match=r"\(1, 2\) for 2 rows"):
        ask(bundle_lake, Told([[0.5, 0.5]]), put_predictor(bundle_lake), [record("a", {}), record("b", {})])


def test_a_broken_image_leaves_no_file_behind(bundle_lake: BundleLake) -> None:
    predictor = Told().predictor(bundle_lake, put_predictor(bundle_lake), bundle_lake.folder / "scratch")
    (bundle_lake.folder / "scratch").mkdir()
    with pytest.raises(BadImage):
        predictor.prepare_image(b"text", Decoders(Limits(1 << 20, 10, 1 << 30)))
    with pytest.raises(BadImage):
        predictor.prepare_image(PNG, Decoders(Limits(62, 10, 1 << 30)))
    assert not list((bundle_lake.folder / "scratch").iterdir())
    assert predictor.make_example({}, [predictor.prepare_image(PNG, Decoders(Limits(63, 10, 1 << 30)))]) == Row(
        {}, list((bundle_lake.folder / "scratch").iterdir())
    )


# ---- what only the AutoGluon container opens ----------------------------------------------------------------------


@pytest.mark.parametrize("load", [load_bundle, load_classifier])
def test_the_onnx_containers_refuse_an_autogluon_bundle(bundle_lake: BundleLake, load: Any) -> None:
    model = put_predictor(bundle_lake)
    with pytest.raises(BadBundle, match=f"{model} holds pickles, which only the AutoGluon container runs"):
        load(bundle_lake.uri, model)
    with pytest.raises(BadBundle, match="pickles"):
        classify(bundle_lake.request("classify", model, [], "tabular"), bundle_lake.settings)


def test_unpacking_gives_the_folder_and_its_manifest(bundle_lake: BundleLake, tmp_path: Path) -> None:
    model = put_predictor(bundle_lake, data=tar({"assets.json": b"{}", "a/b": b"x"}))
    described = unpack_predictor(open_folder(bundle_lake.uri, model), tmp_path / "target")
    assert described.labels == ("cat", "dog")
    assert (tmp_path / "target/a/b").read_bytes() == b"x"


def test_a_damaged_tar_is_refused(bundle_lake: BundleLake, tmp_path: Path) -> None:
    folder = open_folder(bundle_lake.uri, put_predictor(bundle_lake))
    (bundle_lake.folder / "models/pets/predictor.tar").write_bytes(tar({"assets.json": b"[]"}))
    with pytest.raises(BadBundle, match="SHA-256"):
        unpack_predictor(folder, tmp_path / "target")


def test_a_bundle_of_graphs_is_refused_as_a_predictor(bundle_lake: BundleLake, tmp_path: Path) -> None:
    with pytest.raises(BadBundle, match="kind embedder"):
        unpack_predictor(open_folder(bundle_lake.uri, bundle_lake.embedder()), tmp_path)


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "another file": ({"archive": "other.tar"}, "archive"),
    "no column": ({"columns": [], "images": None}, "reads no column"),
    "a column twice": ({"columns": [*COLUMNS, {"name": "Photo", "type": "text"}]}, "columns repeat"),
    "labels": ({"labels": ["cat"]}, "1 labels"),
    "labels of a value": ({"problem": "regression"}, "2 labels"),
    "a label twice": ({"problem": "multiclass", "labels": ["a", "a"]}, "labels repeat"),
    "a graph": ({"graph": "model.onnx"}, "unknown field `graph`"),
    "a type": ({"columns": [{"name": "Age", "type": "date"}]}, r"columns\[0\].type"),
    "a problem": ({"problem": "ner"}, "problem"),
    "no images": ({"images": {**IMAGES, "max_images": 0}}, "max_images"),
    "a path": ({"archive": "../predictor.tar"}, "archive"),
}


@pytest.mark.parametrize(("change", "message"), FAULTS.values(), ids=list(FAULTS))
def test_a_predictors_manifest_that_does_not_fit_is_refused_by_field(
    bundle_lake: BundleLake, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadBundle, match=message):
        open_folder(bundle_lake.uri, put_predictor(bundle_lake, **change))
