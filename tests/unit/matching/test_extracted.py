"""The lists of Extract are read whole, or it is an error."""

from pathlib import Path

import pytest

from pixlake.errors import MissingObject, StorageError
from pixlake.matching.extracted import read_images
from tests.builders.split_inputs import Upload


def test_images_are_sorted_by_the_bytes_of_their_paths(upload: Upload) -> None:
    upload.put_images([{"b.jpg": 2, "\U0001f600.jpg": 5}, {"a.jpg": 1, "\uffee.jpg": 4, "é.jpg": 3}])
    images = read_images(upload.work, 2)
    assert images["image_path"].to_pylist() == ["a.jpg", "b.jpg", "é.jpg", "\uffee.jpg", "\U0001f600.jpg"]
    assert images["size"].to_pylist() == [1, 2, 3, 4, 5]
    assert images["image_uri"].to_pylist()[0] == f"{upload.lake}/images/a.jpg"


def test_a_shard_of_many_images_is_read_in_order(upload: Upload) -> None:
    upload.put_images([{f"{n:03}.jpg": n} for n in range(100)])
    assert read_images(upload.work, 100)["size"].to_pylist() == list(range(100))


def test_without_shards_there_are_no_images(upload: Upload) -> None:
    assert read_images(upload.work, 0).num_rows == 0


def test_empty_shards_are_read(upload: Upload) -> None:
    upload.put_images([{}, {"a.jpg": 1}, {}])
    assert read_images(upload.work, 3).num_rows == 1


def test_a_missing_shard_is_named_in_the_error(upload: Upload) -> None:
    upload.put_images([{"a.jpg": 1}])
    with pytest.raises(MissingObject, match="000001"):
        read_images(upload.work, 2)


@pytest.mark.parametrize("data", ['{"image_path": "a.jpg"}\n', '{"image_path": "a.j', "\xff"])
def test_a_damaged_list_of_images_is_a_storage_error(upload: Upload, data: str) -> None:
    upload.put_images([{"a.jpg": 1}])
    Path(upload.work.extracted(0).removeprefix("file://")).write_bytes(data.encode("latin-1"))
    with pytest.raises(StorageError, match="000000"):
        read_images(upload.work, 1)
