"""A decoder that an image got hold of can compute, within its time and its memory, and nothing else."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psutil
import pytest

from pixlake.errors import BadImage
from pixlake.images.decoders import Decoders, Limits
from pixlake.images.processes import Processes
from tests.builders.tiny import spec
from tests.project import ROOT

GOOD = b"pass"
LIMITS = Limits(max_pixels=100_000_000, seconds=0.5, memory=2 << 30)
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux confines a decoder")


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    started = Processes("tests.doubles.rogue")
    yield started
    started.close()


@pytest.fixture
def rogues(processes: Processes) -> Decoders:
    """Decoders that run the Python that they get for an image."""
    return Decoders(LIMITS, processes)


def reason(decoders: Decoders, program: str) -> tuple[str, str]:
    with pytest.raises(BadImage) as caught:
        decoders.shrink(program.encode(), 8)
    assert decoders.shrink(GOOD, 8).pixels.shape == (1, 1, 3), "the next image is decoded"
    return caught.value.reason, caught.value.detail


@pytest.mark.parametrize(
    "program",
    [
        "open('/etc/hostname')",
        "open('/tmp/pixlake-rogue', 'w')",
        "os.listdir('/')",
        "os.stat('/etc/passwd')",
        "os.unlink('/tmp/nothing')",
        "socket.socket().connect(('127.0.0.1', 9))",
        "socket.socketpair()",
        "os.pipe()",
        "os.fork()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.execv('/bin/true', ['true'])",
        "os.kill(os.getppid(), 9)",
        "os.setuid(0)",
        "os.memfd_create('x')",
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    ],
)
def test_it_reaches_nothing_outside(rogues: Decoders, program: str) -> None:
    found, detail = reason(rogues, program)
    assert found == "damaged"
    assert "not permitted" in detail or "not allowed" in detail or "Errno 24" in detail


@pytest.mark.parametrize("number", [1, 2])
def test_what_it_prints_is_seen_nowhere(rogues: Decoders, number: int, capfd: pytest.CaptureFixture[str]) -> None:
    assert rogues.shrink(f"os.write({number}, b'forged')".encode(), 8)
    assert capfd.readouterr() == ("", "")


def test_it_has_no_environment(rogues: Decoders) -> None:
    tuning = ["OPENBLAS_NUM_THREADS", "ARROW_DEFAULT_MEMORY_POOL"]
    names = {*tuning, "LD_LIBRARY_PATH", "LC_CTYPE"}
    program = f"assert all(each in {names} or each.startswith('MALLOC_') for each in os.environ), set(os.environ)"
    assert rogues.shrink(program.encode(), 8)


@pytest.mark.parametrize("program", ["while True: pass", "time.sleep(1_000)", "connection.recv(1)"])
def test_one_that_never_ends_is_ended(rogues: Decoders, program: str) -> None:
    code, detail = reason(rogues, program)
    assert code == "too_slow"
    assert detail.startswith("decoding it takes more than 0.5 seconds; save it as PNG or JPEG")


def test_after_many_that_take_too_long_the_others_get_less_time(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixlake.images.decoders._SLOW", 2)
    rogues = Decoders(LIMITS, processes)
    found = [reason(rogues, "while True: pass")[1].partition("than ")[2].partition(";")[0] for _ in range(3)]
    assert found == ["0.5 seconds", "0.5 seconds", "0.05 seconds"]


def test_one_that_eats_memory_gets_none(processes: Processes) -> None:
    # with time enough to write to all of it on a busy machine
    patient = Decoders(replace(LIMITS, seconds=30), processes)
    assert reason(patient, "[bytearray(100_000_000) for _ in range(30)]")[0] == "too_large"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("ctypes.string_at(0)", "SIGSEGV"),
        ("os._exit(3)", "status 3"),
        ("connection.close()", "ended"),
        ("connection.sendall(b'p' + bytes([255]) * 12)", "more length"),
        ("connection.sendall(b'z' + bytes(12))", "no decoder answers"),
        ("connection.sendall(b'p' + bytes([1, 0, 0, 0]) + bytes(8) + b'x')", "Expecting value"),
        ("connection.sendall(b'p' + bytes([2, 0, 0, 0]) + bytes(8) + b'[]')", "no decoder answers"),
        ("while True: connection.sendall(b't' + bytes([1, 0, 0, 0]) + bytes(8) + b'1'); connection.recv(1)", "turn"),
        ("raise __import__('pixlake.images.jobs').images.jobs.NumpyWanted", "no decoder answers"),
        ("connection.sendall(b't' + bytes([2, 0, 0, 0]) + bytes(8) + b'{}')", "turn"),
    ],
)
def test_one_that_dies_or_answers_nonsense_is_replaced(rogues: Decoders, program: str, words: str) -> None:
    found, detail = reason(rogues, program)
    assert found == "decoder_killed"
    assert words in detail


@pytest.mark.parametrize(
    ("sizes", "pixels"),
    [([1, 1, 5, 5], 3), ([1, 1, 9, 1], 27), ([1, 1, 0, 0], 0), ([0, 1, 1, 1], 3), ([1, 1 << 40, 1, 1], 3), ([1], 3)],
)
def test_pixels_of_another_size_than_asked_for_are_refused(rogues: Decoders, sizes: list[int], pixels: int) -> None:
    head = [len(str(sizes)), 0, 0, 0, pixels]
    program = f"connection.sendall(b'p' + bytes({head}) + bytes(7) + b'{sizes}' + bytes({pixels}))"
    assert reason(rogues, program)[0] == "decoder_killed"


def test_a_drawn_image_of_more_pixels_than_allowed_is_refused(processes: Processes) -> None:
    few = Decoders(replace(LIMITS, max_pixels=2), processes)
    program = "connection.sendall(b'p' + bytes([9, 0, 0, 0, 9]) + bytes(7) + b'[1,3,1,3]' + bytes(9))"
    with pytest.raises(BadImage, match="more length than asked for"):
        few.draw(program.encode(), spec())


def test_a_reason_that_could_not_be_written_is_made_so(rogues: Decoders) -> None:
    lone = "raise __import__('pixlake.errors').errors.BadImage('odd', chr(0xD800) * 5000)"
    assert reason(rogues, lone) == ("odd", "?" * 1_000)


def test_a_large_image_that_never_ends_keeps_its_turn_no_longer_than_its_time(rogues: Decoders) -> None:
    large = (
        "from pixlake.confined.wire import send_answer; send_answer(connection, b't', 100000000); connection.recv(1)\n"
    )
    with ThreadPoolExecutor(3) as pool:
        stuck = [pool.submit(reason, rogues, f"{large}while True: pass") for _ in range(2)]
        fine = pool.submit(rogues.shrink, large.encode(), 8)
        assert [each.result()[0] for each in stuck] == ["too_slow", "too_slow"]
        assert fine.result().width == 1


def test_one_that_an_image_before_has_broken_is_not_held_against_an_image(processes: Processes) -> None:
    rogues = Decoders(LIMITS, processes)
    assert rogues.shrink(b"import threading\nos.__dict__['_broken'] = True", 8)
    assert rogues.shrink(b"if hasattr(os, '_broken'): os._exit(1)", 8).width == 1


def test_a_nursery_that_ends_is_replaced_and_no_image_lost(processes: Processes) -> None:
    rogues = Decoders(LIMITS, processes)
    for one in [processes.fork() for _ in range(3)]:
        processes.give_back(one)
    assert rogues.shrink(GOOD, 8)
    nursery = processes._nursery
    assert nursery
    nursery.kill()
    nursery.wait()
    assert rogues.shrink(GOOD, 8)


def test_decoders_end_with_the_process_that_has_them() -> None:
    program = """
import os, signal, threading, time
from pixlake.images.decoders import Decoders, Limits
from pixlake.images.processes import Processes
processes = Processes("tests.doubles.rogue")
decoders = Decoders(Limits(1_000, 60, 1 << 30), processes)
decoders.shrink(b"pass", 8)
decoder = processes._idle[0].process
threading.Thread(target=decoders.shrink, args=(b"while True: pass", 8), daemon=True).start()
time.sleep(0.2)
print(processes._nursery.pid, decoder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == -signal.SIGKILL
    left = [int(each) for each in done.stdout.split()]
    assert len(left) == 2
    until = time.monotonic() + 20
    while any(_runs(each) for each in left) and time.monotonic() < until:
        time.sleep(0.02)
    assert not any(_runs(each) for each in left)


def _runs(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_where_a_decoder_is_less_confined_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    processes = Processes("tests.doubles.unconfined")
    decoders = Decoders(LIMITS, processes)
    for _ in range(2):
        with pytest.raises(BadImage, match="no image"):
            decoders.shrink(GOOD, 8)
        processes.end(processes.take())
    processes.close()
    assert caplog.messages == ["images are decoded with no filter of system calls on this platform"]
