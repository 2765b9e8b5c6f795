"""An upload put through Plan and Extract in a folder, and what came of it."""

from dataclasses import dataclass, field, replace

import msgspec

from pixlake import rejects, storage
from pixlake.lake import Work
from pixlake.messages import ExtractAnswer, ExtractRequest, Image, Ingest, Member, PlanAnswer, PlanRequest, Shard
from pixlake.rejects import Reject
from pixlake.settings import ExtractSettings, PlanSettings
from pixlake.steps.extract import extract
from pixlake.steps.plan import plan


@dataclass(frozen=True)
class Bench:
    """A laptop's lake and uploads under one URI."""

    uri: str
    settings: PlanSettings = field(default_factory=lambda: PlanSettings(lake_uri=""))
    execution_id: str = "run-1"

    @property
    def lake(self) -> str:
        return f"{self.uri}/lake"

    @property
    def work(self) -> Work:
        return Work(self.lake, self.execution_id)

    def limited(self, **limits: int) -> "Bench":
        """The same with other settings."""
        return replace(self, settings=replace(self.settings, **limits))  # type: ignore[arg-type]

    def put(self, name: str, data: bytes) -> str:
        """An upload's URI."""
        uri = f"{self.uri}/uploads/pets/{name}"
        storage.write(uri, data)
        return uri

    def plan(self, upload_uri: str, **ingest: object) -> PlanAnswer:
        request = msgspec.convert({"upload_uri": upload_uri, **ingest}, Ingest)
        settings = replace(self.settings, lake_uri=self.lake)
        return plan(PlanRequest(self.execution_id, "2026-01-02T03:04:05.678Z", request), settings)

    def shards(self) -> list[Shard]:
        return msgspec.json.decode(storage.read(self.work.shards), type=list[Shard])

    def members(self) -> list[Member]:
        return msgspec.json.Decoder(Member).decode_lines(storage.read(self.work.members))

    def extract(self, answer: PlanAnswer) -> list[ExtractAnswer]:
        settings = ExtractSettings(self.lake, writes_in_flight=4)
        return [extract(ExtractRequest(answer.run, shard), settings) for shard in self.shards()]

    def images(self) -> dict[str, bytes]:
        """What the lake holds, by path in the upload, through the lists that the next step reads."""
        found = {}
        for shard in self.shards():
            for image in msgspec.json.Decoder(Image).decode_lines(storage.read(self.work.extracted(shard.index))):
                found[image.image_path] = storage.read(image.image_uri)
        return found

    def tables(self) -> dict[str, bytes]:
        folder = self.work.tables
        return {info.uri.removeprefix(f"{folder}/"): storage.read(info.uri) for info in storage.list_objects(folder)}

    def rejects(self) -> list[Reject]:
        found = storage.list_objects(f"{self.work.uri}/parts/rejects")
        return [row for uri in sorted(info.uri for info in found) for row in rejects.decode(storage.read(uri))]

    def reasons(self) -> dict[str, str]:
        return {row.source: row.reason for row in self.rejects()}

    def written(self) -> list[str]:
        """Everything in the lake."""
        return sorted(info.uri.removeprefix(f"{self.lake}/") for info in storage.list_objects(self.lake))

    def run(self, upload_uri: str) -> dict[str, bytes]:
        """Plan, extract and give the images back."""
        self.extract(self.plan(upload_uri))
        return self.images()
