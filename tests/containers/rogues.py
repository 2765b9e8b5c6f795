"""Run in a container: programs in place of images, and what became of each, a line of JSON."""

import json

from pixlake.errors import BadImage
from pixlake.images.decoders import Decoders, Limits
from pixlake.images.processes import Processes

PROGRAMS = (
    "open('/etc/hostname')",
    "socket.socket().connect(('127.0.0.1', 9))",
    "os.fork()",
    "while True: pass",
    "bytearray(2 << 30)",
    "pass",
)


def main() -> None:
    processes = Processes("tests.doubles.rogue")
    decoders = Decoders(Limits(max_pixels=1_000, seconds=0.5, memory=1 << 30), processes)
    for program in PROGRAMS:
        try:
            decoders.shrink(program.encode(), 8)
            outcome = "decoded"
        except BadImage as error:
            outcome = f"{error.reason}: {error.detail}"
        print(json.dumps({"program": program, "outcome": outcome}))
    processes.close()


if __name__ == "__main__":
    main()
