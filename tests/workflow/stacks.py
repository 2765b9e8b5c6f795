"""Stacks for the workflow tests: the real state machine over functions that do as they are told."""

import itertools
import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pixlake_cli.engine.engine import Engine
from pixlake_cli.engine.interpreter import Outcome
from pixlake_cli.engine.progress import Progress
from tests.project import INGEST, read_template

SCRIPTED = Path(__file__).with_name("scripted") / "scripted.py"
FOLDERS = (
    *("plan", "extract", "split", "embed", "classify", "classify_autogluon", "compact", "report"),
    "record_failure",
)
HANDLERS = {"embed": "infer", "classify": "infer", "classify_autogluon": "infer"}


def logical(folder: str) -> str:
    return "".join(word.capitalize() for word in folder.split("_")) + "Function"


def hasten(machine: Path, copy: Path) -> None:
    """Copy a state machine's definition, with waits between retries of at most a second, instead of a minute."""
    text, count = re.subn(r"(IntervalSeconds|MaxDelaySeconds): \d+", r"\1: 1", machine.read_text())
    assert count
    copy.write_text(text)


def build(root: Path, properties: dict[str, dict[str, Any]]) -> None:
    """A project at `root` with the real state machine; `properties` go over a function's `MemorySize`, `Timeout`."""
    hasten(INGEST, root / "ingest.asl.yaml")
    resources: dict[str, Any] = {}
    for folder in FOLDERS:
        home = root / "functions" / folder
        home.mkdir(parents=True)
        shutil.copy(SCRIPTED, home)
        (home / "app.py").write_text(f"from scripted import {HANDLERS.get(folder, folder)} as handler\n")
        variables = {"LAKE_URI": "s3://lake"}
        own = {"MemorySize": 1024, "Timeout": 30, "Environment": {"Variables": variables}, **properties.get(folder, {})}
        resources[logical(folder)] = {"Type": "AWS::Serverless::Function", "Properties": own}
    substitutions: dict[str, Any] = {name: {"Fn::GetAtt": [name, "Arn"]} for name in resources}
    resources["IngestStateMachine"] = {
        "Type": "AWS::Serverless::StateMachine",
        "Properties": {
            "DefinitionUri": "ingest.asl.yaml",
            "DefinitionSubstitutions": {
                **substitutions,
                "Partition": "aws",
                "LakeBucket": {"Ref": "LakeBucket"},
                "MapConcurrency": "100",
                "CompactAthenaStateMachine": "not started here",
            },
        },
    }
    ours = read_template()
    resources["FailedRule"] = ours["Resources"]["FailedRule"]
    (root / "template.yaml").write_text(yaml.safe_dump({"Resources": resources}))


@dataclass
class Stack:
    """A running engine, and what its executions left behind."""

    engine: Engine
    lake: Path
    progress: Progress = field(init=False)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def run(self, script: dict[str, list[str]] | None = None, **extra: Any) -> Outcome:
        self.progress = Progress(self.engine.states(), lambda _: None)
        name = f"execution-{next(self.numbers)}"
        return self.engine.execute(name, {"script": script or {}, **extra}, self.progress)

    def attempts(self, outcome: Outcome) -> dict[str, int]:
        """How often each step was tried."""
        steps = sorted(path.stem for path in (self.lake / "attempts" / outcome.name).iterdir())
        return {step: steps.count(step) for step in steps}

    def failure(self, outcome: Outcome) -> dict[str, Any]:
        """The execution's end as RecordFailure was told it."""
        recorded: dict[str, Any] = json.loads((self.lake / "failures" / f"{outcome.name}.json").read_text())
        return recorded
