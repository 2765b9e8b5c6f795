"""HTTP connections that a stranger cannot hold: those that bring no request are closed, at the latest when there are
more than the process has files for.

uvicorn waits for a request for ever, and asyncio does not get over a process that has no file left for one.
"""

import asyncio
from typing import TYPE_CHECKING

from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from starlette.types import ASGIApp

SECONDS = 30.0
"""From the start, or from the last answer, to the end of the next request's head."""
# with what else a server has open, fewer than 256 files: the least that a system gives a process
_MOST, _PENDING = 96, 32
# what is under way when the server is told to end
_GRACE_SECONDS = 1


def configure(app: "ASGIApp") -> Config:
    """uvicorn's, for an app that tells of its errors itself; uvicorn would tell of requests that the end cuts off."""
    return Config(
        app,
        http=Connection,
        backlog=_PENDING,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


class Connection(H11Protocol):
    """One of at most `_MOST`; for one more the one that has waited longest for a request is closed."""

    _since = 0.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > _MOST:
            idle = [each for each in self.connections if isinstance(each, Connection) and each._is_idle]
            min(idle, key=lambda each: each._since)._close()

    def on_response_complete(self) -> None:
        self._wait()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def _is_idle(self) -> bool:
        """Whether no request is under way, or its answer is not read."""
        return self.cycle is None or self.cycle.response_complete or self.flow.write_paused

    def _wait(self) -> None:
        self._stop_waiting()
        self._since = self.loop.time()
        self._timer = self.loop.call_later(SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _give_up(self) -> None:
        if self._is_idle:
            self._close()

    def _close(self) -> None:
        self.connections.discard(self)  # uvicorn does so only when it hears of the end
        self.transport.abort()
