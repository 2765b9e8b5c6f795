"""Which lake a command works on: a folder with its own catalog, or a bucket with Glue."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from pixlake.errors import BadRequest, MissingObject

F = TypeVar("F", bound=Callable[..., Any])

DATABASE = "pixlake"


@dataclass(frozen=True)
class Lake:
    """`uri` holds the objects, `catalog_uri` says which snapshot each table is at."""

    uri: str
    catalog_uri: str
    folder: Path | None

    @classmethod
    def at(cls, where: str) -> "Lake":
        """A folder by its path or `file://` URI, made absolute; or `s3://bucket`, with its tables in Glue."""
        if where.startswith("s3://"):
            return cls(where.rstrip("/"), f"glue://{DATABASE}", None)
        # resolved, since an object's URI takes no `..`
        folder = Path(where.removeprefix("file://")).expanduser().resolve()
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
            home = location.partition("/warehouse/")[0]
            if home != self.uri:
                raise BadRequest(f"{self.uri} was made at {home}, where its tables look for their files: move it back")
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


class LakeType(click.ParamType[Lake]):
    """Turns the text of `--lake` into a Lake."""

    name = "lake"

    def convert(self, value: str | Lake, param: click.Parameter | None, ctx: click.Context | None) -> Lake:
        if isinstance(value, Lake):
            return value
        scheme, separator, _ = value.partition("://")
        if not value or (separator and scheme not in ("s3", "file")):
            self.fail(f"{value!r} is neither a folder nor s3://bucket", param, ctx)
        return Lake.at(value)


def _make_option(required: bool) -> Callable[[F], F]:
    return click.option(
        "--lake",
        type=LakeType(),
        required=required,
        envvar="PIXLAKE_LAKE",
        show_envvar=True,
        metavar="DIR",
        help="The lake: a folder, or s3://bucket with its tables in Glue.",
    )


lake_option = _make_option(required=True)
"""The option `--lake`, the same for every command; the function gets a `lake: Lake`."""

lake_if_any = _make_option(required=False)
"""The same for a command that can do without; the function gets a `lake: Lake | None`."""


def tables_option(function: F) -> F:
    """The options `--lake` and `--database`, for a command that reads tables wherever they are; the function gets a
    `lake: Lake`."""

    @wraps(function)
    def with_tables(*args: Any, lake: Lake, database: str, **kwargs: Any) -> Any:
        return function(*args, lake=lake.in_database(database), **kwargs)

    option = click.option(
        "--database",
        default=DATABASE,
        show_default=True,
        envvar="PIXLAKE_DATABASE",
        show_envvar=True,
        metavar="NAME",
        help="The Glue database of a lake on S3: the stack's output Database.",
    )
    return cast("F", lake_option(option(with_tables)))
