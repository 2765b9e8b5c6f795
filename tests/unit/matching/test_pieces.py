"""What is done piece by piece gives what Arrow gives of the whole."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixlake.matching import pieces
from pixlake.matching.names import find

TEXTS = st.lists(st.none() | st.text("ab \t\x0b\x1f\u3000é", max_size=4), max_size=20)


@given(TEXTS, st.integers(1, 7))
def test_distinct_values_are_counted_in_pieces_as_at_once(texts: list[str | None], rows: int) -> None:
    column = pa.chunked_array([pa.array(texts, pa.string())])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "_HASHED_ROWS", 0)
        patch.setattr(pieces, "_PIECE_ROWS", rows)
        assert pieces.count_distinct(column) == len({each for each in texts if each is not None})
        assert pa.concat_arrays([pa.array([], pa.string()), *pieces.pieces(column)]).to_pylist() == texts


@given(TEXTS)
def test_texts_are_trimmed_as_arrow_does(texts: list[str | None]) -> None:
    column = pa.array(texts, pa.string())
    assert pieces.trim(column).equals(pc.utf8_trim_whitespace(column))


def test_texts_without_white_space_are_not_copied() -> None:
    column = pa.array(["a", None, "b c"])
    assert pieces.trim(column) is column
    assert pieces.whole(pa.chunked_array([column])).buffers()[2].address == column.buffers()[2].address


@given(TEXTS, st.sets(st.text("ab é", max_size=3)))
def test_values_are_found_where_they_are_among_the_keys(texts: list[str | None], keys: set[str]) -> None:
    listed = sorted(keys)
    places = [listed.index(each) if each in keys else -1 for each in texts]
    assert find(pa.array(texts, pa.string()), pa.array(listed, pa.string())).tolist() == places
