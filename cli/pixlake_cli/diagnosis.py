"""Whether this machine, a lake and a stack can run uploads: findings, each with what to do about it."""

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

import pixlake
from pixlake.bundles.roles import list_bundles
from pixlake.errors import MissingObject, PixlakeError
from pixlake.iceberg.catalog import connect, table_names
from pixlake.iceberg.lakes import Lake
from pixlake.iceberg.recovery import WAY_OUT
from pixlake.schemas import TABLES
from pixlake_cli.stacks import OUTPUTS, Client, describe_stack, explain

OK, NOTE, BAD = "ok", "note", "bad"
_MODELS = ("Embedder", "ClassifierWithImage", "ClassifierWithoutImage", "ClassifierOrphan")
_PACKAGES = ("onnxruntime", "pyarrow", "pyiceberg", "obstore", "duckdb", "moto", "boto3")
_CONFINE = "import json; from pixlake.confined.confinement import confine; print(json.dumps(confine(2)))"
_SECONDS = 60.0
_LEAST_FREE = 2 << 30


@dataclass(frozen=True)
class Finding:
    """`state` is OK, NOTE for what may be meant, or BAD for what keeps uploads from running."""

    subject: str
    state: str
    said: str
    advice: str = ""


def look_at_machine() -> Iterator[Finding]:
    """Versions, ONNX Runtime, the decoders' confinement, Docker."""
    system = f"{platform.system()} {platform.machine()}"
    yield Finding("Pixlake", OK, f"{pixlake.__version__}, Python {platform.python_version()}, {system}")
    yield Finding("packages", OK, ", ".join(f"{name} {version(name)}" for name in _PACKAGES))
    yield _find_runtime()
    yield _find_confinement()
    yield _find_docker()


def look_at_lake(lake: Lake) -> Iterator[Finding]:
    """Its tables, models and room."""
    try:
        names = table_names(connect(lake.existing().uri, lake.catalog_uri))
    except MissingObject as error:
        yield Finding("lake", NOTE, str(error))
        return
    except PixlakeError as error:
        yield Finding("lake", BAD, str(error))
        return
    missing = [name for name in TABLES if name not in names]
    if missing:
        yield Finding("tables", BAD, f"{lake.uri} has no {', '.join(missing)}", f"{WAY_OUT}.")
    else:
        yield Finding("tables", OK, f"{lake.uri} has all {len(TABLES)}")
    yield _find_models(lake)
    if lake.folder is not None:
        free = shutil.disk_usage(lake.folder).free
        little = "" if free >= _LEAST_FREE else "Make room, or move the lake."
        yield Finding("disk", NOTE if little else OK, f"{free >> 30:,} GiB free", little)


def look_at_stack(name: str, client: Client) -> Iterator[Finding]:
    """Credentials, the stack's outputs, its buckets, state machine and models, and Lambda's concurrency."""
    known, finding = _ask("credentials", lambda: client("sts").get_caller_identity())
    yield finding or Finding("credentials", OK, f"{known['Arn']}, account {known['Account']}")
    if finding:
        return
    described, finding = _ask("stack", lambda: describe_stack(name, client))
    if finding:
        yield finding
        return
    outputs, parameters = described.outputs, described.parameters
    yield _judge_stack(name, described.status, outputs)
    for bucket in (outputs[key] for key in ("UploadsBucket", "LakeBucket") if key in outputs):
        _, finding = _ask(f"bucket {bucket}", partial(client("s3").head_bucket, Bucket=bucket))
        yield finding or Finding(f"bucket {bucket}", OK, "answers")
    if "StateMachine" in outputs:
        yield _find_machine(client, outputs["StateMachine"])
    if "LakeBucket" in outputs:
        yield from _find_named_models(client, outputs, parameters)
    yield _find_concurrency(client, parameters)


def _find_runtime() -> Finding:
    try:
        import onnxruntime
    except ImportError as error:
        return Finding("ONNX Runtime", BAD, str(error), "Install Pixlake again: a library that it needs is missing.")
    providers = onnxruntime.get_available_providers()
    return Finding("ONNX Runtime", OK, f"answers by {', '.join(providers)}")


