"""What goes over the socket of a process that reads Parquet, beside what `confined.wire` has."""

JOB = "=I"
"""Before a job: the bytes of its description, in JSON."""

BYTES_WANTED, NAMES, BATCH, DONE, REJECT = b"w", b"n", b"b", b"d", b"r"
"""Kinds of answers: `[offset, length]` of the file is wanted, and sent as it is; the columns' names; some rows; all
rows were sent; the table cannot be read, and why.

The text of a batch has its number of rows, good and bad; for each column the bytes of its validity, its offsets and its
text, which are the data, each filled up to ALIGNMENT; and of each bad row its place in the batch, a reason and a
sentence. Bad rows are in no column.
"""

BATCH_ROWS = 50_000
LONGEST_TEXT = 32 << 20
"""Of a batch: its bad rows have sentences."""
ALIGNMENT = 8
