"""The examples of docs/api.md, as a shell runs them."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

from pixlake.iceberg.lakes import Lake
from tests.builders.exhibitions import COPY, fill
from tests.builders.servers import serving
from tests.project import ROOT

PAGE = (ROOT / "docs/api.md").read_text()
EXAMPLES = [line for block in re.findall(r"```sh\n(.+?)```", PAGE, re.DOTALL) for line in block.splitlines()]
# what the page's examples name, by what the lake of the tests has
OURS = {
    "images/1F34E.png": "of/red.png",
    '"emoji"': '"colors"',
    "/emoji/": "/colors/",
    "=emoji": "=colors",
    '"1F34E"': '"red"',
}


def test_each_example_is_answered_as_the_page_says(tmp_path: Path) -> None:
    lake = fill(Lake.at(str(tmp_path / "lake")))
    (tmp_path / "cat.png").write_bytes((tmp_path / "lake/images/of/red.png").read_bytes())
    with serving(lake) as (_, address):
        answers = [answer(example, address, tmp_path) for example in EXAMPLES]
    searches, views, others = answers[:4], answers[4:11], answers[11:]
    by_image, by_text, by_where, by_like = searches
    classes, line, from_hex, vector, health, experiments, picture = others
    assert len(by_image) == len(by_text) == 3
    # distinct: of the two reds one
    (left_out,) = {hit["image_path"] for hit in by_like} - {hit["image_path"] for hit in by_where}
    assert left_out in ("of/red.png", COPY)
    assert by_like[0]["image_path"] == COPY  # as near as the image itself, and before it by its path
    images, (known,), filters, copies, rejects, (execution,), _ = views
    assert len(images) == 3
    assert known["attributes"]["family"] == "warm"
    assert "family" in [each["name"] for each in filters]
    assert copies["groups"][0]["size"] > 1
    assert [each["reason"] for each in rejects["rejects"]] == ["truncated"]
    assert execution["report"]
    assert (tmp_path / "map.html").read_text().startswith("<!doctype html>")
    assert len(classes["classes"]) == 3
    assert line == "red {score:.4f}\n".format(**from_hex)
    (shown,) = (json.loads(each) for each in re.findall(r"```json\n(.+?)```", PAGE, re.DOTALL))
    assert list(from_hex) == list(shown)
    assert len(vector["embedding"]) == vector["dimensions"]
    assert health["status"] == "ok"
    assert [each["experiment_id"] for each in experiments] == ["colors", "others"]
    assert (picture, (tmp_path / "apple.webp").read_bytes()[:4]) == ("", b"RIFF")


def answer(example: str, address: str, folder: Path) -> Any:
    """What is printed, parsed where it is JSON."""
    assert "http://127.0.0.1:8000/" in example
    for name, own in OURS.items():
        example = example.replace(name, own)
    command = example.replace("http://127.0.0.1:8000", address).replace("curl ", "curl --silent --fail-with-body ")
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{shlex.quote(command)}: {done.stdout}{done.stderr}"
    return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout
