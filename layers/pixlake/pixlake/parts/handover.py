"""The state Compact where Athena merges: decisions that only Pixlake can make, and SQL statements for the rest.

The parts stay where the workers wrote them, and the execution's rejects are written beside them as Parquet. The state
machine runs the statements in the answer (`statemachine/compact_athena.asl.yaml`). A rerun gives the same.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import starmap

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io import FileIO

from pixlake import parquet
from pixlake.iceberg.merge import index_keys
from pixlake.iceberg.statements import write_agreeing, write_statements, write_withdrawal
from pixlake.lake import Work
from pixlake.messages import CompactAnswer, Run, TableStatements
from pixlake.parts.rejected import ExecutionRejects
from pixlake.parts.withdrawn import find_withdrawn
from pixlake.schemas import EMBEDDINGS, LINKS, PREDICTIONS, RECORDS, REJECTS
from pixlake.settings import CompactSettings

MERGED = {schema.name: schema for schema in (LINKS, RECORDS, EMBEDDINGS, PREDICTIONS, REJECTS)}
"""The tables that Athena merges, by name. Report commits the one row of `executions` when all else is done."""
_READERS = 16


def hand_over(
    execution: ExecutionRejects, parts: dict[str, list[str]], io: FileIO, settings: CompactSettings
) -> CompactAnswer:
    """Write the rejects as Parquet; answer the totals, counted in the parts, and the statements."""
    work, request = execution.work, execution.request
    rejected = execution.sources(parts[REJECTS.name], io)
    answer = CompactAnswer(
        images=request.split.images,
        embedded=_count_rows(parts[EMBEDDINGS.name], io),
        predicted=_count_rows(parts[PREDICTIONS.name], io),
        records=_count_rows(parts[RECORDS.name], io),
        rejected=len(index_keys(rejected, REJECTS).order()),
        lost_batches=len(execution.lost),
    )
    batches = [batch for source in rejected for batch in source.batches(REJECTS.columns.names)]
    merged = work.merged_rejects
    parquet.write_part(merged, REJECTS, pa.Table.from_batches(batches, REJECTS.columns))
    folders = {name: f"parts/{name}" for name in MERGED}
    folders[REJECTS.name] = _folder(work, merged)
    folders[LINKS.name] = folders[RECORDS.name]
    statements = list_statements(request.run, settings.lake_uri, folders)
    withdrawn = find_withdrawn(request, settings.lake_uri, rejected, io)
    if withdrawn.num_rows:
        parquet.write_part(work.withdrawn_rejects, REJECTS, withdrawn)
        folder = _folder(work, work.withdrawn_rejects)
        statements = (*statements, write_withdrawal(REJECTS, request.run, settings.lake_uri, folder))
    return msgspec.structs.replace(answer, statements=statements)


def _folder(work: Work, uri: str) -> str:
    """The folder of a file, below the execution's."""
    return uri.removeprefix(f"{work.uri}/").rpartition("/")[0]


def list_statements(run: Run, lake: str, folders: Mapping[str, str]) -> tuple[TableStatements, ...]:
    """The statements in the order in which they run, from the folder of each table's parts.

    The tables are made to agree after all are merged: of two concurrent uploads, the later one then finds the links of
    both.
    """
    given = [(schema, run, lake, folders[name]) for name, schema in MERGED.items()]
    return (*starmap(write_statements, given), *filter(None, starmap(write_agreeing, given)))


def _count_rows(parts: Sequence[str], io: FileIO) -> int:
    """The rows of all parts, by their footers; Split cuts batches so that no two parts share a key."""

    def count(uri: str) -> int:
        with io.new_input(uri).open() as file:
            return int(pq.read_metadata(file).num_rows)

    with ThreadPoolExecutor(_READERS) as pool:
        return sum(pool.map(count, parts))
