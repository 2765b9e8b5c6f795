"""Several texts in one sequence: what is cut, what is laid between, and which segment a token has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixlake.bundles.manifest import TokenSequence
from pixlake.inference.sequences import join_tokens, share_room

COLUMNS = ("a", "b", "c")


@pytest.mark.parametrize(
    ("lengths", "room", "shares"),
    [
        ([3, 4], 10, [3, 4]),
        ([3, 4], 7, [3, 4]),
        ([3, 40], 10, [3, 7]),
        ([40, 3], 10, [7, 3]),
        ([40, 40], 11, [6, 5]),
        ([1, 40, 40], 10, [1, 5, 4]),
        ([40, 1, 40], 10, [5, 1, 4]),
        ([0, 0, 9], 4, [0, 0, 4]),
        ([5, 5, 5], 2, [1, 1, 0]),
        ([5, 5], 0, [0, 0]),
        ([], 4, []),
    ],
)
def test_the_longest_are_cut_first(lengths: list[int], room: int, shares: list[int]) -> None:
    assert share_room(lengths, room) == shares


@given(st.lists(st.integers(0, 30), max_size=5), st.integers(0, 60))
def test_tokens_are_shared_out_as_if_dealt_one_by_one(lengths: list[int], room: int) -> None:
    shares = [0] * len(lengths)
    while room and any(share < length for share, length in zip(shares, lengths, strict=True)):
        for index, length in enumerate(lengths):
            if room and shares[index] < length:
                shares[index], room = shares[index] + 1, room - 1
    assert share_room(lengths, sum(shares)) == shares


def test_each_text_ends_with_the_end_token() -> None:
    sequence = TokenSequence(COLUMNS, end=9, start=8, segments=2)
    assert join_tokens([[1], [], [2, 3]], sequence, 20) == ([8, 1, 9, 9, 2, 3, 9], [0, 0, 0, 1, 0, 0, 0])


def test_one_end_token_ends_the_whole_sequence() -> None:
    sequence = TokenSequence(COLUMNS, end=9, start=8, separate=False, segments=4)
    assert join_tokens([[1], [2], [3, 3]], sequence, 20) == ([8, 1, 2, 3, 3, 9], [0, 0, 1, 2, 2, 3])
    assert join_tokens([[1], [2], [3, 9]], sequence, 20) == ([8, 1, 2, 3, 9], [0, 0, 1, 2, 2])


def test_a_sequence_may_have_no_start_token() -> None:
    assert join_tokens([[1], [2, 2, 2]], TokenSequence(("a", "b"), end=9), 5) == ([1, 9, 2, 2, 9], [0, 0, 0, 0, 0])
    assert join_tokens([[], []], TokenSequence(("a", "b"), end=9, separate=False), 5) == ([9], [0])


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=12), min_size=3, max_size=3),
    st.booleans(),
    st.sampled_from([None, 8]),
    st.integers(5, 30),
)
def test_no_sequence_is_too_long(texts: list[list[int]], separate: bool, start: int | None, length: int) -> None:
    sequence = TokenSequence(COLUMNS, end=9, start=start, separate=separate, segments=3)
    tokens, segments = join_tokens(texts, sequence, length)
    assert len(tokens) == len(segments) <= length
    assert tokens[-1] == 9
    assert set(segments) <= {0, 1, 2}
