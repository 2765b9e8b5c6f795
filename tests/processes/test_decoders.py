"""The processes that decode, as a program of its own has them."""

import subprocess
import sys

from tests.builders.pictures import halves
from tests.builders.tiny import encode


def test_nothing_is_said_at_the_end_of_a_process_that_decoded() -> None:
    program = """
import sys
from pixlake.images.decoders import Decoders, Limits
print(Decoders(Limits(10_000, 30, 1 << 30)).shrink(sys.stdin.buffer.read(), 8).pixels.shape)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], input=encode(halves()), capture_output=True, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == (b"(6, 8, 3)\n", b"", 0)
