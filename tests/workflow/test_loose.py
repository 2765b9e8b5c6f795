"""Loose objects through the state machine: images have times of their own, and a table that comes later joins them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pixlake import storage
from pixlake.iceberg.lakes import Lake
from pixlake_cli.engine.engine import Engine
from tests.builders.model_lakes import MODELS, image, make_lake, rows
from tests.project import ROOT


@dataclass
class Loose:
    """Executions on what is put into a folder."""

    engine: Engine
    lake: Lake
    folder: Path
    made: list[str] = field(default_factory=list)

    def take(self, experiment: str, day: int, files: dict[str, bytes | str]) -> dict[str, Any]:
        """Put files that came on a day of January, and run them."""
        lines = []
        for name, content in files.items():
            path = self.folder / experiment / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            lines.append({"path": name, "uri": f"file://{path}", "uploaded_at": f"2026-01-{day:02d}T00:00:00Z"})
        name = f"{experiment}-{len(self.made)}"
        self.made.append(name)
        uri = f"{self.lake.uri}/work/{name}/objects.gathered.jsonl"
        storage.write(uri, msgspec.json.Encoder().encode_lines(lines))
        outcome = self.engine.execute(name, {"upload_uri": uri, "experiment_id": experiment})
        assert outcome.status == "SUCCEEDED", (outcome.error, outcome.cause)
        return outcome.output

    def days(self, table: str, experiment: str, column: str) -> dict[str, int]:
        return {row[column]: row["uploaded_at"].day for row in rows(self.lake, table, experiment)}

    def owners(self, experiment: str) -> dict[str, str | None]:
        return {row["image_path"]: row["record_id"] for row in rows(self.lake, "embeddings", experiment)}


@pytest.fixture(scope="module")
def loose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loose]:
    lake = make_lake(tmp_path_factory.mktemp("lake"))
    with Engine(lake.uri, lake.catalog_uri, MODELS, ROOT) as engine:
        yield Loose(engine, lake, tmp_path_factory.mktemp("loose"))


def test_an_older_image_that_is_run_later_does_not_replace_a_newer_one(loose: Loose) -> None:
    loose.take("late", 5, {"a.png": image((1, 0, 0)), "b.png": image((2, 0, 0))})
    output = loose.take("late", 3, {"a.png": image((9, 0, 0)), "c.png": image((3, 0, 0))})
    assert loose.days("embeddings", "late", "image_path") == {"a.png": 5, "b.png": 5, "c.png": 3}
    assert output["effects"]["embeddings"]["older"] == 1


def test_nothing_that_is_left_to_take_is_a_run_of_nothing(loose: Loose) -> None:
    output = loose.take("nothing", 1, {})
    assert [output[key] for key in ("images", "records", "rejected")] == [0, 0, 0]


def test_a_table_that_comes_later_joins_the_images_which_are_not_embedded_again(loose: Loose) -> None:
    loose.take("joined", 1, {"1.png": image((1, 0, 0)), "2-1.png": image((2, 0, 0)), "stray.png": image((3, 0, 0))})
    loose.take("joined", 2, {"2-2.png": image((4, 0, 0))})
    assert set(loose.owners("joined").values()) == {None}
    output = loose.take("joined", 3, {"pets.csv": "id,Age\n1,3\n2,4\n3,5\n", "3.png": image((5, 0, 0))})
    assert (output["images"], output["embedded"], output["records"]) == (1, 1, 3)
    assert loose.owners("joined") == {"1.png": "1", "2-1.png": "2", "2-2.png": "2", "3.png": "3", "stray.png": None}
    records = {row["record_id"]: list(row["image_paths"]) for row in rows(loose.lake, "records", "joined")}
    assert records == {"1": ["1.png"], "2": ["2-1.png", "2-2.png"], "3": ["3.png"]}
    assert loose.days("embeddings", "joined", "image_path")["1.png"] == 1
    again = loose.take("joined", 4, {"pets.csv": "id,Age\n1,9\n"})
    assert (again["images"], again["rejected"]) == (0, 0)
    (first, *_) = rows(loose.lake, "records", "joined")
    assert (json.dumps(dict(first["attributes"])), list(first["image_paths"])) == ('{"Age": "9"}', ["1.png"])
