"""What a run says at its end: in words for people, as one object for programs."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixlake.lake import Work
from pixlake.messages import TOTALS, StateError
from pixlake_cli.engine.interpreter import Outcome
from pixlake_cli.engine.progress import Progress


@dataclass(frozen=True)
class Ended:
    """One execution that has ended, in the lake folder `lake`, after `seconds`."""

    outcome: Outcome
    progress: Progress
    experiment_id: str
    lake: Path
    seconds: float

    @property
    def good(self) -> bool:
        return self.outcome.status == "SUCCEEDED"

    @property
    def report(self) -> str:
        """The report's path, empty where there is none."""
        return self.progress.report_uri.removeprefix("file://")

    def summary(self) -> str:
        """Counts, times, where the report is, what to know of the models, and a query to begin with."""
        output, timings = self.outcome.output, self.outcome.timings
        counts = ", ".join(f"{output.get(key, 0):,} {key}" for key in TOTALS)
        steps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in timings.items())
        notice = output.get("notice")
        return "\n".join(
            [
                f"{self.experiment_id}: {counts}",
                f"Seconds: {self.seconds} ({steps})",
                f"Report:  {self.report}",
                *([f"Notice:  {notice}"] if notice else []),
                f'Query:   pixlake query "{self._query()}" --lake {shlex.quote(str(self.lake))}',
            ]
        )

    def explanation(self, logs: Path) -> str:
        """One paragraph: where it failed, of what, what to do about it, and where to read more."""
        # the report's module comes with Arrow, and only failures need it
        from pixlake.report.causes import explain
        from pixlake.report.gather import count_shards, list_work

        work = Work(f"file://{self.lake}", self.outcome.name)
        listing = list_work(work)
        cause = explain(self._error(), listing, count_shards(work, listing))
        report = f"Report: {self.report}. " if self.report else ""
        state = self.outcome.state or cause.step
        message = cause.message if cause.message.endswith((".", "!", "?")) else f"{cause.message}."
        text = f"{state} failed with {cause.error}: {message} {cause.advice} {report}Logs: {logs}"
        return " ".join(text.split())

    def result(self) -> dict[str, Any]:
        """For `--json`."""
        outcome = self.outcome
        result: dict[str, Any] = {"execution": outcome.name, "status": outcome.status}
        result |= {key: outcome.output.get(key, 0) for key in TOTALS}
        result |= {"seconds": self.seconds, "timings": dict(outcome.timings), "report": self.report}
        if notice := outcome.output.get("notice"):
            result["notice"] = notice
        if not self.good:
            result |= {"error": outcome.error, "cause": outcome.cause, "state": outcome.state}
        return result

    def _error(self) -> StateError:
        """The error; for a Map's, which says nothing, that of a child."""
        inner = self.progress.failures.get(self.outcome.state)
        if inner and self.outcome.error.startswith("States."):
            return StateError(str(inner.get("errorType", self.outcome.error)), json.dumps(inner))
        return StateError(self.outcome.error, self.outcome.cause)

    def _query(self) -> str:
        where = f"WHERE experiment_id = '{self.experiment_id}'"
        if self.outcome.output.get("predicted"):
            return f"SELECT label, count(*) AS n FROM predictions {where} GROUP BY label ORDER BY n DESC"
        table = "records" if self.outcome.output.get("records") else "embeddings"
        return f"SELECT count(*) AS n FROM {table} {where}"
