"""Each function's policy allows what its code asks of S3 and Glue, and nothing that it does not.

The steps run in this process over moto's S3 and Glue; what they send is recorded as it arrives.
"""

import io
import json
import re
import tempfile
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import boto3
import msgspec
import pytest
import yaml
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from msgspec.structs import replace
from werkzeug.serving import make_server
from werkzeug.wrappers import Request

from pixlake import storage
from pixlake.bundles.folders import open_folder
from pixlake.errors import BadRequest, BadUpload
from pixlake.failures import MAP_FAILED
from pixlake.inference.predictor import Predictor, unpack_predictor
from pixlake.lake import Work
from pixlake.messages import (
    Batch,
    BatchRequest,
    Classifiers,
    CompactRequest,
    Ended,
    ExtractRequest,
    FailureRequest,
    FromLakeRequest,
    Ingest,
    Options,
    PlanAnswer,
    PlanRequest,
    ReportRequest,
    RetryRequest,
    Shard,
    SplitRequest,
    parse,
)
from pixlake.settings import (
    CompactSettings,
    Engine,
    ExtractSettings,
    InferenceSettings,
    MaintainSettings,
    PlanSettings,
    ReportSettings,
    SplitSettings,
)
from pixlake.steps.classify import classify
from pixlake.steps.compact import compact
from pixlake.steps.embed import embed
from pixlake.steps.extract import extract
from pixlake.steps.maintain import maintain
from pixlake.steps.plan import plan
from pixlake.steps.record_failure import record_failure
from pixlake.steps.report import report
from pixlake.steps.split import split
from pixlake.zips.listings import Gathered
from tests.builders import tiny
from tests.builders.model_lakes import image, make_lake, make_zip
from tests.builders.predictors import Told, put_predictor
from tests.doubles.aws import environment
from tests.project import read_template
from tests.template.policies import statements_of

# an action, and the prefix of a bucket that it is for; Glue's are for the database
Permission = tuple[str, str]
OPTIONS = Options(embedder="tiny", classifier=Classifiers("colors", "ages"))
PETS: dict[str, bytes | str] = {
    "pets.csv": "id,Age\n1,3\n2,5\n",
    "images/1.png": image(),
    "images/stray.png": image((9, 9, 9)),
}

# What runs only when something goes wrong in the middle, which no run here brings about.
ONLY_IN_TROUBLE = {
    "s3:AbortMultipartUpload": "a large write that fails takes back its parts",
    "s3:DeleteObject": "a commit that another one won against removes its files",
}


@dataclass
class Recorder:
    """A WSGI application around moto's that notes who asked for what."""

    uploads: str
    lake: str
    application: Any = field(default_factory=lambda: DomainDispatcherApplication(create_backend_app))
    function: str = ""
    asked: dict[str, set[Permission]] = field(default_factory=lambda: defaultdict(set))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if self.function:
            request = Request(environ)
            self.asked[self.function] |= set(self.permissions(request))
        return self.application(environ, start_response)

    def permissions(self, request: Request) -> Iterator[Permission]:
        target = request.headers.get("X-Amz-Target", "")
        if target.startswith("AWSGlue."):
            yield f"glue:{target.removeprefix('AWSGlue.')}", "table"
            return
        bucket, _, key = unquote(request.path).lstrip("/").partition("/")
        names = {self.uploads: "UploadsBucket", self.lake: "LakeBucket"}
        query = parse_qs(request.query_string.decode(), keep_blank_values=True)
        if "delete" in query:
            body = request.get_data()
            request.environ["wsgi.input"] = io.BytesIO(body)
            for each in re.findall(rb"<Key>(.*?)</Key>", body):
                yield "s3:DeleteObject", f"{names[bucket]}/{each.decode().partition('/')[0]}/*"
            return
        if not key:
            assert "list-type" in query, request.url
            yield "s3:ListBucket", f"{names[bucket]}/{query['prefix'][0].partition('/')[0]}/*"
            return
        action = "s3:GetObjectVersion" if "versionId" in query else ACTIONS[request.method]
        yield action, f"{names[bucket]}/{key.partition('/')[0]}/*"

    @contextmanager
    def recording(self, function: str) -> Iterator[None]:
        self.function = function
        try:
            yield
        finally:
            self.function = ""


