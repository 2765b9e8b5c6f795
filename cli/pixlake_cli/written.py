"""Files that a command writes for a person to look at."""

import webbrowser
from pathlib import Path

import click

from pixlake.errors import BadRequest


def write_text(path: Path, text: str) -> None:
    """Write a page; BadRequest where that cannot be."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a picture; BadRequest where that cannot be."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise BadRequest(f"cannot write {path}: {error.strerror}") from error


def open_file(path: Path) -> None:
    """Show it in the platform's viewer; say so where there is none."""
    if not webbrowser.open(path.resolve().as_uri()):
        click.echo(f"there is no program to open {path} with", err=True)
