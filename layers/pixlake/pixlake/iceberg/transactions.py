"""pyiceberg's transaction, without its copies of a table's metadata.

It copies all of that, each snapshot of it, whenever somebody asks: some twenty times a commit, and again for manifests.
A table holds a snapshot for each commit of some days, so that became most of what a commit costs.
"""

from pyiceberg.table import Table, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.update import TableUpdate


def begin(table: Table) -> Transaction:
    """A transaction of the table, as `table.transaction()`."""
    return _Transaction(table)


class _Transaction(Transaction):
    """Metadata with updates is made once; neither ever changes, another is put in its place."""

    _made: tuple[TableMetadata, tuple[TableUpdate, ...], TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        base, updates = self._table.metadata, self._updates
        made = self._made
        if made is None or made[0] is not base or made[1] is not updates:
            made = self._made = base, updates, super().table_metadata
        return made[2]
