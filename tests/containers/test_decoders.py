"""A decoder, and a reader of tables, in the containers that are deployed can compute, and nothing else."""

import json
from typing import Any

from tests.containers.docker import command
from tests.project import ROOT


def run(image: str, script: str) -> tuple[list[Any], str]:
    """What a script of this folder prints in a container without a network."""
    done = command(
        "docker",
        "run",
        "--rm",
        "--network",
        "none",
        "-v",
        f"{ROOT}/tests/doubles:/rogue/tests/doubles:ro",
        "-v",
        f"{ROOT}/tests/containers/{script}:/rogue/run.py:ro",
        "-e",
        "PYTHONPATH=/var/task:/opt/packages:/rogue",
        "--entrypoint",
        "python",
        image,
        "/rogue/run.py",
    )
    return [json.loads(line) for line in done.splitlines()], done


def test_a_decoder_that_an_image_got_hold_of_is_stopped() -> None:
    lines, done = run("embedfunction:embed", "rogues.py")
    outcomes = {line["program"]: line["outcome"].partition(":")[0] for line in lines}
    assert outcomes == {
        "open('/etc/hostname')": "damaged",
        "socket.socket().connect(('127.0.0.1', 9))": "damaged",
        "os.fork()": "damaged",
        "while True: pass": "too_slow",
        "bytearray(2 << 30)": "too_large",
        "pass": "decoded",
    }
    assert done.count("Operation not permitted") == 3


def test_a_reader_that_a_table_got_hold_of_is_stopped() -> None:
    lines, _ = run("splitfunction:split", "rogue_tables.py")
    expected = {
        "open('/etc/hostname'); os._exit(7)": ("not permitted", "with 1;"),
        "socket.socket().connect(('127.0.0.1', 9)); os._exit(7)": ("not permitted", "with 1;"),
        "os.fork(); os._exit(7)": ("not permitted", "with 1;"),
        "while True: pass": ("more than 1 seconds", "more than 1 seconds"),
        "bytearray(2 << 30)": ("memory", "bytes of memory"),
        "os._exit(7)": ("status 7", "with 7;"),
    }
    assert [program for program, *_ in lines] == list(expected)
    for program, parquet, workbook in lines:
        assert expected[program][0] in parquet
        assert expected[program][1] in workbook
