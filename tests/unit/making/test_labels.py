"""The file of labels, as people write it."""

from pathlib import Path

import pytest

from pixlake.errors import BadRequest
from pixlake_models.exporting.labels import Label, name_apart, read_labels


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("kinds.txt", "cat\ndog\n", [("cat", ["cat"]), ("dog", ["dog"])]),
        (
            "kinds.txt",
            "\ufeff cat \r\n\r\nwolf, dog",
            [("cat", ["cat"]), ("wolf, dog", ["wolf, dog"])],
        ),
        ("kinds", "猫\n犬", [("猫", ["猫"]), ("犬", ["犬"])]),
        ("kinds.json", '["cat", "dog"]', [("cat", ["cat"]), ("dog", ["dog"])]),
        ("kinds.JSON", '{"Katze": "cat", "b": ["dog", "wolf"]}', [("Katze", ["cat"]), ("b", ["dog", "wolf"])]),
    ],
)
def test_labels_are_read_in_order(tmp_path: Path, name: str, content: str, found: list[tuple[str, list[str]]]) -> None:
    (tmp_path / name).write_bytes(content.encode())
    assert read_labels(tmp_path / name) == [Label(label, tuple(texts)) for label, texts in found]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"cat\ndog\ncat", r"labels repeat: \['cat'\]"),
        ("a.txt", b"cat", "two labels or more, here is 1"),
        ("a.txt", b"", "here is 0"),
        ("a.txt", "Bär\nDachs".encode("latin-1"), "a label a line"),
        ("a.json", b"{", "a.json: .*a list of labels"),
        ("a.json", b'{"cat": []}', "length >= 1"),
        ("a.json", b'{"cat": "", "dog": "x"}', "length >= 1"),
        ("a.json", b'{"cat": 1, "dog": 2}', "got `int`"),
        ("a.json", b'["cat", "cat"]', "labels repeat"),
    ],
)
def test_a_malformed_file_of_labels_is_refused(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadRequest, match=reason):
        read_labels(tmp_path / name)


def test_repeated_names_get_their_place_or_id() -> None:
    assert name_apart(["crane", "tench", "crane"]) == ["crane (0)", "tench", "crane (2)"]
    assert name_apart(["a", "b"]) == ["a", "b"]
    assert name_apart(["crane", "tench", "crane"], ["n02", "n01", "n03"]) == ["crane (n02)", "tench", "crane (n03)"]


def test_a_name_made_unique_equals_no_other() -> None:
    assert len(set(name_apart(["crane", "crane (0)", "crane"]))) == 3
