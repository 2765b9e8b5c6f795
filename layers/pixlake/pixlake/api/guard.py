"""What stands before every route: who may ask, how many at once, and what a browser may do with the answer."""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pixlake.api.problems import make_problem

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Guard:
    """Refuses other host names than `hosts`, where there are any: a page of a stranger's that has its name resolved
    to the loopback address would read the answers. And more than `at_once` requests with a body."""

    def __init__(self, app: ASGIApp, hosts: Collection[str], at_once: int) -> None:
        self._app, self._hosts, self._at_once = app, hosts, at_once
        self._bodies = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                message = {**message, "headers": headers.raw}
            await send(message)

        if refusal := self._refuse(scope):
            await refusal(scope, receive, send_guarded)
            return
        has_body = scope["method"] == "POST"
        self._bodies += has_body
        try:
            await self._app(scope, receive, send_guarded)
        finally:
            self._bodies -= has_body

    def _refuse(self, scope: Scope) -> Response | None:
        host = Headers(scope=scope).get("host", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if self._hosts and name.lower() not in self._hosts:
            return make_problem(421, "this server answers under its own name and the loopback address only")
        if scope["method"] == "POST" and self._bodies >= self._at_once:
            return make_problem(503, "too many requests at once; ask again in a moment")
        return None
