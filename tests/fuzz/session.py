"""Rounds of examples by Hypothesis, one target after another, until the time is over.

A round's examples follow from the seed and the round's number alone. What fails is made smaller by Hypothesis; a
finding that is known already is only counted.
"""

import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis.strategies import SearchStrategy

from tests.fuzz.findings import Finding, Tally, unexpected

_SETTINGS = settings(
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    verbosity=Verbosity.quiet,
    print_blob=False,
)


@dataclass(frozen=True)
class Target:
    """`check` raises Finding for an example, of which `files` gives what is written for it."""

    name: str
    examples: int
    strategy: SearchStrategy[Any]
    check: Callable[[Any], None]
    files: Callable[[Any], dict[str, bytes]]


@dataclass
class Session:
    """`seed` says what is tried; a round has `most_examples` at most."""

    seed: int
    folder: Path
    tally: Tally = field(default_factory=Tally)
    most_examples: int = 1_000

    def run(self, targets: Sequence[Target], seconds: float, first: int = 0) -> None:
        """Round after round, from the `first`, with a line of progress each some seconds."""
        begun = told = time.monotonic()
        for number in count(first):
            if time.monotonic() - begun >= seconds:
                break
            self.run_round(targets, number)
            if time.monotonic() - told > 10:
                told = time.monotonic()
                self._tell(number, told - begun)

    def run_round(self, targets: Sequence[Target], number: int) -> None:
        """One target's examples; what is found is written at once."""
        target = targets[number % len(targets)]
        known = set(self.tally.findings)

        @hypothesis.seed(self.seed * 1_000_003 + number)
        @settings(_SETTINGS, max_examples=min(target.examples, self.most_examples))
        @given(target.strategy)
        def try_one(example: Any) -> None:
            try:
                _check(target, example)
            except Finding as finding:
                self.tally.keep(finding)
                if finding.sign not in known:
                    raise

        try:
            try_one()
        except Exception as error:  # the finding, or that it does not always show: what was kept tells
            logging.getLogger(__name__).info("round %d: %s", number, error)
        if set(self.tally.findings) - known:
            self.tally.write(self.folder, f"seed-{self.seed}")

    def _tell(self, number: int, elapsed: float) -> None:
        rate = self.tally.items / elapsed
        line = f"round {number:,}, {elapsed / 60:.1f} min, {self.tally.items:,} items ({rate:.0f}/s)"
        print(f"{line}, findings: {len(self.tally.findings)}", file=sys.stderr, flush=True)


def _check(target: Target, example: Any) -> None:
    try:
        target.check(example)
    except Finding:
        raise
    except Exception as error:
        raise unexpected(error, target.files(example)) from error
