"""Work that may take all time and memory, in a process of its own within limits of both: only that process ends of it.

`run_limited` starts a module of ours; that calls `answer_limited`. Errors come as one line of JSON on standard error.
The process ends with the one that started it, for that holds the other end of its standard input.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile
from typing import IO

import msgspec

import pixlake.errors
from pixlake.errors import PixlakeError, StorageError

WARNING = "Warning: "
"""Before a line of standard error that is for the person who waits."""


class Failed(msgspec.Struct, frozen=True):
    """The class of an error and its message."""

    error: str
    message: str


def half_of_the_machine() -> int:
    """Half of its memory, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def run_limited(module: str, request: str, output: IO[bytes], *, memory: int, seconds: float) -> None:
    """Have `module` answer the request into `output`, a file of the system's.

    Raises the errors of ours that it raises, StorageError for others; TimeoutError after `seconds`, MemoryError where
    it lacked memory or ended without a word, and BrokenPipeError where nobody reads the output.
    """
    with TemporaryFile() as errors:
        code = _run([sys.executable, "-P", "-m", module, str(memory), request], output, errors, seconds)
        errors.seek(0)
        said = _show_warnings(errors)
        if code:
            raise _error(code, said)


def answer_limited(answer: Callable[[str], None]) -> int:
    """Answer the request of the command line on standard output; the process's exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_command, daemon=True).start()
    _, memory, request = sys.argv
    limit_memory(int(memory))
    try:
        answer(request)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # the reader of the output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (PixlakeError, OSError, MemoryError) as error:
        failed = Failed(type(error).__name__, str(error))
        sys.stderr.buffer.write(msgspec.json.encode(failed))
        return 1
    return 0


def _run(command: list[str], output: IO[bytes], errors: IO[bytes], seconds: float) -> int:
    """The exit code of the process."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=errors)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error
    finally:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _show_warnings(errors: IO[bytes]) -> bytes:
    """What else the process said."""
    rest = []
    for line in errors:
        if line.startswith(WARNING.encode()):
            sys.stderr.write(line.decode())
        else:
            rest.append(line)
    return b"".join(rest)


def _error(code: int, said: bytes) -> Exception:
    """The error that the process ended with. Without a message it was out of memory, or lost its reader."""
    failed = None
    with suppress(msgspec.DecodeError):
        failed = msgspec.json.decode(said.rpartition(b"\n")[2], type=Failed)
    if failed is None:
        return BrokenPipeError() if code == 1 and not said else MemoryError()
    if failed.error == "MemoryError":
        return MemoryError()
    kind = getattr(pixlake.errors, failed.error, StorageError)
    return kind(failed.message) if issubclass(kind, PixlakeError) else StorageError(failed.message)


def limit_memory(size: int) -> None:
    """The system's own limit on this process, of what is written to and no other process has; Windows has none."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


@contextmanager
def memory_limited(size: int) -> Iterator[None]:
    """The same limit for as long as the block lasts; none where the system has none."""
    try:
        import resource

        before = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (size, before[1]))
    except (ImportError, ValueError, OSError):
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _end_with_command() -> None:
    os.read(0, 1)
    os._exit(1)
