"""A `bundle.json` that is none, or that breaks who reads it."""

import json
from typing import Any

import pytest

from pixlake.bundles.parsing import LARGEST_MANIFEST
from pixlake.inference.loaded import load_bundle
from tests.unit.attacks.victims import Victim

DEEP = 100_000
TEXTS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "truncated"),
    "half": (b'{"format": 1, "name": "ti', "truncated"),
    "two": (b"{}{}", "format"),
    "byte order mark": (b"\xef\xbb\xbf{}", "malformed"),
    "UTF-16": ('{"format": 1}'.encode("utf-16"), "malformed"),
    "no UTF-8": (b'{"format": 1, "name": "\xff"}', "utf-8"),
    "half a surrogate pair": (b'{"format": 1, "name": "\\ud800....."}', "surrogate"),
    "pickle": (b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00.", "malformed"),
    "deep array": (b"[" * DEEP, "`object`, got `array`"),
    "deep unknown": (b'{"x":' * DEEP, "unknown field `x`"),
    "deep metrics": (b'{"metrics": {"x": ' + b"[" * DEEP + b"]" * DEEP + b"}}", "nested too deeply"),
    "huge integer": (b'{"format": ' + b"9" * 5_000 + b"}", "out of range"),
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_document_of_no_known_format_is_refused(victim: Victim, text: str) -> None:
    data, message = TEXTS[text]
    (victim.folder / "bundle.json").write_bytes(data)
    assert message in victim.refuses()


@pytest.mark.parametrize("number", [0, 2, -1, 1.5, "1", None, True, 2**64])
def test_another_format_number_is_refused(victim: Victim, number: Any) -> None:
    victim.rewrite(lambda document: document.update(format=number))
    assert "`$.format`" in victim.refuses()


def test_a_document_above_the_size_limit_is_never_read(victim: Victim) -> None:
    with (victim.folder / "bundle.json").open("ab") as file:
        file.truncate(1 << 40)
    assert f"larger than {LARGEST_MANIFEST >> 20} MiB" in victim.refuses()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1e30", '"0.5"', "null"])
@pytest.mark.parametrize("field", ["mean", "std"])
def test_preprocessing_with_non_finite_numbers_is_refused(victim: Victim, field: str, number: str) -> None:
    victim.rewrite(lambda document: document["inputs"][0]["preprocessing"].update({field: [0, "HERE", 0.5]}))
    path = victim.folder / "bundle.json"
    path.write_text(path.read_text().replace('"HERE"', number))
    assert "docs/bundles.md" in victim.refuses()


@pytest.mark.parametrize("std", [0, -1, 1e-300])
def test_a_standard_deviation_of_zero_or_near_is_refused(victim: Victim, std: float) -> None:
    victim.rewrite(lambda document: document["inputs"][0]["preprocessing"].update(std=[std, 1, 1]))
    assert "`$.inputs[0].preprocessing.std[0]`" in victim.refuses()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"scale": 0}, "`$.text.scale`"),
        ({"scale": 1e9}, "`$.text.scale`"),
        ({"scale": "1"}, "`$.text.scale`"),
        ({"scale": 1, "bias": -1e9}, "`$.text.bias`"),
        ({"bias": -10}, "a bias, but no scale"),
    ],
)
def test_a_logit_scale_or_bias_out_of_range_is_refused(victim: Victim, change: dict[str, Any], reason: str) -> None:
    victim.rewrite(lambda document: document["text"].update(change))
    assert reason in victim.refuses()


def test_an_unknown_text_cleaning_is_refused(victim: Victim) -> None:
    victim.rewrite(lambda document: document["text"]["input"].update(cleaning="exec"))
    assert "`$.text.input.cleaning`" in victim.refuses()


@pytest.mark.parametrize("digest", ["0" * 64, "0" * 63, "F" * 64, "", "sha256:" + "0" * 57, None])
def test_a_wrong_or_malformed_checksum_is_refused(victim: Victim, digest: str | None) -> None:
    victim.rewrite(lambda document: document["files"].update({"image.onnx": digest}))
    assert "SHA-256" in (message := victim.refuses()) or "`$.files[...]`" in message


def test_a_field_with_code_is_refused(victim: Victim) -> None:
    victim.rewrite(lambda document: document.update(code="import os"))
    assert "unknown field `code`" in victim.refuses()


def test_the_unchanged_document_is_accepted(victim: Victim) -> None:
    document = json.loads((victim.folder / "bundle.json").read_text())
    victim.rewrite(lambda same: same.update(document))
    assert load_bundle(victim.lake.uri, "tiny", 1).model.startswith("tiny@")
