"""Runs `sam local start-lambda`, and ends it, its relay and its network with the engine.

The engine holds the other end of this process's standard input. When that closes, however the engine ended, SAM is
terminated and removes the functions' containers; then their relay and network are removed.
"""

import os
import subprocess
import sys
import threading


def _end_with_engine(process: "subprocess.Popen[bytes]") -> None:
    os.read(0, 1)
    process.terminate()


def keep(network: str, command: list[str]) -> int:
    """The exit status of `command`; `network` and the container `<network>-store` are gone with it."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_engine, args=[process], daemon=True).start()
    status = process.wait()
    for words in (["rm", "--force", f"{network}-store"], ["network", "rm", network]):
        subprocess.run(["docker", *words], check=False, stdout=subprocess.DEVNULL)
    return status


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1], sys.argv[2:]))
