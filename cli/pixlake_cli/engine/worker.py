"""Runs one function under the Lambda runtime client, and ends with the engine.

The engine holds the other end of this process's standard input. When that closes, however the engine ended, this
process ends at once: a worker left behind would keep writing into a lake that the next run uses.
"""

import os
import runpy
import threading


def _end_with_engine() -> None:
    os.read(0, 1)
    os._exit(1)


def work() -> None:
    """Answer invocations; `sys.argv` names the handler."""
    threading.Thread(target=_end_with_engine, daemon=True).start()
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    work()
