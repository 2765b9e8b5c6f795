"""A failed execution's page says what to do about every error that the state machine knows."""

from pathlib import Path

import pytest
import yaml

from pixlake.messages import StateError
from pixlake.report.causes import explain
from pixlake.report.gather import Listing

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = yaml.safe_load((ROOT / "statemachine/ingest.asl.yaml").read_text())
RETRIED = sorted(error for retry in DEFINITION["States"]["Plan"]["Retry"] for error in retry["ErrorEquals"])


@pytest.mark.parametrize("error", [*RETRIED, "ChangedObject"])
def test_every_error_that_is_named_has_advice(error: str) -> None:
    assert "on purpose" not in explain(StateError(error), Listing("file:///w", ()), 0).advice


def test_out_of_memory_says_what_to_raise() -> None:
    advice = explain(StateError("Runtime.OutOfMemory"), Listing("file:///w", ()), 0).advice
    assert "memory" in advice
    for parameter in ("InferenceMemory", "SplitMemory", "CompactMemory", "BatchRows"):
        assert parameter in advice
