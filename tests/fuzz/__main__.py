"""Fuzzes what reads uploads: every image format, CSV, JSON Lines, Parquet and zips.

    python -m tests.fuzz --minutes 60

The same seed tries the same inputs in the same order. What is found lies below build/fuzz, an input a folder; the exit
status is 1 if there is any.
"""

import argparse
import logging
import secrets
import sys
import tempfile
from pathlib import Path

from tests.fuzz.session import Session
from tests.fuzz.targets import make_targets
from tests.project import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=None, help="what is tried; by default another each time")
    parser.add_argument("--first", type=int, default=0, help="the round to begin with")
    parser.add_argument("--only", action="append", default=[], help="a target by name; may be repeated")
    parser.add_argument("--findings", type=Path, default=ROOT / "build/fuzz")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    seed = secrets.randbelow(1_000_000) if arguments.seed is None else arguments.seed
    print(f"seed {seed}, {arguments.minutes:g} minutes", flush=True)
    session = Session(seed, arguments.findings)
    with tempfile.TemporaryDirectory(prefix="pixlake-fuzz-") as folder:
        targets = make_targets(Path(folder), session.tally, arguments.only)
        try:
            session.run(targets, 60 * arguments.minutes, arguments.first)
        except KeyboardInterrupt:
            print("stopped")
    print(session.tally.table())
    return 1 if session.tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
