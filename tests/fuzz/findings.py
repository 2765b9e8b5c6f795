"""What a check says of an input, and what must not be."""

import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

NOTE = "note"
"""Before a sign: worth a look, and as it should be."""


@dataclass
class Finding(Exception):
    """`sign` is the same for inputs that show one fault; the input is in `files`, by name."""

    sign: str
    words: str
    files: dict[str, bytes]

    def __str__(self) -> str:
        return f"{self.sign}: {self.words}"

    @property
    def size(self) -> int:
        return sum(map(len, self.files.values()))


def broken(what: str, files: Mapping[str, bytes]) -> Finding:
    """Something that must not be; its sign is what stands before the first colon."""
    sign, _, words = what.partition(": ")
    return Finding(sign, words, dict(files))


def unexpected(error: BaseException, files: Mapping[str, bytes]) -> Finding:
    """An exception that no check expects: told from others by its type and the line that raised it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    words = "".join(traceback.format_exception(error))
    return Finding(f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}", words, dict(files))


@dataclass
class Tally:
    """Outcomes by format, and the findings by sign: the smallest input of each, and how often it was seen."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    findings: dict[str, Finding] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)

    def count(self, kind: str, outcome: str) -> None:
        self.outcomes.setdefault(kind, Counter())[outcome] += 1

    @property
    def items(self) -> int:
        return sum(counts.total() for counts in self.outcomes.values())

    @property
    def violations(self) -> int:
        """The findings, but not what is only noted."""
        return sum(not sign.startswith(NOTE) for sign in self.findings)

    def keep(self, finding: Finding) -> bool:
        """Take in a finding; whether it is the first of its sign or smaller than the one before."""
        self.seen[finding.sign] += 1
        before = self.findings.get(finding.sign)
        if before is not None and before.size <= finding.size:
            return False
        self.findings[finding.sign] = finding
        return True

    def table(self) -> str:
        """Items by format with their outcomes, then the findings."""
        lines = [f"{'format':<10} {'items':>9}  outcomes"]
        for kind, counts in sorted(self.outcomes.items()):
            told = ", ".join(f"{outcome} {count:,}" for outcome, count in counts.most_common())
            lines.append(f"{kind:<10} {counts.total():>9,}  {told}")
        lines.append(f"{'in all':<10} {self.items:>9,}  findings: {self.violations}")
        lines += [f"  {self.seen[sign]:,} x {sign}" for sign in self.findings]
        return "\n".join(lines)

    def write(self, folder: Path, label: str) -> None:
        """Each finding as its input's files and a page of words."""
        for number, finding in enumerate(self.findings.values()):
            place = folder / f"{label}-{number}"
            place.mkdir(parents=True, exist_ok=True)
            (place / "finding.txt").write_text(f"{finding}\n", errors="replace")
            for name, data in finding.files.items():
                (place / name).write_bytes(data)
