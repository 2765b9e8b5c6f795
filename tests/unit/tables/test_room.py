"""What tables may take of memory."""

import pyarrow as pa
import pytest

from pixlake.errors import BadTable
from pixlake.tables.room import Room


def test_the_arrays_of_a_wide_batch_take_room_whatever_is_in_them() -> None:
    room = Room(limit=1_000_000)
    batch = pa.RecordBatch.from_pydict({f"c{column}": pa.array([""], pa.string()) for column in range(1_000)})
    room.take_batch("a.csv", batch)
    with pytest.raises(BadTable, match="the tables take more than 1,000,000 bytes"):
        room.take_batch("a.csv", batch)
