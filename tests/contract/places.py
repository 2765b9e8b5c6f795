"""The places that a contract suite runs over: a folder with SQLite, and S3 with Glue, served by moto on loopback."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.core.exceptions import JsonRESTError
from moto.glue.responses import GlueResponse
from moto.server import ThreadedMotoServer

from tests.doubles.aws import environment


@dataclass(frozen=True)
class LakePlace:
    uri: str
    catalog_uri: str


def folder_lake(tmp_path: Path) -> LakePlace:
    folder = tmp_path / "a lake #1 100% ü"
    folder.mkdir()
    return LakePlace(f"file://{folder}", f"sqlite:///{folder}/catalog.db")


def s3_lake(server: ThreadedMotoServer, monkeypatch: pytest.MonkeyPatch) -> LakePlace:
    host, port = server.get_host_and_port()
    bucket = f"lake-{uuid.uuid4()}"
    for name, value in environment(f"http://{host}:{port}").items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket=bucket)
    glue = boto3.client("glue")
    for database in glue.get_databases()["DatabaseList"]:
        glue.delete_database(Name=database["Name"])
    return LakePlace(f"s3://{bucket}", "glue")


def check_versions() -> Callable[[], None]:
    """Let moto's Glue refuse an update of an older version, as Glue does and moto does not. Returns how to undo it."""
    original = GlueResponse.update_table
    lock = threading.Lock()

    def update_table(self: GlueResponse) -> Any:
        name = self.parameters["TableInput"]["Name"]
        with lock:
            table = self.glue_backend.get_table(self.parameters["DatabaseName"], name)
            expected = self.parameters.get("VersionId")
            if expected is not None and expected != table.as_dict()["VersionId"]:
                raise JsonRESTError("ConcurrentModificationException", f"version {expected} is not the current one")
            return original(self)

    setattr(GlueResponse, "update_table", update_table)  # noqa: B010

    def undo() -> None:
        setattr(GlueResponse, "update_table", original)  # noqa: B010

    return undo
