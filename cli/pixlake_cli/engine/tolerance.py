"""Fails a Map when more of its children fail than it tolerates.

moto 5.2 counts these children and then passes the Map all the same. There is no public way to correct that, so this
wraps the one method that runs a Map; a workflow test fails when a new moto makes it unneeded or breaks it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from moto.stepfunctions.parser.api import HistoryEventType, MapRunFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import distributed_iteration_component

if TYPE_CHECKING:
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

CAUSE = "The specified tolerated failure threshold was exceeded"


@contextmanager
def enforced() -> Iterator[None]:
    """Maps count their failed children for the length of the block."""
    component = cast("Any", distributed_iteration_component.DistributedIterationComponent)
    run = component._map_run

    def run_and_count(self: Any, env: Any, eval_input: Any) -> None:
        run(self, env=env, eval_input=eval_input)
        counts = eval_input.map_run_record.item_counter.describe()
        failed = counts["failed"] + counts["timedOut"]
        if failed > counts["total"] * eval_input.tolerated_failure_percentage / 100:
            raise FailureEventException(_exceeded(env))

    component._map_run = run_and_count
    try:
        yield
    finally:
        component._map_run = run


def _exceeded(env: Any) -> FailureEvent:
    name = StatesErrorName(StatesErrorNameType.StatesExceedToleratedFailureThreshold)
    details: Any = {"mapRunFailedEventDetails": MapRunFailedEventDetails(error=str(name.error_name), cause=CAUSE)}
    return FailureEvent(env, name, HistoryEventType.MapRunFailed, cast("EventDetails", details))
