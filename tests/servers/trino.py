"""Trino, the engine that Athena's is made from: one server on loopback, its tables those of a Glue and an S3.

It is fetched once, by Maven and its checksum, and unpacked outside of the project: 820 MB, of which the parts that
read Iceberg and Hive tables stay. 476 is the newest that Maven has as a server, and needs Java 24.

The session's catalog is Hive's, as Athena's own is Glue: an Iceberg table that it finds there is the Iceberg
connector's. It reads S3 and, for lakes in folders, the machine's files.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import numpy as np

from tests.servers.processes import CACHE, NotHere, free_port, serving

VERSION = "476"
SHA256 = "c9b38be4017ebd2f7095455aaac772fb40247ebecfd5accde17e8ebd251eeeb7"
MAVEN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
OLDEST_JAVA = 24
PLUGINS = ("hive", "iceberg")
PATIENCE = 180.0
Settings = Mapping[str, str]


class TrinoError(Exception):
    """A statement that Trino refused: its error's name, and the message."""


def find_java() -> Path:
    """The newest Java of the machine. NotHere where it is too old."""
    named = [Path(os.environ["JAVA_HOME"], "bin/java")] if os.environ.get("JAVA_HOME") else []
    found = shutil.which("java")
    places = [*named, *([Path(found)] if found else []), *Path("/usr/lib/jvm").glob("*/bin/java")]
    versions = {_version(place): place for place in places}
    newest = max(versions, default=0)
    if newest < OLDEST_JAVA:
        raise NotHere(f"Trino {VERSION} needs Java {OLDEST_JAVA}, and the newest here is {newest or 'none'}")
    return versions[newest]


def _version(java: Path) -> int:
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


def install() -> Path:
    """The unpacked server. NotHere without Maven, or where it does not bring it."""
    home = CACHE / f"trino-{VERSION}"
    if home.exists():
        return home
    draft = CACHE / f"trino-{VERSION}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    archive = _fetch(draft)
    # by tar, for the archive's links lead back and forth
    subprocess.run(["tar", "xzf", archive, "-C", draft, "--strip-components=1"], check=True)
    archive.unlink()
    for plugin in (draft / "plugin").iterdir():
        if plugin.name not in PLUGINS:
            shutil.rmtree(plugin)
    draft.rename(home)
    return home


def _fetch(folder: Path) -> Path:
    if shutil.which("mvn") is None:
        raise NotHere("there is no Maven, which brings Trino")
    command = ["mvn", "-B", "-q", MAVEN, f"-Dartifact=io.trino:trino-server:{VERSION}:tar.gz"]
    brought = subprocess.run(
        [*command, f"-DoutputDirectory={folder}"], capture_output=True, text=True, check=False, cwd=folder
    )
    archive = folder / f"trino-server-{VERSION}.tar.gz"
    if brought.returncode or not archive.exists():
        raise NotHere(f"Maven does not bring Trino {VERSION}: {brought.stdout[-500:]}")
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    assert found == SHA256, f"Trino {VERSION} has another checksum: {found}"
    return archive


@dataclass(frozen=True)
class Trino:
    """A running server."""

    url: str

    def run(self, sql: str, schema: str, catalog: str = "hive") -> list[tuple[Any, ...]]:
        """The rows of one statement, as Python's own values; TrinoError where it fails."""
        headers = {"X-Trino-User": "pixlake", "X-Trino-Catalog": catalog, "X-Trino-Schema": schema}
        headers |= {"X-Trino-Time-Zone": "UTC", "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME"}
        rows: list[tuple[Any, ...]] = []
        answer = _ask(Request(f"{self.url}/v1/statement", sql.encode(), headers, method="POST"))
        while True:
            if "error" in answer:
                raise TrinoError(f"{answer['error']['errorName']}: {answer['error']['message']}")
            kinds = [column["type"] for column in answer.get("columns", [])]
            for row in answer.get("data", []):
                rows.append(tuple(read_value(value, kind) for value, kind in zip(row, kinds, strict=True)))
            if "nextUri" not in answer:
                return rows
            answer = _ask(Request(answer["nextUri"], headers=headers))