ACTIONS = {
    "GET": "s3:GetObject",
    "HEAD": "s3:GetObject",
    "PUT": "s3:PutObject",
    "POST": "s3:PutObject",
    "DELETE": "s3:DeleteObject",
}


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    made = Recorder(f"uploads-{uuid.uuid4()}", f"lake-{uuid.uuid4()}")
    server = make_server("127.0.0.1", 0, made, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(f"http://127.0.0.1:{server.server_port}").items():
            patch.setenv(name, value)
        yield made
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def asked(recorder: Recorder, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[Permission]]:
    """What each function asked for while two uploads, of which one is refused, went through all steps."""
    folder = tmp_path_factory.mktemp("uploads")
    client = boto3.client("s3")
    for bucket in (recorder.uploads, recorder.lake):
        client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=recorder.uploads, VersioningConfiguration={"Status": "Enabled"})
    local = Path(make_lake(folder / "lake").uri.removeprefix("file://"))
    put_predictor(tiny.BundleLake(local))
    for path in local.glob("models/**/*"):
        if path.is_file():
            client.upload_file(str(path), recorder.lake, str(path.relative_to(local)))
    client.upload_file(str(make_zip(folder / "a.zip", PETS)), recorder.uploads, "uploads/pets/a.zip")
    evil = make_zip(folder / "evil.zip", {"../evil.png": image()})
    client.upload_file(str(evil), recorder.uploads, "uploads/pets/evil.zip")
    for name, data in PETS.items():
        client.put_object(Bucket=recorder.uploads, Key=f"uploads/pets/folder/{name}", Body=data)
    steps = Steps(recorder, client)
    steps.ingest("uploads/pets/a.zip", "first")
    steps.ingest("uploads/pets/folder/", "second", engine=Engine.ATHENA)
    steps.take_loose()
    steps.retry("first")
    steps.run_from_lake()
    steps.refuse("uploads/pets/evil.zip", "third")
    steps.maintain()
    return recorder.asked


def predict(request: BatchRequest, lake: str) -> None:
    """The same batch by a predictor: all that the handler does but for AutoGluon itself."""
    with tempfile.TemporaryDirectory() as scratch:

        def load(lake_uri: str, model: str) -> Predictor:
            manifest = unpack_predictor(open_folder(lake_uri, model), Path(scratch) / "predictor")
            return Predictor(model, manifest, Told(), Path(scratch))

        asked = replace(request, batch=replace(request.batch, model="pets"))
        assert classify(asked, InferenceSettings(lake), load).rows > 0


