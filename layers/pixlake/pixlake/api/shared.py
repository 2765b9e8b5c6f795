"""What the routes of one app share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from pixlake.api.bodies import Limits
from pixlake.iceberg.lakes import Lake
from pixlake.search.chosen import Chosen
from pixlake.search.resident import Resident


class Compute(Protocol):
    """Runs a call in a thread, as many at once as there are cores."""

    def __call__(self, call: Callable[..., Any], *args: Any) -> Awaitable[Any]: ...


@dataclass(frozen=True)
class Shared:
    """`choose` evaluates a condition on the images by a model, of an experiment or of all."""

    lake: Lake
    resident: Resident
    limits: Limits
    compute: Compute
    choose: Callable[[str, str | None, str], Chosen]


MoreRoutes = Callable[[Shared], list[Route]]


def answer_json(found: Any, headers: dict[str, str] | None = None) -> Response:
    """Dataclasses as objects."""
    return Response(msgspec.json.encode(found), headers=headers, media_type="application/json")
