"""What Collect starts for the events that a queue gathered, and which messages it leaves to be delivered again."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from pixlake import storage
from pixlake.errors import StorageError, TransientError
from pixlake.messages import CollectAnswer, CollectRequest, Ingest, ItemFailure, parse
from pixlake.settings import CollectSettings
from pixlake.steps.collect import collect
from pixlake.zips.listings import Gathered
from tests.builders.loose import Event, changed, queued
from tests.project import read_event


@dataclass
class Machines:
    """A state machine that takes what is started, or does not for some experiments."""

    lake: str
    down: tuple[str, ...] = ()
    started: dict[str, Ingest] = field(default_factory=dict)

    def start(self, name: str, given: str) -> None:
        ingest = msgspec.json.decode(given, type=Ingest)
        if ingest.experiment_id in self.down:
            raise TransientError("throttled")
        self.started[name] = ingest

    def collect(self, *events: Event) -> CollectAnswer:
        return collect(queued(events), CollectSettings(self.lake, "arn"), self.start)

    def gathered(self, experiment_id: str) -> list[Gathered]:
        """What the one execution of an experiment takes."""
        (ingest,) = (it for it in self.started.values() if it.experiment_id == experiment_id)
        return msgspec.json.Decoder(Gathered).decode_lines(storage.read(ingest.upload_uri))


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    return Machines(f"file://{tmp_path}/lake")


def put(path: str, sequencer: str = "1", experiment: str = "pets") -> Event:
    return changed(f"images/{experiment}/{path}", sequencer, version=f"v{sequencer}")


def delete(path: str, sequencer: str) -> Event:
    return changed(f"images/pets/{path}", sequencer, deleted=True, version=f"v{sequencer}")


def test_many_images_are_one_execution_an_experiment(machines: Machines) -> None:
    events = [put(f"{number}.jpg", experiment=name) for number in range(50) for name in ("pets", "birds")]
    answer = machines.collect(*events)
    assert sorted(answer.executions) == sorted(machines.started)
    assert len(answer.executions) == 2
    assert not answer.batch_item_failures
    options, *lines = machines.gathered("pets")
    assert (options.path, options.uploaded_at) == ("pixlake.json", None)
    assert sorted(line.path for line in lines) == sorted(f"{number}.jpg" for number in range(50))
    assert lines[0].uri == "s3://uploads/images/pets/0.jpg"
    assert lines[0].version == "v1"


def test_the_same_messages_in_another_order_start_the_same_execution(machines: Machines) -> None:
    events = [put("a.jpg", "1"), put("a.jpg", "2"), put("b.jpg")]
    first = machines.collect(*events)
    assert machines.collect(*reversed(events), *events) == first
    assert len(machines.started) == 1


def test_what_changes_between_starts_another(machines: Machines) -> None:
    first = machines.collect(put("a.jpg", "1"))
    assert machines.collect(put("a.jpg", "2")).executions != first.executions


def test_the_newest_version_of_an_image_is_taken(machines: Machines) -> None:
    machines.collect(put("a.jpg", "0a1"), put("a.jpg", "0b"), put("a.jpg", "0a"))
    assert [line.version for line in machines.gathered("pets")[1:]] == ["v0b"]


def test_an_image_that_was_deleted_since_is_not_taken(machines: Machines) -> None:
    machines.collect(delete("a.jpg", "2"), put("a.jpg", "1"), put("b.jpg"))
    assert [line.path for line in machines.gathered("pets")[1:]] == ["b.jpg"]


def test_deletions_alone_start_nothing(machines: Machines) -> None:
    assert machines.collect(delete("a.jpg", "2"), put("deep/")) == CollectAnswer((), (), ())
    assert machines.started == {}


def test_a_message_that_is_no_event_fails_alone(machines: Machines) -> None:
    answer = machines.collect(put("a.jpg"), {"no": "event"}, put("b.jpg", experiment="my pets"))
    assert answer.batch_item_failures == (ItemFailure("1"), ItemFailure("2"))
    assert len(answer.errors) == 2
    assert "my pets" in answer.errors[1]
    assert len(machines.started) == 1


def test_an_experiment_that_cannot_be_started_fails_alone_and_whole(machines: Machines) -> None:
    machines.down = ("pets",)
    answer = machines.collect(put("a.jpg"), put("x.jpg", experiment="birds"), delete("b.jpg", "3"), put("b.jpg"))
    assert {it.item_identifier for it in answer.batch_item_failures} == {"0", "2", "3"}
    assert answer.errors == ("pets: throttled",)
    machines.down = ()
    again = machines.collect(put("a.jpg"), delete("b.jpg", "3"), put("b.jpg"))
    assert not again.batch_item_failures
    assert [line.path for line in machines.gathered("pets")[1:]] == ["a.jpg"]


def test_a_lake_that_cannot_be_written_leaves_its_messages(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StorageError("down")

    monkeypatch.setattr(storage, "write", fail)
    assert machines.collect(put("a.jpg")).batch_item_failures == (ItemFailure("0"),)


def test_the_answer_is_as_lambda_reads_it(machines: Machines) -> None:
    answer = json.loads(msgspec.json.encode(machines.collect({"no": "event"})))
    assert answer["batchItemFailures"] == [{"itemIdentifier": "0"}]


def test_the_event_of_the_folder_is_an_invocation(machines: Machines) -> None:
    request = parse(read_event("collect"), CollectRequest)
    answer = collect(request, CollectSettings(machines.lake, "arn"), machines.start)
    assert [name.rpartition("-")[0] for name in answer.executions] == ["emoji"]
