"""A run's summary: text for people, one object for programs."""

import json
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pixlake.effects import describe_effects, explain_older
from pixlake.lake import Work
from pixlake.messages import TOTALS, Effect, StateError
from pixlake.report.next_steps import write_condition
from pixlake_cli.engine.interpreter import Outcome
from pixlake_cli.engine.progress import Progress

_FULL = 1 << 20  # bytes free


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
        """Warnings, counts, times, the report's path, the models' notice, and a query."""
        output, timings = self.outcome.output, self.outcome.timings
        counts = ", ".join(f"{output.get(key, 0):,} {key}" for key in TOTALS)
        steps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in timings.items())
        notice = output.get("notice")
        return "\n".join(
            [
                *(f"Warning: {warning}." for warning in self._warnings()),
                f"{self.experiment_id}: {counts}",
                *self._changed(),
                *self._left_out(),
                f"Seconds: {self.seconds} ({steps})",
                f"Report:  {self.report}",
                *([f"Notice:  {notice}"] if notice else []),
                f'Query:   pixlake query "{self._query()}" --lake {shlex.quote(str(self.lake))}',
            ]
        )

    def explanation(self, logs: Path) -> str:
        """One paragraph: the failed state, its error, the remedy, the report and the logs."""
        # the report's module imports Arrow, and only failures need it
        from pixlake.report.causes import explain
        from pixlake.report.gather import count_shards, list_work

        work = Work(f"file://{self.lake}", self.outcome.name)
        listing = list_work(work)
        cause = explain(self._error(), listing, count_shards(work, listing))
        report = f"Report: {self.report}." if self.report else f"No report could be written: {self._why_no_report()}."
        state = self.outcome.state or cause.step
        message = cause.message if cause.message.endswith((".", "!", "?")) else f"{cause.message}."
        text = f"{state} failed with {cause.error}: {message} {cause.advice} {report} Logs: {logs}"
        return " ".join(text.split())

    def _why_no_report(self) -> str:
        free = shutil.disk_usage(self.lake).free
        return f"the disk of {self.lake} is full" if free < _FULL else "RecordFailure's log says why"

    def result(self) -> dict[str, Any]:
        """For `--json`."""
        outcome = self.outcome
        result: dict[str, Any] = {"execution": outcome.name, "status": outcome.status}
        result |= {key: outcome.output.get(key, 0) for key in TOTALS}
        result |= {"effects": self.outcome.output.get("effects", {}), "warnings": self._warnings()}
        result |= {"seconds": self.seconds, "timings": dict(outcome.timings), "report": self.report}
        if notice := outcome.output.get("notice"):
            result["notice"] = notice
        if not self.good:
            result |= {"error": outcome.error, "cause": outcome.cause, "state": outcome.state}
        return result

    def _changed(self) -> Iterator[str]:
        """The effects on the tables' rows."""
        effects = msgspec.convert(self.outcome.output.get("effects", {}), dict[str, Effect])
        if words := describe_effects(effects):
            yield f"Changed: {words}"
        if older := explain_older(effects, self.outcome.output.get("uploaded_at", "")):
            yield f"{older}."

    def _warnings(self) -> list[str]:
        return list(self.outcome.output.get("warnings", ()))

    def _left_out(self) -> Iterator[str]:
        """The reasons why rows are rejected, and why none is predicted."""
        output = self.outcome.output
        if reasons := output.get("reasons"):
            listed = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
            others = output.get("rejected", 0) - sum(reasons.values())
            yield f"Rejects: {listed}{f', {others:,} others' if others > 0 else ''}"
        if output.get("unpredicted"):
            yield f"{output['unpredicted']}."

    def _error(self) -> StateError:
        """The error; for a Map, whose own says nothing, that of a child."""
        inner = self.progress.failures.get(self.outcome.state)
        if inner and self.outcome.error.startswith("States."):
            return StateError(str(inner.get("errorType", self.outcome.error)), json.dumps(inner))
        return StateError(self.outcome.error, self.outcome.cause)

    def _query(self) -> str:
        """What a person looks at next: what was left out, else the results with the rows that they are for."""
        output, mine = self.outcome.output, f"experiment_id = '{self.experiment_id}'"
        if output.get("rejected"):
            if uploaded_at := output.get("uploaded_at"):
                mine = write_condition(self.experiment_id, uploaded_at)
            return f"SELECT reason, source, detail FROM rejects WHERE {mine} LIMIT 50"
        if output.get("predicted") and output.get("records"):
            return (
                "SELECT record_id, label, score, image_paths, attributes FROM records LEFT JOIN predictions"
                f" USING (experiment_id, record_id) WHERE {mine} ORDER BY score LIMIT 20"
            )
        if output.get("predicted"):
            return f"SELECT image_path, label, score FROM predictions WHERE {mine} ORDER BY score LIMIT 20"
        if output.get("records"):
            return f"SELECT record_id, image_paths, attributes FROM records WHERE {mine} LIMIT 20"
        return f"SELECT image_path, width, height FROM embeddings WHERE {mine} LIMIT 20"
