from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pixlake.iceberg.keys import digest_rows, encode_keys, leading_value, rank_rows
from pixlake.schemas import PREDICTIONS, RECORDS, REJECTS

texts = st.text(st.sampled_from("\x00\x01\x02a~é\U0001f600"), max_size=4)
keys = st.tuples(st.none() | texts, st.none() | texts)


def predictions(some: list[Any]) -> pa.RecordBatch:
    columns = {"record_id": [first for first, _ in some], "image_path": [second for _, second in some]}
    return pa.RecordBatch.from_pydict(columns, schema=pa.schema([PREDICTIONS.columns.field(n) for n in columns]))


def order(key: tuple[str | None, ...]) -> tuple[tuple[bool, str], ...]:
    return tuple((value is not None, value or "") for value in key)


@given(st.lists(keys, min_size=2, max_size=2))
def test_encoded_keys_compare_as_the_keys_do(some: list[tuple[str | None, str | None]]) -> None:
    first, second = encode_keys(predictions(some), PREDICTIONS).to_pylist()
    assert (first < second) == (order(some[0]) < order(some[1]))
    assert (first == second) == (some[0] == some[1])


@given(keys)
def test_the_leading_value_is_decoded_from_a_key(key: tuple[str | None, str | None]) -> None:
    (encoded,) = encode_keys(predictions([key]), PREDICTIONS).to_pylist()
    assert leading_value(encoded, PREDICTIONS) == key[0]


@given(st.text())
def test_the_only_value_is_decoded_from_a_key(record_id: str) -> None:
    batch = pa.RecordBatch.from_pydict({"record_id": pa.array([record_id])})
    assert leading_value(encode_keys(batch, RECORDS)[0].as_py(), RECORDS) == record_id


def test_times_in_a_key_sort_as_times() -> None:
    times = [datetime(1960, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)]
    row = {"source": "a.jpg", "stage": "embed", "reason": "damaged"}
    schema = pa.schema([REJECTS.columns.field(name) for name in (*row, "uploaded_at")])
    batch = pa.RecordBatch.from_pylist([row | {"uploaded_at": time} for time in times], schema=schema)
    encoded = encode_keys(batch, REJECTS).to_pylist()
    assert encoded == sorted(encoded)
    assert len(set(encoded)) == 3


def test_a_prediction_with_the_image_outranks_any_time() -> None:
    early, late = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
    rows = [("tabular", late), ("image+tabular", early), ("image+tabular", late), ("image", late)]
    schema = pa.schema([PREDICTIONS.columns.field(name) for name in ("modality", "uploaded_at")])
    batch = pa.RecordBatch.from_pylist([{"modality": m, "uploaded_at": t} for m, t in rows], schema=schema)
    ranks = rank_rows(batch, PREDICTIONS)
    assert ranks[0] == ranks[3] < ranks[1] < ranks[2]


attributes = st.dictionaries(texts, st.none() | texts, max_size=3)


@given(attributes, attributes, st.randoms())
def test_rows_of_equal_content_have_equal_digests(first: Any, second: Any, random: Any) -> None:
    shuffled = list(first.items())
    random.shuffle(shuffled)
    maps = [list(second.items()), list(first.items()), shuffled, list(second.items())]
    column = pa.array(maps, RECORDS.columns.field("attributes").type)
    batch = pa.RecordBatch.from_arrays([column], ["attributes"]).slice(1)
    one, same, other = digest_rows(batch, RECORDS).tolist()
    assert one == same
    assert (one == other) == (first == second)
