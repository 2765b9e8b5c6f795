"""Handler of the state that this folder is named for; the work is `pixlake.steps.plan.plan`."""

from typing import Any

from pixlake.handler import instrumented
from pixlake.messages import plain
from pixlake.settings import PlanSettings, from_environment
from pixlake.steps.plan import plan
from pixlake.triggers import read_request

SETTINGS = from_environment(PlanSettings)


@instrumented()
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    return plain(plan(read_request(event), SETTINGS))
