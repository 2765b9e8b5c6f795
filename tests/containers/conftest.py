"""What the built functions meet instead of AWS: S3 and Glue by moto, in a container on a network of their own."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from tests.containers.docker import LAKE, UPLOADS, Invoke, command
from tests.project import ROOT, read_template

BUILT = ROOT / ".aws-sam/build"


@pytest.fixture(scope="session")
def network() -> Iterator[str]:
    name = f"pixlake-test-{os.getpid()}"
    command("docker", "network", "create", name)
    yield name
    command("docker", "network", "rm", name)


@pytest.fixture(scope="session")
def storage(network: str) -> Iterator[Any]:
    """An S3 client on buckets that hold the sample and the demo bundles; `store` is their host for the functions."""
    command("docker", "build", "--quiet", "--tag", "pixlake-test-store", ROOT / "tests/containers")
    publish = ("--publish", "127.0.0.1::5000", "--network-alias", "store")
    container = command("docker", "run", "--detach", "--rm", "--network", network, *publish, "pixlake-test-store")
    try:
        address = command("docker", "port", container, "5000")
        client = boto3.client(
            "s3",
            endpoint_url=f"http://{address}",
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(retries={"max_attempts": 1}),
        )
        wait_for(client)
        client.create_bucket(Bucket=LAKE)
        client.create_bucket(Bucket=UPLOADS)
        client.upload_file(str(ROOT / "samples/emoji.zip"), UPLOADS, "uploads/emoji/sample.zip")
        for path in (ROOT / "bundles").glob("*/*"):
            client.upload_file(str(path), LAKE, f"models/{path.relative_to(ROOT / 'bundles')}")
        yield client
    finally:
        command("docker", "kill", container)


def wait_for(client: Any) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            client.list_buckets()
            return
        except BotoCoreError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@pytest.fixture(scope="session")
def local_template(storage: Any) -> Iterator[Path]:  # noqa: ARG001
    """The built template with moto's address in each environment: SAM passes on no variable but declared ones."""
    template = read_template(BUILT / "template.yaml")
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    shared |= {"LAKE_URI": f"s3://{LAKE}", "AWS_ENDPOINT_URL": "http://store:5000", "AWS_ALLOW_HTTP": "true"}
    for resource in template["Resources"].values():
        variables = resource["Properties"].get("Environment", {}).get("Variables", {})
        if "CATALOG_URI" in variables:
            variables["CATALOG_URI"] = "glue://pixlake_test"
    path = BUILT / f"local-{os.getpid()}.yaml"
    path.write_text(yaml.safe_dump(template))
    yield path
    path.unlink()


@pytest.fixture(scope="session")
def invoke(local_template: Path, network: str, tmp_path_factory: pytest.TempPathFactory) -> Invoke:
    """`sam local invoke` of a function on an event; its answer. Says how long it took, container and all."""
    folder = tmp_path_factory.mktemp("events")
    environment = os.environ | {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    environment |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1"}

    def invoke_function(function: str, event: dict[str, Any]) -> Any:
        path = folder / f"{function}.json"
        path.write_text(json.dumps(event))
        options = (
            "--template",
            local_template,
            "--docker-network",
            network,
            "--skip-pull-image",
            "--region",
            "us-east-1",
        )
        start = time.monotonic()
        answer = command("sam", "local", "invoke", function, "--event", path, *options, env=environment)
        print(f"{function:22} {time.monotonic() - start:5.1f} s, cold, with its container's start")
        returned = json.loads(answer.splitlines()[-1])
        assert "errorMessage" not in returned, f"{function}: {returned}"
        return returned

    return invoke_function