def _ask(request: Request) -> dict[str, Any]:
    with urlopen(request, timeout=PATIENCE) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def read_value(value: Any, kind: str) -> Any:
    """A value of Trino's JSON, as DuckDB hands out the same."""
    if value is None or kind in ("boolean", "bigint", "integer") or kind.startswith("varchar"):
        return value
    if kind in ("double", "real"):
        return float(np.float32(value) if kind == "real" else value)
    if kind.startswith("decimal"):
        return Decimal(value)
    if kind == "date":
        return date.fromisoformat(value)
    if kind.startswith("timestamp"):
        return datetime.fromisoformat(value.removesuffix(" UTC")).replace(tzinfo=UTC)
    if found := re.fullmatch(r"array\((.+)\)", kind):
        return [read_value(each, found[1]) for each in value]
    if found := re.fullmatch(r"map\(varchar(?:\(\d+\))?, ?(.+)\)", kind):
        return {key: read_value(each, found[1]) for key, each in value.items()}
    raise AssertionError(f"a value of {kind}")


@contextmanager
def open_trino(folder: Path, glue: str, s3: str) -> Iterator[Trino]:
    """The server for the length of the block, with these endpoints; settings, data and log in `folder`."""
    java, home, port = find_java(), install(), free_port()
    _configure(folder, port, glue, s3)
    command = [str(java), "-Xmx1536m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
    command += ["-Djdk.attach.allowAttachSelf=true", "-Dfile.encoding=UTF-8", "--add-modules=jdk.incubator.vector"]
    command += ["--enable-native-access=ALL-UNNAMED", "-Duser.timezone=UTC", "-XX:+EnableDynamicAgentLoading"]
    command += [f"-Dconfig={folder}/config.properties", f"-Dlog.levels-file={folder}/log.properties"]
    command += [f"-Dnode.data-dir={folder}/data", "-Dnode.environment=test", f"-Dplugin.dir={home}/plugin"]
    command += ["-cp", f"{home}/lib/*", "io.trino.server.TrinoServer"]
    with serving(command, port, folder / "trino.log", {}):
        url = f"http://127.0.0.1:{port}"
        _wait_until_started(url)
        yield Trino(url)


def _wait_until_started(url: str) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with suppress(URLError, ConnectionError):
            if not _ask(Request(f"{url}/v1/info"))["starting"]:
                return
        time.sleep(0.2)
    raise AssertionError("Trino does not start")


def _configure(folder: Path, port: int, glue: str, s3: str) -> None:
    server = {
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "http-server.http.port": str(port),
        "node.bind-ip": "127.0.0.1",
        "node.internal-address": "127.0.0.1",
        "discovery.uri": f"http://127.0.0.1:{port}",
        "catalog.config-dir": f"{folder}/catalog",
        "query.max-memory-per-node": "400MB",
        "memory.heap-headroom-per-node": "300MB",
    }
    store = {
        "hive.metastore.glue.endpoint-url": glue,
        "hive.metastore.glue.region": "us-east-1",
        "hive.metastore.glue.aws-access-key": "testing",
        "hive.metastore.glue.aws-secret-key": "testing",
        "fs.hadoop.enabled": "true",
        "fs.native-s3.enabled": "true",
        "s3.endpoint": s3,
        "s3.region": "us-east-1",
        "s3.path-style-access": "true",
        "s3.aws-access-key": "testing",
        "s3.aws-secret-key": "testing",
    }
    hive = {"connector.name": "hive", "hive.metastore": "glue", "hive.iceberg-catalog-name": "iceberg"}
    hive |= {"hive.partition-projection-enabled": "true", "hive.non-managed-table-writes-enabled": "true"}
    iceberg = {"connector.name": "iceberg", "iceberg.catalog.type": "glue", "iceberg.hive-catalog-name": "hive"}
    written = {"config": server, "log": {"io.trino": "WARN"}, "catalog/hive": hive | store}
    for name, settings in (written | {"catalog/iceberg": iceberg | store}).items():
        file = folder / f"{name}.properties"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
