"""Pixlake's runtime: what the state machine's functions do, apart from Lambda and from any way of running them.

Decisions (names, matching, planning, keys) are pure functions; only `storage` and `catalog` touch the outside.
"""

__version__ = "0.1.0"
