"""The work folder that Plan and Extract leave to Split, made of real files."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pixlake import rejects
from pixlake.lake import Work
from pixlake.messages import Batch, Image, ItemList, Options, Run, SplitAnswer, SplitRequest
from pixlake.rejects import Reject
from pixlake.settings import SplitSettings
from pixlake.steps.split import split

RUN = Run("execution-1", "pets", "s3://uploads/a.zip", "ab" * 8, "2026-01-01T00:00:00Z", "2026-01-02T03:04:05.678Z")
PREPROCESSING = {"width": 8, "height": 8, "resize": "squash", "interpolation": "nearest", "background": [0, 0, 0]}


@dataclass(frozen=True)
class Upload:
    """One execution's work in a lake in a folder."""

    folder: Path

    @property
    def lake(self) -> str:
        return f"file://{self.folder}"

    @property
    def work(self) -> Work:
        return Work(self.lake, RUN.execution_id)

    def put_images(self, shards: Iterable[Mapping[str, int]]) -> None:
        """Images by path with their sizes, shard by shard."""
        for number, shard in enumerate(shards):
            images = [Image(path, f"{self.lake}/images/{path}", size) for path, size in shard.items()]
            self._put(self.work.extracted(number), msgspec.json.Encoder().encode_lines(images))

    def put_table(self, path: str, data: bytes | str) -> None:
        self._put(f"{self.work.tables}/{path}", data.encode() if isinstance(data, str) else data)

    def put_bundle(
        self, name: str, kind: str, missing: str = "zero", images_per_second: float | None = None, **source: str
    ) -> str:
        """A bundle that is complete as far as Split looks; returns `name@version`."""
        cost = {"cost": {"multiply_adds": 1, "images_per_second": images_per_second}} if images_per_second else {}
        image = {"type": "image", "tensor": "x", "preprocessing": {**PREPROCESSING, "mean": [0] * 3, "std": [1] * 3}}
        answer = {"dimensions": 8} if kind == "embedder" else {"problem": "binary", "labels": ["a", "b"]}
        manifest: dict[str, Any] = {
            "format": 1,
            "name": name,
            "kind": kind,
            "inputs": [{**image, "missing": missing}],
            "graph": "graph.onnx",
            "output": {"tensor": "y", "activation": "none"},
            "files": {"graph.onnx": sha256(b"").hexdigest()},
            "source": source,
            "metrics": cost,
            **answer,
        }
        data = json.dumps(manifest).encode()
        self._put(f"{self.lake}/models/{name}/graph.onnx", b"")
        self._put(f"{self.lake}/models/{name}/bundle.json", data)
        return f"{name}@{sha256(data).hexdigest()[:12]}"

    def put_predictor(self, name: str, columns: Iterable[str] = ("Age",), missing: str = "zero") -> str:
        """Likewise one that only AutoGluon can run, of records and images; without `columns` of images alone."""
        manifest = {
            "format": 1,
            "name": name,
            "kind": "autogluon",
            "archive": "predictor.tar",
            "files": {"predictor.tar": sha256(b"").hexdigest()},
            "source": {},
            "problem": "binary",
            "labels": ["a", "b"],
            "columns": [{"name": column, "type": "number"} for column in columns],
            "images": {"column": "Photo", "missing": missing},
        }
        data = json.dumps(manifest).encode()
        self._put(f"{self.lake}/models/{name}/predictor.tar", b"")
        self._put(f"{self.lake}/models/{name}/bundle.json", data)
        return f"{name}@{sha256(data).hexdigest()[:12]}"

    def split(self, options: Options | None = None, shards: int = 1, **settings: int | str) -> SplitAnswer:
        request = SplitRequest(RUN, options or Options(), ItemList("shards.json", shards))
        return split(request, SplitSettings(self.lake, **settings))  # type: ignore[arg-type]

    def records(self) -> list[dict[str, Any]]:
        """All rows of the parts of `records`, in order of the parts, attributes as a dict."""
        parts = sorted(self._path(self.work.uri).glob("parts/records/*.parquet"))
        rows = [row for part in parts for row in pq.read_table(part).to_pylist()]
        return [{**row, "attributes": dict(row["attributes"])} for row in rows]

    def rejects(self) -> list[Reject]:
        parts = sorted(self._path(self.work.uri).glob("parts/rejects/split-*.jsonl"))
        return [reject for part in parts for reject in rejects.decode(part.read_bytes())]

    def batches(self) -> list[Batch]:
        return msgspec.json.decode(self._path(self.work.batches).read_bytes(), type=list[Batch])

    def batch(self, batch_id: str) -> pa.Table:
        return pq.read_table(self._path(self.work.batch(batch_id)))

    def files(self) -> dict[str, bytes]:
        """Everything that Split has written."""
        root = self._path(self.work.uri)
        found = [root / "batches.json", *root.glob("parts/**/*.*"), *root.glob("batches/*")]
        return {str(path.relative_to(root)): path.read_bytes() for path in found}

    def _path(self, uri: str) -> Path:
        return Path(uri.removeprefix("file://"))

    def _put(self, uri: str, data: bytes) -> None:
        path = self._path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
