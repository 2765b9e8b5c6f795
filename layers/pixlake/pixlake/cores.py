"""The cores that a process may use, limited by its CPU affinity or a container's quota."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup/cpu.max")


def available_cores(cgroup: Path = CGROUP) -> int:
    """The cores that this process may use: those of its CPU affinity, or of a container's quota if fewer."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = cgroup.read_text().split()
        return max(1, min(bound, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        # no container, or one without a quota: "max 100000"
        return bound
