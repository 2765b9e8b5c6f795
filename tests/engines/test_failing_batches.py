"""Batches that fail: the two interpreters end alike, within the tolerance and above it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pixlake.failures import MAP_FAILED
from pixlake.iceberg.lakes import Lake
from tests.builders.model_lakes import MODELS, make_lake, make_zip, rows
from tests.engines.stacks import Functions, Stack, open_stack

BATCHES = 40
TOLERATED = 2  # 5 percent
PARAMETERS = {**MODELS, "BatchRows": "1"}
GOOD = ["StorageError", "Runtime.ExitError", "StorageError"]
ORDERS = {
    "all-tolerated": [["ValueError"]] * TOLERATED,
    "one-too-many": [["ValueError"]] * (TOLERATED + 1),
    "more-than-half": [["ValueError"]] * (BATCHES // 2 + 1),
    # each Retrier counts for itself: one exit is forgiven beside failures of the store, a second is not
    "counted-apart": [GOOD, ["Runtime.ExitError"] * 2],
}
"""How batches fail, by the experiment; what Step Functions retries is listed in the definition."""


@dataclass(frozen=True)
class End:
    """How an execution ended, and what it left."""

    status: str
    error: str
    predicted: int
    rejects: tuple[tuple[str, str], ...]
    attempts: tuple[int, ...]

    @classmethod
    def of(cls, functions: Functions, lake: Lake, experiment: str, status: str, error: str) -> "End":
        (row,) = rows(lake, "executions", experiment)
        assert row["status"] == status
        rejects = sorted((row["stage"], row["reason"]) for row in rows(lake, "rejects", experiment))
        attempts = sorted((it for it in functions.attempts.values() if it > 1), reverse=True)
        return cls(status, error, len(rows(lake, "predictions", experiment)), tuple(rejects), tuple(attempts))


def good(lost: int, *attempts: int) -> End:
    return End("SUCCEEDED", "", BATCHES - lost, (("classify", "batch_lost"),) * lost, attempts)


BAD = End("FAILED", MAP_FAILED, 0, (("infer", MAP_FAILED),), ())
EXPECTED = {
    "all-tolerated": good(TOLERATED),
    "one-too-many": BAD,
    "more-than-half": BAD,
    "counted-apart": good(1, 4, 2),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A batch for each of its rows."""
    lines = "".join(f"{number},{number}\n" for number in range(BATCHES))
    return make_zip(tmp_path_factory.mktemp("upload") / "pets.zip", {"pets.csv": f"id,Age\n{lines}"})


@pytest.fixture(scope="module")
def by_moto(table: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, End]:
    """The ends on a laptop."""
    lake = make_lake(tmp_path_factory.mktemp("moto") / "lake")
    found = {}
    functions = Functions(lake, PARAMETERS)
    with functions:
        for name, orders in ORDERS.items():
            functions.fail(orders)
            outcome = functions.execute(name, {"upload_uri": f"file://{table}", "experiment_id": name})
            found[name] = End.of(functions, lake, name, outcome.status, outcome.error)
    shutil.rmtree(functions.logs, ignore_errors=True)
    return found


@pytest.fixture(scope="module")
def stack(by_moto: dict[str, End], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """After moto has ended, for it takes the process's AWS for itself."""
    assert by_moto
    models = make_lake(tmp_path_factory.mktemp("models") / "lake")
    assert models.folder
    with open_stack(tmp_path_factory.mktemp("lost"), PARAMETERS, models.folder / "models") as opened:
        yield opened


@pytest.mark.parametrize("name", ORDERS)
def test_failing_batches_end_alike_on_both_engines(
    stack: Stack, by_moto: dict[str, End], table: Path, name: str
) -> None:
    stack.functions.fail(ORDERS[name])
    ended = stack.upload(f"uploads/{name}/pets.zip", table.read_bytes())
    if ended["status"] == "FAILED":
        _, answer = stack.heard(ended["executionArn"])
        assert not answer.failed, answer.payload
    here = End.of(stack.functions, stack.lake, name, ended["status"], ended.get("error", ""))
    assert here == by_moto[name]
    assert here == EXPECTED[name]
