"""What `make` runs where only the line can be looked at."""

import subprocess

import pytest

from tests.project import ROOT


@pytest.mark.parametrize(("architecture", "platform"), [("x86_64", "linux/amd64"), ("arm64", "linux/arm64")])
def test_the_autogluon_image_is_built_without_attestations(architecture: str, platform: str) -> None:
    """Lambda refuses an OCI index, which a build pushes where it attests anything."""
    command = ["make", "--dry-run", "autogluon-image", f"ARCHITECTURE={architecture}"]
    line = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert "docker build " in line
    assert {"--provenance=false", "--sbom=false", f"--platform={platform}"} <= set(line.split())
