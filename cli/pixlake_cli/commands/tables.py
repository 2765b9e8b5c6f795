"""`pixlake tables`: what is in the tables of a lake, from their metadata alone."""

import json
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from pixlake.errors import MissingObject
from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import tables_option

if TYPE_CHECKING:
    from pyiceberg.table import Table


_WIDTH = 80  # characters, at which the columns' names are folded


@dataclass(frozen=True)
class TableState:
    """A table at its current snapshot. `bytes` counts the data files of just that one; `committed_at` is ISO 8601."""

    name: str
    rows: int
    files: int
    bytes: int
    snapshots: int
    committed_at: str | None
    columns: dict[str, str]


@click.command()
@tables_option
@click.option("--json", "as_json", is_flag=True, help="Print an array of objects, with the columns and their types.")
@click.option("--register", is_flag=True, help="First point a catalog that lost its tables to their newest metadata.")
@click.option("--move", is_flag=True, help="First let the tables of a lake that was moved or copied lead here.")
def tables(lake: Lake, as_json: bool, register: bool, move: bool) -> None:
    """Show each table's rows, files, bytes, snapshots, last commit and columns.

    With --register the newest metadata of each table in the warehouse is registered in a catalog that does not have the
    table, or has it without a snapshot: after a lost catalog.db, a deleted stack, a table dropped by mistake.
    A table that has rows stays as it is.

    With --move a lake opens where it is now, after its folder was moved, or its bucket copied to another: the paths in
    the tables' metadata are written anew, with all snapshots, and the URIs of images in the rows. Nothing may write to
    the lake meanwhile. Cut short it is finished by the same command again. Executions of before cannot be retried.

    \b
      pixlake tables --lake lake
      pixlake tables --lake lake --json
      pixlake tables --lake lake --register
      mv lake elsewhere; pixlake tables --lake elsewhere --move
    """
    if move:
        _move(lake)
    if register:
        _register(lake)
    states = read_states(lake.existing())
    if as_json:
        click.echo(json.dumps([asdict(state) for state in states], indent=1))
    else:
        _print(states)


def _register(lake: Lake) -> None:
    from pixlake.iceberg.recovery import register_tables

    if lake.folder is not None and not (lake.folder / "warehouse").is_dir():
        raise MissingObject(f"{lake.folder} holds no tables: it has no folder warehouse")
    for found in register_tables(lake.uri, lake.catalog_uri):
        if found.registered:
            click.echo(f"registered {found.table}: {found.metadata}", err=True)


def _move(lake: Lake) -> None:
    from pixlake.iceberg.moving import move_tables

    if lake.folder is not None and not (lake.folder / "catalog.db").is_file():
        raise MissingObject(f"{lake.folder} holds no lake: it has no file catalog.db")
    for found in move_tables(lake.uri, lake.catalog_uri):
        click.echo(f"moved {found.table} from {found.home}", err=True)


def read_states(lake: Lake) -> list[TableState]:
    """All tables, in the order in which data flows into them."""
    from pixlake.iceberg.catalog import load_table, open_catalog
    from pixlake.schemas import TABLES

    catalog = open_catalog(lake.uri, lake.catalog_uri)
    return [_state(name, load_table(catalog, name)) for name in TABLES]


def _state(name: str, table: "Table") -> TableState:
    snapshot = table.current_snapshot()
    summary = snapshot.summary if snapshot else None
    total = {what: int((summary and summary[f"total-{what}"]) or 0) for what in ("records", "data-files", "files-size")}
    committed = datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC) if snapshot else None
    return TableState(
        name,
        rows=total["records"],
        files=total["data-files"],
        bytes=total["files-size"],
        snapshots=len(table.snapshots()),
        committed_at=committed.isoformat(timespec="seconds") if committed else None,
        columns={field.name: str(field.field_type) for field in table.schema().fields},
    )


def _print(states: list[TableState]) -> None:
    from rich import box
    from rich.table import Table as Grid

    from pixlake.report.words import describe_size
    from pixlake_cli.output import make_console

    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("table", "rows", "files", "bytes", "snapshots", "last commit"):
        grid.add_column(heading, justify="right" if heading in ("rows", "files", "bytes", "snapshots") else "left")
    for state in states:
        counts = (f"{state.rows:,}", f"{state.files:,}", describe_size(state.bytes), f"{state.snapshots:,}")
        grid.add_row(state.name, *counts, (state.committed_at or "never").replace("+00:00", "Z"))
    columns = Grid("table", "columns", box=box.SIMPLE_HEAD, pad_edge=False, width=_WIDTH)
    for state in states:
        columns.add_row(state.name, ", ".join(state.columns))
    console = make_console(sys.stdout)
    console.print(grid)
    console.print(columns)