@dataclass
class Steps:
    """The states of the machine, one after the other."""

    recorder: Recorder
    client: Any
    databases: int = 0

    @property
    def lake(self) -> str:
        return f"s3://{self.recorder.lake}"

    def new_catalog(self) -> str:
        """A database without tables: whoever comes first makes them."""
        self.databases += 1
        boto3.client("glue").create_database(DatabaseInput={"Name": f"d{self.databases}"})
        return f"glue://d{self.databases}"

    def step(self, function: str, work: Callable[..., Any], *arguments: Any) -> Any:
        with self.recorder.recording(function):
            return work(*arguments)

    def items(self, key: str, kind: type[Any]) -> list[Any]:
        body = self.client.get_object(Bucket=self.recorder.lake, Key=key)["Body"].read()
        return [parse(item, kind) for item in yaml.safe_load(body)]

    def plan(self, key: str, execution: str) -> PlanAnswer:
        ingest = Ingest(f"s3://{self.recorder.uploads}/{key}", "pets", "2026-11-01T00:00:00Z", OPTIONS)
        request = PlanRequest(execution, "2026-11-21T00:00:00Z", ingest)
        answer: PlanAnswer = self.step("PlanFunction", plan, request, PlanSettings(self.lake))
        return answer

    def ingest(self, key: str, execution: str, engine: Engine = Engine.LAMBDA) -> None:
        planned = self.plan(key, execution)
        for shard in self.items(planned.shards.key, Shard):
            self.step("ExtractFunction", extract, ExtractRequest(planned.run, shard), ExtractSettings(self.lake))
        request = SplitRequest(planned.run, planned.options, planned.shards)
        joined = self.step("SplitFunction", split, request, SplitSettings(self.lake))
        for batch in self.items(joined.batches.key, Batch):
            if batch.modality == "image+tabular":
                self.step("ClassifyAutogluonFunction", predict, BatchRequest(planned.run, batch), self.lake)
            name, work = ("EmbedFunction", embed) if batch.task == "embed" else ("ClassifyFunction", classify)
            self.step(name, work, BatchRequest(planned.run, batch), InferenceSettings(self.lake))
        settings = CompactSettings(self.lake, self.new_catalog(), compaction_engine=engine)
        done = self.step("CompactFunction", compact, CompactRequest(planned.run, joined, planned.options), settings)
        if engine is Engine.LAMBDA:
            asking = ReportRequest(planned.run, planned, joined, done)
            self.step("ReportFunction", report, asking, ReportSettings(self.lake, settings.catalog_uri))
            # and another time where it is the first to come, and with files to replace
            self.step("ReportFunction", report, asking, ReportSettings(self.lake, self.new_catalog()))
            self.step("ReportFunction", report, asking, ReportSettings(self.lake, settings.catalog_uri))
            self.catalog_uri = settings.catalog_uri

    def take_loose(self) -> None:
        """Loose objects as events gathered them, by their versions, and the folder that they lie in."""
        lines = []
        for path, data in PETS.items():
            put = self.client.put_object(Bucket=self.recorder.uploads, Key=f"images/pets/{path}", Body=data)
            uri = f"s3://{self.recorder.uploads}/images/pets/{path}"
            lines.append(Gathered(path, uri, datetime(2026, 11, 1, tzinfo=UTC), put["VersionId"]))
        listing = Work(self.lake, "loose").gathered
        storage.write(listing, msgspec.json.Encoder().encode_lines(lines))
        for execution, uri in (("loose", listing), ("folder", f"s3://{self.recorder.uploads}/images/pets/")):
            request = PlanRequest(execution, "2026-11-21T00:00:00Z", Ingest(uri, "pets", options=OPTIONS))
            planned = self.step("PlanFunction", plan, request, PlanSettings(self.lake))
            for shard in self.items(planned.shards.key, Shard):
                self.step("ExtractFunction", extract, ExtractRequest(planned.run, shard), ExtractSettings(self.lake))

    def retry(self, execution: str) -> None:
        """Run again what an execution lost; of another there is nothing left."""
        request = RetryRequest("retried", "2026-11-21T00:00:00Z", execution)
        planned = self.step("PlanFunction", plan, request, PlanSettings(self.lake))
        again = SplitRequest(planned.run, planned.options, planned.shards)
        joined = self.step("SplitFunction", split, again, SplitSettings(self.lake))
        settings = CompactSettings(self.lake, self.catalog_uri)
        self.step("CompactFunction", compact, CompactRequest(planned.run, joined, planned.options), settings)
        with pytest.raises(BadRequest):
            self.step("PlanFunction", plan, replace(request, retry="gone"), PlanSettings(self.lake))

    def run_from_lake(self) -> None:
        """Give the images of the lake to a model; that all have seen it is found in the tables."""
        request = FromLakeRequest("again", "2026-11-21T00:00:00Z", "pets", Options(embedder=OPTIONS.embedder))
        planned = self.step("PlanFunction", plan, request, PlanSettings(self.lake))
        again = SplitRequest(planned.run, planned.options, planned.shards)
        self.step("SplitFunction", split, again, SplitSettings(self.lake, catalog_uri=self.catalog_uri))

    def refuse(self, key: str, execution: str) -> None:
        with pytest.raises(BadUpload):
            self.plan(key, execution)
        told = json.dumps({"upload_uri": f"s3://{self.recorder.uploads}/{key}"})
        failed = FailureRequest(Ended(execution, "FAILED", 0, 1, told, "BadUpload", "{}"))
        settings = ReportSettings(self.lake, self.new_catalog())
        self.step("RecordFailureFunction", record_failure, failed, settings)
        # and one that got further, whose page counts what its steps left, and that has a row
        later = round(time.time() * 1000) + 60_000
        failed = FailureRequest(Ended("first", "FAILED", 0, later, told, MAP_FAILED, "{}"))
        self.step("RecordFailureFunction", record_failure, failed, ReportSettings(self.lake, self.catalog_uri))

    def maintain(self) -> None:
        """Over the tables with everything in them too old, and over a database without tables."""
        for catalog in (self.catalog_uri, self.new_catalog()):
            self.step("MaintainFunction", maintain, MaintainSettings(self.lake, catalog, 0.0, 0.0))


@pytest.fixture(scope="module")
def allowed() -> dict[str, set[Permission]]:
    """What the template's policies let each function do, in the recorder's words."""
    template = read_template()
    return {
        name: set(granted(statements_of(template, name)))
        for name, it in template["Resources"].items()
        if it["Type"] == "AWS::Serverless::Function"
    }


def granted(statements: list[dict[str, Any]]) -> Iterator[Permission]:
    for statement in statements:
        for action in listed(statement["Action"]):
            if action.startswith("glue:"):
                yield action, "table"
            elif action == "s3:ListBucket":
                bucket = statement["Resource"]["Fn::GetAtt"].removesuffix(".Arn")
                for prefix in listed(statement["Condition"]["StringLike"]["s3:prefix"]):
                    yield action, f"{bucket}/{prefix}"
            else:
                for resource in listed(statement["Resource"]):
                    yield action, re.sub(r"\$\{(\w+)\.Arn\}", r"\1", resource["Fn::Sub"])


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_every_function_was_recorded(asked: dict[str, set[Permission]], allowed: dict[str, set[Permission]]) -> None:
    assert asked.keys() == allowed.keys()


def test_policies_allow_every_recorded_request(
    asked: dict[str, set[Permission]], allowed: dict[str, set[Permission]]
) -> None:
    missing = {name: sorted(asked[name] - allowed[name]) for name in allowed}
    assert {name: found for name, found in missing.items() if found} == {}


def test_policies_allow_nothing_that_was_not_requested(
    asked: dict[str, set[Permission]], allowed: dict[str, set[Permission]]
) -> None:
    unused = {
        name: sorted(it for it in allowed[name] - asked[name] if it[0] not in ONLY_IN_TROUBLE) for name in allowed
    }
    assert {name: found for name, found in unused.items() if found} == {}
