"""What a decoder may do: compute, and talk over the one socket that it has.

The kernel holds it to that, from the moment `confine` returns: no file is opened, no connection made, no process
started, whatever the bytes that it decodes make of it. The filter is a list of the system calls that decoding takes, by
number; any other fails with EPERM. No binding of libseccomp's is on PyPI with the library in it, and Lambda's images
have none, so the filter is written out here (docs/adr/0013).
"""

import ctypes
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from struct import pack

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER, _SIGKILL = 2, 9
_CLONE_THREAD = 0x0001_0000
# <linux/audit.h>; then, as in the kernel's tables of system calls: what allocates, what talks over an open file, what
# tells the time, what threads need (WebP and AVIF decode in some), what ends a process
_LITTLE_ENDIAN_64 = 0xC000_0000
_ARCHITECTURES = {
    "x86_64": (
        _LITTLE_ENDIAN_64 | 62,
        {"clone": 56, "clone3": 435},
        (
            *(9, 10, 11, 12, 25, 28),  # mmap mprotect munmap brk mremap madvise
            *(0, 1, 3, 5, 7, 8, 44, 45),  # read write close fstat poll lseek sendto recvfrom
            *(35, 96, 228, 230),  # nanosleep gettimeofday clock_gettime clock_nanosleep
            *(24, 39, 186, 202, 204, 273, 334),  # sched_yield getpid gettid futex getaffinity set_robust_list rseq
            *(13, 14, 15, 60, 131, 219, 231),  # sigaction sigprocmask sigreturn exit sigaltstack restart exit_group
            318,  # getrandom
        ),
    ),
    "aarch64": (
        _LITTLE_ENDIAN_64 | 183,
        {"clone": 220, "clone3": 435},
        (
            *(222, 226, 215, 214, 216, 233),
            *(63, 64, 57, 80, 73, 62, 206, 207),
            *(101, 169, 113, 115),
            *(124, 172, 178, 98, 123, 99, 293),
            *(134, 135, 139, 93, 132, 128, 94),
            278,
        ),
    ),
}
# <linux/seccomp.h>, <linux/bpf_common.h>; `seccomp_data` holds the number, the architecture, an address, the arguments
_ALLOW, _KILL, _EPERM, _ENOSYS = 0x7FFF_0000, 0x8000_0000, 0x0005_0001, 0x0005_0026
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def confine(files: int) -> list[str]:
    """Take from this process all that decoding does not need; `files` is the highest number of one that it keeps.

    Returns what this platform cannot take, in words.
    """
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (files + 1, files + 1))
    if not sys.platform.startswith("linux"):
        return ["no filter of system calls", "no limit of memory"]
    return [] if _filter() else ["no filter of system calls"]


def die_with_parent() -> None:
    """Have the kernel end this process when its parent ends."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def _filter() -> bool:
    machine = os.uname().machine
    if machine not in _ARCHITECTURES:
        return False
    instructions = b"".join(_instructions(*_ARCHITECTURES[machine]))
    program = _Program(len(instructions) // 8, instructions)
    prctl = ctypes.CDLL(None).prctl
    if prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return False
    return not prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)


def _instructions(architecture: int, threads: dict[str, int], allowed: tuple[int, ...]) -> Iterator[bytes]:
    """The filter: of `clone` the threads, of `clone3` nothing, for its flags lie in memory; libc then takes `clone`."""
    yield from (_code(_LOAD, _ARCHITECTURE), _code(_EQUAL, architecture, yes=1), _code(_RETURN, _KILL))
    yield _code(_LOAD, _NUMBER)
    for number in allowed:
        yield from (_code(_EQUAL, number, no=1), _code(_RETURN, _ALLOW))
    yield from (_code(_EQUAL, threads["clone3"], no=1), _code(_RETURN, _ENOSYS))
    yield from (_code(_EQUAL, threads["clone"], no=3), _code(_LOAD, _FIRST_ARGUMENT))
    yield from (_code(_ANY_BIT, _CLONE_THREAD, no=1), _code(_RETURN, _ALLOW))
    yield _code(_RETURN, _EPERM)


def _code(operation: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """An instruction; a jump skips `yes` or `no` of the next ones."""
    return pack("=HBBI", operation, yes, no, value)
