"""An S3 server that is nobody's double: versitygw over a folder, built once by Go, at a pinned version."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3

from tests.doubles.aws import environment
from tests.servers.processes import CACHE, NotHere, free_port, serving

VERSION = "v1.8.0"
MODULE = "github.com/versity/versitygw/cmd/versitygw"


def build() -> Path:
    """The program, some minutes the first time. NotHere without Go, or where Go cannot build it."""
    program = CACHE / f"versitygw-{VERSION}" / "versitygw"
    if program.exists():
        return program
    if shutil.which("go") is None:
        raise NotHere("there is no Go, which builds the S3 server")
    draft = program.with_name("draft")
    command = ["go", "install", "-trimpath", f"{MODULE}@{VERSION}"]
    built = subprocess.run(command, env=_go(draft), capture_output=True, text=True, check=False)
    if built.returncode:
        raise NotHere(f"go install {MODULE}@{VERSION} failed: {built.stderr[-500:]}")
    (draft / "versitygw").rename(program)
    return program


def _go(target: Path) -> dict[str, str]:
    return {**os.environ, "GOBIN": str(target), "CGO_ENABLED": "0", "GOFLAGS": "-p=2", "GOTOOLCHAIN": "local"}


@contextmanager
def open_s3(folder: Path) -> Iterator[dict[str, str]]:
    """The server for the length of the block, its objects and log in `folder`; the variables by which a process
    reaches it."""
    program = build()
    port = free_port()
    objects, versions = folder / "objects", folder / "versions"
    for each in (objects, versions):
        each.mkdir(parents=True)
    command = [str(program), "--quiet", "--keep-alive", "--port", f"127.0.0.1:{port}"]
    command += ["--access", "testing", "--secret", "testing", "posix", "--versioning-dir", str(versions), str(objects)]
    with serving(command, port, folder / "s3.log", {}):
        yield environment(f"http://127.0.0.1:{port}")


def make_bucket(name: str, versioned: bool = False) -> None:
    """In the server that the process's variables name."""
    client = boto3.client("s3")
    client.create_bucket(Bucket=name)
    if versioned:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
