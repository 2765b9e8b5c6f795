"""Glue by moto, which refuses an update of an older version, as Glue does."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer

from tests.contract.places import check_versions


@contextmanager
def open_glue() -> Iterator[str]:
    """Its address; S3 is there, too."""
    undo = check_versions()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()
        undo()
