"""`pixlake serve`: search and classification over HTTP, and a page to look at."""

import ipaddress
import socket
from functools import partial
from typing import TYPE_CHECKING

import click

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake_cli.lakes import tables_option

if TYPE_CHECKING:
    from collections.abc import Collection

# of the condition of one search
_CONDITION_MEMORY, _CONDITION_SECONDS = 1 << 30, 60.0


@click.command()
@tables_option
@click.option("--port", type=click.IntRange(0, 65_535), default=8_000, show_default=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address to listen at.")
def serve(lake: Lake, port: int, host: str) -> None:
    """Serve the lake's search and classifiers over HTTP, with a page to look at; nothing is written.

    GET / is the page, POST /search, /classify and /embed take an image, GET /openapi.json describes all; docs/api.md
    has examples. Nobody is asked who they are, so it listens at the loopback address unless --host says otherwise.

    \b
    pixlake serve --lake lake
    pixlake serve --lake s3://bucket --database pixlake --port 8080
    """
    import uvicorn

    from pixlake.api.app import make_app
    from pixlake.api.views import make_views
    from pixlake.sql.images import choose_images
    from pixlake.sql.limited import Limits
    from pixlake_cli.connections import configure

    limits = Limits(_CONDITION_MEMORY, _CONDITION_SECONDS)
    choose = partial(choose_images, limits=limits)
    app = make_app(lake.existing(), hosts=_names(host), choose=choose, more=make_views)
    listening = _listen(host, port)
    address = f"[{host}]" if ":" in host else host
    click.echo(f"http://{address}:{listening.getsockname()[1]}/ serves {lake.uri}; Ctrl-C ends it", err=True)
    try:
        uvicorn.Server(configure(app)).run(sockets=[listening])
    except KeyboardInterrupt:
        click.echo("ended", err=True)


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens already, so that nobody who reads the address comes too soon."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise BadRequest(f"cannot listen at {host}, port {port}: {error.strerror or error}; try --port 0") from error


def _names(host: str) -> "Collection[str]":
    """The names that requests may give the server: any where others than this machine shall reach it."""
    from pixlake.api.guard import LOOPBACK

    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    return LOOPBACK | {host} if is_loopback else frozenset()
