"""A decoder in the containers that are deployed can compute, and nothing else."""

import json

from tests.containers.docker import command
from tests.project import ROOT


def test_a_decoder_that_an_image_got_hold_of_is_stopped() -> None:
    mounts = (
        "-v",
        f"{ROOT}/tests/doubles:/rogue/tests/doubles:ro",
        "-v",
        f"{ROOT}/tests/containers/rogues.py:/rogue/run.py:ro",
    )
    path = ("-e", "PYTHONPATH=/var/task:/opt/packages:/rogue")
    done = command(
        "docker",
        "run",
        "--rm",
        "--network",
        "none",
        *mounts,
        *path,
        "--entrypoint",
        "python",
        "embedfunction:embed",
        "/rogue/run.py",
    )
    outcomes = {line["program"]: line["outcome"].partition(":")[0] for line in map(json.loads, done.splitlines())}
    assert outcomes == {
        "open('/etc/hostname')": "damaged",
        "socket.socket().connect(('127.0.0.1', 9))": "damaged",
        "os.fork()": "damaged",
        "while True: pass": "too_slow",
        "bytearray(2 << 30)": "too_large",
        "pass": "decoded",
    }
    assert done.count("Operation not permitted") == 3
