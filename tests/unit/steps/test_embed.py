"""Embed: vectors equal to numpy's, every bad image a reject, parts byte-identical."""

import hashlib
import threading
from dataclasses import replace

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pixlake import storage
from pixlake.errors import BadBundle, BadRequest, MissingObject
from pixlake.messages import Batch, BatchRequest, parse, plain
from pixlake.schemas import EMBEDDINGS
from pixlake.steps.embed import embed
from tests.builders.tiny import MEAN, SIDE, STD, WEIGHTS, BundleLake, encode, image_graph, image_input

COLORS = [(250, 10, 20), (0, 128, 255), (90, 90, 91), (17, 200, 3), (255, 255, 0), (1, 2, 3), (40, 50, 200)]


def uniform(color: tuple[int, int, int], size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    return Image.new("RGB", size, color)


def expected(color: tuple[int, int, int]) -> np.ndarray:
    vector = (np.array(color) / 255 - MEAN) / STD @ WEIGHTS.astype(np.float64)
    return vector / np.linalg.norm(vector)


def put_colors(bundle_lake: BundleLake) -> list[dict[str, object]]:
    for index, color in enumerate(COLORS):
        bundle_lake.put(f"{index}.png", encode(uniform(color, (20 + index, 30))))
    return bundle_lake.images(*(f"{index}.png" for index in range(len(COLORS))))


def test_vectors_equal_numpys_and_have_unit_length(bundle_lake: BundleLake) -> None:
    request = bundle_lake.request("embed", bundle_lake.embedder(), put_colors(bundle_lake))

    answer = embed(request, bundle_lake.settings)

    part = bundle_lake.part("embeddings", "embed-0")
    assert (answer.batch_id, answer.rows, answer.rejected) == ("embed-0", len(COLORS), 0)
    assert part.schema.equals(EMBEDDINGS.columns)
    vectors = np.array(part["embedding"].to_pylist())
    np.testing.assert_allclose(vectors, [expected(color) for color in COLORS], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_a_batch_stopped_by_time_goes_on_to_the_same_part(bundle_lake: BundleLake) -> None:
    request = bundle_lake.request("embed", bundle_lake.embedder(), put_colors(bundle_lake))
    bundle_lake.put("3.png", b"this is no image")
    embed(request, bundle_lake.settings)
    whole = (bundle_lake.part("embeddings", "embed-0"), bundle_lake.rejects("embed"))
    storage.delete([bundle_lake.work.part("embeddings", "embed-0"), bundle_lake.work.rejects("embed", "embed-0")])

    settings = replace(bundle_lake.settings, inference_batch=1, inference_threads=1)
    rounds = []
    while True:
        answer = embed(request, settings, seconds=0.0)
        rounds.append((answer.rows, answer.rejected))
        if not answer.rest:
            break
        assert not storage.exists(bundle_lake.work.part("embeddings", "embed-0"))
        # a rerun of the same round gives the same
        assert embed(request, settings, seconds=0.0) == answer
        (rest,) = answer.rest
        request = msgspec.structs.replace(request, batch=parse(plain(rest), Batch))

    assert rounds == [(1, 0)] * 3 + [(0, 1)] + [(1, 0)] * 3
    assert (bundle_lake.part("embeddings", "embed-0"), bundle_lake.rejects("embed")) == whole


def test_a_batch_with_time_enough_is_done_at_once(bundle_lake: BundleLake) -> None:
    request = bundle_lake.request("embed", bundle_lake.embedder(), put_colors(bundle_lake))
    answer = embed(request, replace(bundle_lake.settings, inference_batch=1), seconds=600.0)
    assert (answer.rows, answer.rest) == (len(COLORS), ())


def test_a_row_says_where_its_vector_comes_from(bundle_lake: BundleLake) -> None:
    data = encode(uniform(COLORS[0], (7, 5)))
    uri = bundle_lake.put("a b/ü.png", data)
    model = bundle_lake.embedder()
    row = {"image_path": "a b/ü.png", "image_uri": uri, "record_id": "007"}

    embed(bundle_lake.request("embed", model, [row]), bundle_lake.settings)

    (found,) = bundle_lake.part("embeddings", "embed-0").to_pylist()
    assert found.pop("embedding")
    assert found.pop("uploaded_at").isoformat() == "2026-01-02T03:04:05+00:00"
    assert found.pop("processed_at").isoformat() == "2026-01-02T03:05:00+00:00"
    sha256 = hashlib.sha256(data).hexdigest()
    assert found == {**row, "experiment_id": "pets", "model": model, "width": 7, "height": 5, "sha256": sha256}


def test_bad_images_are_rejects_and_lose_nothing_else(bundle_lake: BundleLake) -> None:
    good = encode(uniform(COLORS[0]))
    bundle_lake.put("0-good.png", good)
    bundle_lake.put("1-empty.png", b"")
    bundle_lake.put("2-text.png", b"this is no image")
    bundle_lake.put("3-cut.bmp", encode(uniform(COLORS[0]), "BMP")[:-9])
    bundle_lake.put("4-good.png", good)
    names = ["0-good.png", "1-empty.png", "2-text.png", "3-cut.bmp", "4-good.png"]

    answer = embed(
        bundle_lake.request("embed", bundle_lake.embedder(), bundle_lake.images(*names)), bundle_lake.settings
    )

    assert (answer.rows, answer.rejected) == (2, 3)
    assert bundle_lake.part("embeddings", "embed-0")["image_path"].to_pylist() == ["0-good.png", "4-good.png"]
    reasons = [(each.source, each.stage, each.reason) for each in bundle_lake.rejects("embed")]
    assert reasons == [
        ("1-empty.png", "embed", "empty"),
        ("2-text.png", "embed", "not_an_image"),
        ("3-cut.bmp", "embed", "truncated"),
    ]
    assert all(each.detail for each in bundle_lake.rejects("embed"))


def test_a_batch_of_nothing_but_bad_images_leaves_an_empty_part(bundle_lake: BundleLake) -> None:
    bundle_lake.put("a.png", b"no")

    answer = embed(
        bundle_lake.request("embed", bundle_lake.embedder(), bundle_lake.images("a.png")), bundle_lake.settings
    )

    assert (answer.rows, answer.rejected, bundle_lake.part("embeddings", "embed-0").num_rows) == (0, 1, 0)


def test_a_batch_without_rejects_writes_none(bundle_lake: BundleLake) -> None:
    embed(bundle_lake.request("embed", bundle_lake.embedder(), put_colors(bundle_lake)), bundle_lake.settings)
    assert not storage.exists(bundle_lake.work.rejects("embed", "embed-0"))


def test_a_zero_vector_is_a_reject(bundle_lake: BundleLake) -> None:
    weights = np.zeros((3, 4), dtype=np.float32)
    files = {"image.onnx": image_graph(weights)}
    bundle_lake.put("a.png", encode(uniform(COLORS[0])))

    answer = embed(
        bundle_lake.request("embed", bundle_lake.embedder(files=files, text=None), bundle_lake.images("a.png")),
        bundle_lake.settings,
    )

    assert (answer.rows, [each.reason for each in bundle_lake.rejects("embed")]) == (0, ["bad_embedding"])


def test_the_part_is_sorted_whatever_the_batchs_order(bundle_lake: BundleLake) -> None:
    rows = put_colors(bundle_lake)
    embed(bundle_lake.request("embed", bundle_lake.embedder(), rows[::-1]), bundle_lake.settings)
    part = bundle_lake.part("embeddings", "embed-0")
    assert part["image_path"].to_pylist() == [row["image_path"] for row in rows]
    np.testing.assert_allclose(part["embedding"].to_pylist(), [expected(color) for color in COLORS], atol=1e-6)


def test_a_rerun_writes_the_same_bytes(bundle_lake: BundleLake) -> None:
    rows = [*put_colors(bundle_lake)]
    bundle_lake.put("x.png", b"broken")
    request = bundle_lake.request("embed", bundle_lake.embedder(), [*rows, *bundle_lake.images("x.png")])
    uris = [bundle_lake.work.part("embeddings", "embed-0"), bundle_lake.work.rejects("embed", "embed-0")]
    embed(request, bundle_lake.settings)
    first = [storage.read(uri) for uri in uris]
    embed(request, bundle_lake.settings)
    assert [storage.read(uri) for uri in uris] == first


def test_vectors_spend_nothing_on_dictionaries_and_statistics(bundle_lake: BundleLake) -> None:
    embed(bundle_lake.request("embed", bundle_lake.embedder(), put_colors(bundle_lake)), bundle_lake.settings)
    group = pq.ParquetFile(bundle_lake.work.part("embeddings", "embed-0").removeprefix("file://")).metadata.row_group(0)
    columns = {group.column(index).path_in_schema: group.column(index) for index in range(group.num_columns)}
    vectors, paths = columns["embedding.list.element"], columns["image_path"]
    assert not vectors.is_stats_set
    assert not any("DICTIONARY" in encoding for encoding in vectors.encodings)
    assert paths.is_stats_set
    assert vectors.compression == "ZSTD"


def test_an_image_missing_from_the_lake_raises(bundle_lake: BundleLake) -> None:
    rows = put_colors(bundle_lake)
    (bundle_lake.folder / "images" / "pets" / "3.png").unlink()
    with pytest.raises(MissingObject, match=r"3\.png"):
        embed(bundle_lake.request("embed", bundle_lake.embedder(), rows), bundle_lake.settings)
    assert not storage.exists(bundle_lake.work.part("embeddings", "embed-0"))


def test_a_bundle_replaced_during_the_run_is_refused(bundle_lake: BundleLake) -> None:
    model = bundle_lake.embedder()
    request = bundle_lake.request("embed", model, put_colors(bundle_lake))
    bundle_lake.embedder(source={"origin": "another"})
    with pytest.raises(BadBundle, match="changed during the run"):
        embed(request, bundle_lake.settings)


def test_a_classifier_does_not_embed(bundle_lake: BundleLake) -> None:
    model = bundle_lake.classifier("colors", image_graph(WEIGHTS[:, :3]), [image_input()], kind="image_classifier")
    with pytest.raises(BadBundle, match="embedder is needed"):
        embed(bundle_lake.request("embed", model, put_colors(bundle_lake)), bundle_lake.settings)


def test_a_batch_file_of_another_length_is_refused(bundle_lake: BundleLake) -> None:
    request = bundle_lake.request("embed", bundle_lake.embedder(), put_colors(bundle_lake))
    with pytest.raises(BadRequest, match="7 rows"):
        embed(BatchRequest(request.run, msgspec.structs.replace(request.batch, count=9)), bundle_lake.settings)


def test_the_pixel_limit_is_that_of_the_settings(bundle_lake: BundleLake) -> None:
    rows = put_colors(bundle_lake)
    answer = embed(
        bundle_lake.request("embed", bundle_lake.embedder(), rows), replace(bundle_lake.settings, max_pixels=20 * 30)
    )
    assert (answer.rows, answer.rejected) == (1, len(COLORS) - 1)
    assert {each.reason for each in bundle_lake.rejects("embed")} == {"too_many_pixels"}


@pytest.mark.parametrize(("threads", "batch"), [(1, 1), (1, 64), (3, 2), (8, 4)])
def test_the_part_is_the_same_for_any_number_of_threads(bundle_lake: BundleLake, threads: int, batch: int) -> None:
    request = bundle_lake.request("embed", bundle_lake.embedder(), put_colors(bundle_lake))
    embed(request, bundle_lake.settings)
    part = storage.read(bundle_lake.work.part("embeddings", "embed-0"))
    embed(request, replace(bundle_lake.settings, inference_threads=threads, inference_batch=batch))
    assert storage.read(bundle_lake.work.part("embeddings", "embed-0")) == part


def test_no_thread_is_left_after_success_or_failure(bundle_lake: BundleLake) -> None:
    request = bundle_lake.request("embed", bundle_lake.embedder(), put_colors(bundle_lake))
    embed(request, bundle_lake.settings)
    before = threading.active_count()
    embed(request, bundle_lake.settings)
    assert threading.active_count() == before
    (bundle_lake.folder / "images" / "pets" / "0.png").unlink()
    with pytest.raises(MissingObject):
        embed(request, bundle_lake.settings)
    assert threading.active_count() == before
