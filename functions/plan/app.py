"""Handler of the state that this folder is named for; the work is `pixlake.steps.plan.plan`."""

from typing import Any

from pixlake.handler import instrumented
from pixlake.messages import PlanRequest, parse, plain
from pixlake.settings import PlanSettings, from_environment
from pixlake.steps.plan import plan

SETTINGS = from_environment(PlanSettings)


@instrumented()
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return plain(plan(parse(event, PlanRequest), SETTINGS))
