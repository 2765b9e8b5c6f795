"""Request before upload before stack, field by field."""

import pytest

from pixlake.errors import BadRequest, BadUpload
from pixlake.messages import Classifiers, Options
from pixlake.options import FIELDS, decode_options, merge_options, parse_setting
from pixlake.settings import PlanSettings

STACK = PlanSettings("file:///lake", embedder="stack-e", classifier_with_image="stack-w", classifier_orphan="stack-o")


def test_request_wins_over_upload_over_stack_field_by_field() -> None:
    request = Options(id_column="id", classifier=Classifiers(with_image="request-w"))
    uploaded = Options(id_column="other", embedder="upload-e", classifier=Classifiers(without_image="upload-n"))
    assert merge_options(request, uploaded, STACK) == Options(
        id_column="id",
        embedder="upload-e",
        classifier=Classifiers(with_image="request-w", without_image="upload-n", orphan="stack-o"),
    )


def test_an_empty_model_name_means_no_model() -> None:
    merged = merge_options(Options(embedder=""), Options(embedder="upload-e"), STACK)
    assert merged.embedder is None
    assert merge_options(Options(), Options(), PlanSettings("file:///lake")) == Options()


def test_an_upload_is_complete_if_its_own_file_or_the_request_says_so() -> None:
    uploaded = decode_options(b'{"complete": true}', "pixlake.json")
    assert merge_options(Options(), uploaded, STACK).complete
    assert merge_options(Options(complete=True), Options(), STACK).complete
    assert merge_options(Options(complete=False), uploaded, STACK).complete is None


@pytest.mark.parametrize(
    ("data", "meant"),
    [
        (b'{"image_colum": "x"}', "image_column"),
        (b'{"classifier": {"with_images": "x"}}', "classifier.with_image"),
        (b'{"orphan": "x"}', "classifier.orphan"),
    ],
)
def test_a_field_that_is_unknown_is_told_the_nearest_and_the_page(data: bytes, meant: str) -> None:
    with pytest.raises(BadUpload, match=f"is {meant} meant\\?; see docs/pixlake-json.md"):
        decode_options(data, "pixlake.json")


def test_a_setting_is_a_field_of_pixlake_json() -> None:
    assert parse_setting("image_column=a=b") == {"image_column": "a=b"}
    assert parse_setting("classifier.orphan=pets") == {"classifier": {"orphan": "pets"}}
    assert parse_setting("complete=True") == {"complete": True}
    assert parse_setting("embedder=") == {"embedder": ""}
    assert {"complete", "classifier.with_image"} < {*FIELDS}
    for wrong in ("id_column", "classifier=x", "classifier.=x", "imagecolumn=x"):
        with pytest.raises(BadRequest, match="is not FIELD=VALUE with one of the fields id_column, "):
            parse_setting(wrong)


def test_a_byte_order_mark_is_ignored() -> None:
    assert decode_options(b'\xef\xbb\xbf{"label_column": "breed"}', "pixlake.json") == Options(label_column="breed")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"embeder": "x"}', "embeder"),
        (b'{"id_column": 7}', r"\$\.id_column"),
        (b'{"classifier": {"with": "x"}}', "with"),
        (b'{"id_column": ', "pixlake.json"),
        (b"\xff\xfe{\0}\0", "pixlake.json"),
        (b'{"id_column": "\xff"}', "pixlake.json"),
        (b"[" * 100_000, "pixlake.json"),
        (b'{"embedder": "' + b"x" * 900_000 + b'"}', r"length <= 1000 .*embedder"),
        (b'{"classifier": {"orphan": "' + b"x" * 1_001 + b'"}}', r"classifier\.orphan"),
    ],
)
def test_an_option_that_does_not_fit_is_named(data: bytes, message: str) -> None:
    with pytest.raises(BadUpload, match=message) as refusal:
        decode_options(data, "top/pixlake.json")
    assert refusal.value.reason == "bad_options"