def _find_confinement() -> Finding:
    """Tried in a process of its own, which keeps it."""
    done = subprocess.run(
        [sys.executable, "-c", _CONFINE], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    subject = "decoders"
    if done.returncode:
        return Finding(subject, BAD, f"a confined process ended with {done.returncode}: {done.stderr[-200:]}")
    lacking = json.loads(done.stdout)
    if lacking:
        advice = "Take uploads from people that you trust only, or run on Linux on x86-64 or ARM."
        return Finding(subject, NOTE, f"images are decoded with {' and '.join(lacking)} on this system", advice)
    return Finding(subject, OK, "images are decoded in processes that can only compute")


def _find_docker() -> Finding:
    if shutil.which("docker") is None:
        return Finding("Docker", OK, "not here; only --containers and `make build` need it")
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        advice = "Start it for --containers and `make build`; nothing else needs it."
        return Finding("Docker", NOTE, "its engine does not answer", advice)
    return Finding("Docker", OK, done.stdout.strip())


def _find_models(lake: Lake) -> Finding:
    try:
        names = list_bundles(lake.uri)
    except PixlakeError as error:
        return Finding("models", BAD, str(error))
    if not names:
        return Finding("models", NOTE, f"{lake.uri} has none", "`pixlake models get` and `push` put some there.")
    return Finding("models", OK, ", ".join(names))


def _ask(subject: str, call: Callable[[], Any]) -> tuple[Any, Finding | None]:
    """The answer, or the finding that there is none."""
    try:
        return call(), None
    except (ClientError, BotoCoreError) as error:
        return None, Finding(subject, BAD, *explain(error))


def _judge_stack(name: str, status: str, outputs: dict[str, str]) -> Finding:
    missing = [key for key in OUTPUTS if key not in outputs]
    if missing:
        advice = "Is it a stack of Pixlake's template, and its deployment complete?"
        return Finding("stack", BAD, f"{name} is {status} without the outputs {', '.join(missing)}", advice)
    bad = "FAILED" in status or "ROLLBACK" in status
    advice = "Its events in CloudFormation say what failed; deploy it again." if bad else ""
    return Finding("stack", NOTE if bad else OK, f"{name} is {status}", advice)


def _find_machine(client: Client, arn: str) -> Finding:
    found, finding = _ask("state machine", lambda: client("stepfunctions").describe_state_machine(stateMachineArn=arn))
    return finding or Finding("state machine", OK, f"{arn} is {found['status']}")


def _find_named_models(client: Client, outputs: dict[str, str], parameters: dict[str, str]) -> Iterator[Finding]:
    bucket, command = outputs["LakeBucket"], outputs.get("Models", "")
    for name in sorted({parameters.get(key, "") for key in _MODELS} - {""}):
        key = f"models/{name.partition('@')[0]}/bundle.json"
        _, finding = _ask(f"model {name}", partial(client("s3").head_object, Bucket=bucket, Key=key))
        if finding:
            advice = f"Put it there, as by: {command}. Without it each execution that it is to answer in fails."
            finding = Finding(f"model {name}", BAD, f"s3://{bucket} does not have it, and a parameter names it", advice)
        yield finding or Finding(f"model {name}", OK, f"in s3://{bucket}")


def _find_concurrency(client: Client, parameters: dict[str, str]) -> Finding:
    found, finding = _ask("concurrency", lambda: client("lambda").get_account_settings())
    if finding:
        return Finding("concurrency", NOTE, f"Lambda's quota is not known: {finding.said}", finding.advice)
    quota, wanted = found["AccountLimit"]["ConcurrentExecutions"], int(parameters.get("MapConcurrency", 0))
    said = f"Lambda's quota is {quota:,}, MapConcurrency {wanted:,}"
    if wanted <= quota:
        return Finding("concurrency", OK, said)
    advice = (
        "Batches wait for their turn, and other functions of the account with them: ask for more in Service Quotas"
        " (Lambda, Concurrent executions), or deploy with a MapConcurrency below the quota."
    )
    return Finding("concurrency", NOTE, said, advice)
