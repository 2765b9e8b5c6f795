"""A real S3 and MiniStack's Glue for `chaos`, and a proxy before each that spoils requests."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import boto3

from benchmarks.chaos_checks import LAKE
from benchmarks.chaos_uploads import Upload
from pixlake import storage
from pixlake.iceberg.lakes import DATABASE
from tests.builders.model_lakes import make_lake
from tests.engines.stacks import ministack, put_models
from tests.servers.faults import CONFLICT, FAULTS, Faults, faulty
from tests.servers.processes import free_port
from tests.servers.real_s3 import make_bucket, open_s3

UPLOADS = "s3://chaos-uploads/uploads"
_VARIABLES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_GLUE")


class Servers:
    """Both, for the length of a `with` block. This process's variables lead to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.objects = folder / "s3" / "objects"
        self._opened = ExitStack()
        self._faults: dict[str, Faults] = {}

    def __enter__(self) -> Self:
        for name in ("s3", "glue"):
            (self.folder / name).mkdir()
        reached = self._opened.enter_context(open_s3(self.folder / "s3"))
        port = free_port()
        self._opened.enter_context(ministack(self.folder / "glue", port, "http://127.0.0.1:9"))
        os.environ.update(reached)
        self._direct = (int(reached["AWS_ENDPOINT_URL"].rpartition(":")[2]), port)
        self._reach(self._direct)
        return self

    def __exit__(self, *exception: object) -> None:
        self._opened.close()

    def prepare(self, uploads: Sequence[Upload]) -> None:
        """Database, buckets, models and uploads."""
        boto3.client("glue").create_database(DatabaseInput={"Name": DATABASE})
        for uri in (LAKE.uri, UPLOADS):
            make_bucket(uri.removeprefix("s3://").partition("/")[0], versioned=True)
        models = make_lake(self.folder / "models").folder
        assert models
        put_models(models / "models", LAKE)
        for upload in uploads:
            storage.write(f"{UPLOADS}/{upload.name}", upload.write(self.folder).read_bytes())

    def spoil(self, rate: float, stall_seconds: float, seed: int) -> None:
        """From now on the variables lead to proxies that spoil requests at this rate."""
        of_catalog = [*FAULTS, *[CONFLICT] * len(FAULTS)]
        self._faults = {
            "store": Faults(rate, FAULTS, stall_seconds, seed=seed),
            "catalog": Faults(rate, of_catalog, stall_seconds, seed=seed + 1),
        }
        pairs = zip(self._direct, self._faults.values(), strict=True)
        s3, glue = [self._opened.enter_context(faulty(port, faults)) for port, faults in pairs]
        self._reach((s3, glue))

    @contextmanager
    def as_they_are(self) -> Iterator[None]:
        """Nothing is spoiled for this process, in the block."""
        before = {name: os.environ[name] for name in _VARIABLES}
        self._reach(self._direct)
        yield
        os.environ.update(before)
        storage._bucket.cache_clear()

    def _reach(self, ports: tuple[int, int]) -> None:
        for name, port in zip(_VARIABLES, ports, strict=True):
            os.environ[name] = f"http://127.0.0.1:{port}"
        # a store is kept for the life of a process
        storage._bucket.cache_clear()

    def figures(self) -> dict[str, int]:
        found = {}
        for name, faults in self._faults.items():
            found[f"requests to the {name}"] = faults.asked
            found |= {f"{name}: {kind}": count for kind, count in sorted(faults.hit.items())}
        return found
