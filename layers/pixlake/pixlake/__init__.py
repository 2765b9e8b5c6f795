"""Pixlake's runtime: the work of the state machine's functions, independent of Lambda and of any way of running them.

Decisions (names, matching, planning, keys) are pure functions; only `storage` and `iceberg` touch the outside.
`open` is for people's Python; the functions' containers never call it.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixlake.opened import OpenLake

__version__ = "0.1.0"


def open(where: str | os.PathLike[str], database: str = "pixlake") -> "OpenLake":
    """The lake in a folder, or at `s3://bucket` with its tables in Glue's `database`; see `OpenLake`.

    Raises BadRequest for any other place.
    """
    # Arrow and Iceberg take a second to import
    from pixlake.opened import open_lake

    return open_lake(where, database)
