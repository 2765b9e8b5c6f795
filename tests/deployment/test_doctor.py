"""`pixlake doctor --stack` on the stack that CloudFormation makes of the template."""

import json
from typing import Any

import boto3
import pytest
from moto import mock_aws

from pixlake_cli.engine.template import REGION
from tests.builders.commands import run
from tests.deployment.deployments import create_stack, translate


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The findings of a new stack, by subject; of a second look, once a model is there."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        s3 = boto3.client("s3", region_name=REGION)
        lake = create_stack(s3, translate())["LakeBucket"]
        first = look()
        s3.put_object(Bucket=lake, Key="models/photo-lite0/bundle.json", Body=b"{}")
        yield first, look()


def look() -> tuple[int, dict[str, dict[str, str]]]:
    done = run("doctor", "--stack", "pixlake", "--region", REGION, "--json")
    return done.exit_code, {finding["subject"]: finding for finding in json.loads(done.stdout)}


# moto says which types it knows nothing of
@pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")
def test_a_new_stack_lacks_its_models_alone(findings: Any) -> None:
    (code, first), (_, second) = findings
    bad = sorted(subject for subject, finding in first.items() if finding["state"] == "bad")
    assert (code, bad) == (1, ["model imagenet-lite0", "model photo-lite0"])
    assert "aws s3 sync bundles s3://" in first["model photo-lite0"]["advice"]
    assert {first[subject]["state"] for subject in ("credentials", "stack", "state machine")} == {"ok"}
    assert second["model photo-lite0"]["state"] == "ok"
