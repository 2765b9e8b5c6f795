"""A lake by its address: a folder with its own catalog, or a bucket with its tables in Glue."""

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from pixlake.errors import BadRequest, MissingObject
from pixlake.lake import find_home

DATABASE = "pixlake"
"""The default database in Glue, and the only one in a folder's catalog."""


@dataclass(frozen=True)
class Lake:
    """`uri` holds the objects, `catalog_uri` says which snapshot each table is at."""

    uri: str
    catalog_uri: str
    folder: Path | None

    @classmethod
    def at(cls, where: str) -> "Lake":
        """A folder by its path or `file://` URI, made absolute; or `s3://bucket`, with its tables in Glue.

        Raises BadRequest for an empty text, for any other scheme, and for a path with control characters.
        """
        scheme, separator, _ = where.partition("://")
        if not where or (separator and scheme not in ("s3", "file")):
            raise BadRequest(f"the lake {where!r} is neither a folder nor s3://bucket")
        if where.startswith("s3://"):
            return cls(where.rstrip("/"), f"glue://{DATABASE}", None)
        # resolved, since an object's URI takes no `..`
        folder = Path(where.removeprefix("file://")).expanduser().resolve()
        if re.search(r"[\x00-\x1f\x7f]", str(folder)):
            raise BadRequest(f"the lake's path {str(folder)!r} has a line end or another control character; rename it")
        return cls(f"file://{folder}", f"sqlite:///{folder}/catalog.db", folder)

    def in_database(self, database: str) -> "Lake":
        """This lake with its tables in another database of Glue; a folder has its own catalog, and stays as it is."""
        return self if self.folder is not None else replace(self, catalog_uri=f"glue://{database}")

    def existing(self) -> "Lake":
        """This lake; MissingObject if nothing was ever put into it."""
        if self.folder is not None and not (self.folder / "catalog.db").is_file():
            raise MissingObject(f"{self.folder} holds no lake yet: `pixlake run UPLOAD --lake {self.folder}` makes one")
        if self.folder is None:
            # Arrow and Iceberg take a second to import
            from pixlake.iceberg.catalog import has_tables

            if not has_tables(self.catalog_uri):
                raise MissingObject(f"{self.catalog_uri} holds no tables: is it the stack's output Database?")
        return self.require_not_moved()

    def require_not_moved(self) -> "Lake":
        """This lake; BadRequest if it was moved or copied here, for its tables would lead to the files there."""
        for (location,) in self._locations():
            home = find_home(location)
            if home != self.uri:
                raise BadRequest(
                    f"{self.uri} was made at {home}, where its tables look for their files:"
                    f" `pixlake tables --move --lake {self.folder}` lets them look here"
                )
        return self

    def _locations(self) -> list[tuple[str]]:
        if self.folder is None or not (self.folder / "catalog.db").is_file():
            return []
        try:
            with closing(sqlite3.connect(self.folder / "catalog.db")) as catalog:
                return catalog.execute("SELECT metadata_location FROM iceberg_tables LIMIT 1").fetchall()
        except sqlite3.Error:
            # said better by whoever opens the tables
            return []
