"""The application that gathers loose images, beside a stack on MiniStack: its rule, queues and mapping as it has them.

What MiniStack does otherwise than AWS: its mapping waits for no window and hands on what is there at once, so a test
holds the mapping while it puts images. It puts no limit on an invocation's bytes; the template's batch size does. A
message is shown again after seconds here, not after the template's minutes.
"""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from pixlake_cli.engine import pool
from pixlake_cli.engine.admission import Cores
from pixlake_cli.engine.sandbox import Answer
from pixlake_cli.engine.template import REGION
from tests.builders.collecting import Application, read_application
from tests.engines.stacks import Stack

FUNCTION = "CollectFunction"


@dataclass
class Collecting:
    """What gathers the images of a stack; a message is `hidden` for so many seconds while it is worked on."""

    stack: Stack
    application: Application
    hidden: int

    def __post_init__(self) -> None:
        self.sqs, self.lambdas = (boto3.client(name, region_name=REGION) for name in ("sqs", "lambda"))
        self.told: set[str] = set()
        self.urls: dict[str, str] = {}

    def deploy(self) -> None:
        for name in ("UncollectedQueue", "GatheringQueue"):
            properties = self.application.properties(name)
            attributes = {"VisibilityTimeout": str(self.hidden)}
            if redrive := properties.get("RedrivePolicy"):
                attributes["RedrivePolicy"] = json.dumps(redrive)
            self.urls[name] = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self._put_rule("LooseRule")
        self.lambdas.create_function(
            FunctionName=FUNCTION,
            Runtime="python3.13",
            Role="arn:aws:iam::123456789012:role/collect",
            Handler="app.handler",
            Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
        )
        mapping = self.application.properties("Gathering") | {"FunctionName": FUNCTION}
        mapping["MaximumBatchingWindowInSeconds"] = int(mapping["MaximumBatchingWindowInSeconds"])
        self.mapping = self.lambdas.create_event_source_mapping(**mapping)["UUID"]

    def _put_rule(self, name: str) -> None:
        events, properties = boto3.client("events", region_name=REGION), self.application.properties(name)
        events.put_rule(Name=name, EventPattern=json.dumps(properties["EventPattern"]))
        answer = events.put_targets(Rule=name, Targets=properties["Targets"])
        assert answer["FailedEntryCount"] == 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """As in a window that has not ended: the queue fills."""
        self.lambdas.update_event_source_mapping(UUID=self.mapping, Enabled=False)
        yield
        self.lambdas.update_event_source_mapping(UUID=self.mapping, Enabled=True)

    def taken(self) -> list[str]:
        """The bodies of all messages, which are then no more in the queue."""
        bodies: list[str] = []
        while found := self.sqs.receive_message(QueueUrl=self.urls["GatheringQueue"], MaxNumberOfMessages=10).get(
            "Messages"
        ):
            bodies += [it["Body"] for it in found]
            entries = [{"Id": str(number), "ReceiptHandle": it["ReceiptHandle"]} for number, it in enumerate(found)]
            self.sqs.delete_message_batch(QueueUrl=self.urls["GatheringQueue"], Entries=entries)
        return bodies

    def send(self, bodies: Sequence[str]) -> None:
        for start in range(0, len(bodies), 10):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + 10])]
            self.sqs.send_message_batch(QueueUrl=self.urls["GatheringQueue"], Entries=entries)

    def shuffle(self, chance: random.Random, again: int) -> int:
        """Put what is in the queue into any order, some of it twice; how many messages there are then."""
        bodies = self.taken()
        bodies += chance.choices(bodies, k=again)
        chance.shuffle(bodies)
        self.send(bodies)
        return len(bodies)

    def drained(self) -> list[dict[str, Any]]:
        """The executions that were started since this was asked last, at their ends, when the queue is empty."""
        self.stack._wait(lambda: not self._waiting())
        fresh = [it["executionArn"] for it in self.stack._executions() if it["executionArn"] not in self.told]
        self.told.update(fresh)
        return [self.stack.ended(execution) for execution in fresh]

    def dead(self) -> list[dict[str, Any]]:
        found = self.sqs.receive_message(QueueUrl=self.urls["UncollectedQueue"], MaxNumberOfMessages=10)
        return [json.loads(it["Body"]) for it in found.get("Messages", [])]

    def _waiting(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.urls["GatheringQueue"], AttributeNames=names)
        return sum(map(int, answer["Attributes"].values()))


@contextmanager
def open_collecting(stack: Stack, hidden: int = 3) -> Iterator[Collecting]:
    """The application of a stack; its function runs in a worker process, as the others do."""
    application = read_application(stack.resources)
    runner = pool.Pool(application.function, {}, Cores(1), stack.functions.logs)
    answer = stack.functions.invoke

    def invoke(function: str, payload: bytes) -> Answer:
        return runner.invoke(payload) if function == FUNCTION else answer(function, payload)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stack.functions, "invoke", invoke)
        collecting = Collecting(stack, application, hidden)
        collecting.deploy()
        try:
            yield collecting
        finally:
            runner.close()
