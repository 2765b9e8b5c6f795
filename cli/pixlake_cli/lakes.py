"""Which lake a command works on: a folder with its own catalog, or a bucket with Glue."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from pixlake.errors import BadRequest, MissingObject

F = TypeVar("F", bound=Callable[..., Any])

GLUE = "glue"


@dataclass(frozen=True)
class Lake:
    """`uri` holds the objects, `catalog_uri` says which snapshot each table is at."""

    uri: str
    catalog_uri: str
    folder: Path | None

    @classmethod
    def at(cls, where: str) -> "Lake":
        """A folder by its path or `file://` URI, made absolute; or `s3://bucket`."""
        if where.startswith("s3://"):
            return cls(where.rstrip("/"), GLUE, None)
        # resolved, since an object's URI takes no `..`
        folder = Path(where.removeprefix("file://")).expanduser().resolve()
        return cls(f"file://{folder}", f"sqlite:///{folder}/catalog.db", folder)

    def existing(self) -> "Lake":
        """This lake; MissingObject if nothing was ever put into it."""
        if self.folder is not None and not (self.folder / "catalog.db").is_file():
            raise MissingObject(f"{self.folder} holds no lake yet: `pixlake run UPLOAD --lake {self.folder}` makes one")
        return self.at_home()

    def at_home(self) -> "Lake":
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
