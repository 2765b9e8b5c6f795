"""The routes. Each reads what is asked, has it computed in a thread, as many at once as there are cores, and answers.

`openapi.json` beside this describes them.
"""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import asdict
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import anyio.to_thread
import msgspec
import numpy as np
from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

import pixlake
from pixlake.api.asked import (
    MOST,
    Like,
    Search,
    check_number,
    parse_search,
    read_flag,
    read_model,
    read_number,
    wants_text,
)
from pixlake.api.bodies import Limits, media_type, read_body, read_image
from pixlake.api.guard import LOOPBACK, Guard
from pixlake.api.notices import MODEL, Notices
from pixlake.api.pages import make_page
from pixlake.api.problems import HANDLERS
from pixlake.api.shared import MoreRoutes, Shared, answer_json
from pixlake.api.thumbnails import LARGEST, SMALLEST, draw_thumbnail, sign_image
from pixlake.cores import available_cores
from pixlake.errors import BadImage
from pixlake.iceberg.lakes import Lake
from pixlake.images.decoders import Decoders
from pixlake.inference.answers import Answer, classify_images, describe
from pixlake.inference.choosing import choose_classifier, find_bundle, reads_texts
from pixlake.inference.embedder import Embedder
from pixlake.inference.loaded import load_classifier, load_embedder
from pixlake.search import NEARLY_SAME
from pixlake.search.chosen import Chosen
from pixlake.search.conditions import Conditions, tables_of
from pixlake.search.places import user_cache
from pixlake.search.quantized import Floats
from pixlake.search.ranking import Hit
from pixlake.search.resident import Resident

ChooseImages = Callable[[Lake, str, str | None, str], Chosen]
"""The images with a vector by a model, of one experiment or all, for which a condition in SQL holds."""

P = ParamSpec("P")
R = TypeVar("R")

_THUMBNAIL = 256
_CACHED = "private, max-age=300"


def make_app(
    lake: Lake,
    limits: Limits | None = None,
    hosts: Collection[str] = LOOPBACK,
    choose: ChooseImages | None = None,
    cache: Path | None = None,
    signs: bool = False,
    more: MoreRoutes | None = None,
) -> Guard:
    """The ASGI app over a lake; it answers under the names `hosts`, or under any where there are none.

    `choose` evaluates the condition of a search; without it one that has a condition is refused. `cache` is a folder
    for indexes, the user's unless it is given. One that `signs` leads to an image in its bucket, and draws none. `more`
    makes routes beside these.
    """
    limits = limits or Limits()
    api = Api(lake, limits, choose, cache, signs, more)
    app = Starlette(routes=api.routes(), exception_handlers=HANDLERS)
    app.state.lake = lake
    return Guard(app, hosts, limits.at_once)


class Api:
    """The answers to each route, for one lake."""

    def __init__(
        self,
        lake: Lake,
        limits: Limits,
        choose: ChooseImages | None = None,
        cache: Path | None = None,
        signs: bool = False,
        more: MoreRoutes | None = None,
    ) -> None:
        self._lake, self._limits, self._choose, self._signs = lake, limits, choose, signs
        self._resident = Resident(lake, cache or user_cache(), shared=signs)
        self._cores = CapacityLimiter(available_cores())
        self._decoders, self._notices = Decoders(limits.image), Notices(lake.uri)
        self._conditions = Conditions()
        self._page = make_page()
        self._more = more(Shared(lake, self._resident, limits, self._compute, self._images)) if more else []
        self._description = _describe_api({route.path.replace(":path", "") for route in self.routes()})

    def routes(self) -> list[Route]:
        return [
            Route("/", self.page),
            Route("/health", self.health),
            Route("/openapi.json", self.openapi),
            Route("/classify", self.classify, methods=["POST"]),
            Route("/embed", self.embed, methods=["POST"]),
            Route("/search", self.search, methods=["POST"]),
            Route("/experiments", self.experiments),
            Route("/images/{experiment_id}/{image_path:path}", self.image),
            *self._more,
        ]

    async def page(self, _: Request) -> Response:
        return HTMLResponse(self._page.html, headers={"Content-Security-Policy": self._page.policy})

    async def health(self, _: Request) -> Response:
        return answer_json({"status": "ok", "version": pixlake.__version__})

    async def openapi(self, _: Request) -> Response:
        return answer_json(self._description)

    async def classify(self, request: Request) -> Response:
        top, model = read_number(request, "top", 1, 1, MOST), read_model(request)
        data = await read_image(request, self._limits)
        answer = await self._compute(self._classify, data, model, top)
        if wants_text(request):
            return PlainTextResponse(_one_line(answer))
        return answer_json(describe(answer), await self._compute(self._notices.of_class, answer.model))

    async def embed(self, request: Request) -> Response:
        data = await read_image(request, self._limits)
        model, vector = await self._compute(self._embed, data, read_model(request))
        values = vector.tolist()
        if wants_text(request):
            return PlainTextResponse(" ".join(f"{value:.8g}" for value in values) + "\n")
        return answer_json({"model": model, "dimensions": len(values), "embedding": values})

    async def search(self, request: Request) -> Response:
        asked, query = request.query_params, await self._read_query(request)
        body = query if isinstance(query, Search) else Search()
        count = read_number(request, "n", 10, 1, MOST) if body.n is None else check_number("n", body.n, 1, MOST)
        experiment, model = body.experiment or asked.get("experiment"), body.model or read_model(request)
        where = body.where or asked.get("where")
        distinct = read_flag(request, "distinct") if body.distinct is None else body.distinct
        chosen, hits = await self._compute(self._search, query, count, experiment, model, where, distinct)
        notice = await self._compute(self._notices.of_search, chosen, hits)
        return answer_json([asdict(hit) for hit in hits], {MODEL: chosen, **notice})

    async def experiments(self, _: Request) -> Response:
        counts = await self._compute(self._resident.count)
        return answer_json([{"experiment_id": name, "vectors": count} for name, count in counts.items()])

    async def image(self, request: Request) -> Response:
        size = read_number(request, "size", _THUMBNAIL, SMALLEST, LARGEST)
        experiment, path = request.path_params["experiment_id"], request.path_params["image_path"]
        uri = await self._compute(self._find_image, experiment, path)
        if self._signs:
            address = await self._compute(sign_image, self._lake, uri)
            return RedirectResponse(address, 302, {"Cache-Control": _CACHED})
        headers = {"Cache-Control": _CACHED, "ETag": f'"{hashlib.sha256(f"{size} {uri}".encode()).hexdigest()[:32]}"'}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        drawn = await self._compute(draw_thumbnail, self._lake, uri, size, self._decoders)
        return Response(drawn, headers=headers, media_type="image/webp")

    async def _read_query(self, request: Request) -> Search | bytes:
        if media_type(request) == "application/json":
            return parse_search(await read_body(request, self._limits))
        return await read_image(request, self._limits)

    async def _compute(self, call: Callable[P, R], *args: P.args, **_: P.kwargs) -> R:
        return await anyio.to_thread.run_sync(call, *args, limiter=self._cores)

    def _classify(self, data: bytes, model: str | None, top: int) -> Answer:
        chosen = choose_classifier(self._lake.uri, model).model
        classifier = load_classifier(self._lake.uri, chosen, limits=self._limits.model)
        (answer,) = classify_images(classifier, [("", data)], top, self._decoders)
        if answer.error:
            raise answer.error
        return answer

    def _embed(self, data: bytes, wanted: str | None) -> tuple[str, Floats]:
        """The vector by the model that is wanted, else by the one that most vectors of the lake are of."""
        model = find_bundle(self._lake.uri, wanted).model if wanted else self._resident.read().choose(None)
        embedder = load_embedder(self._lake.uri, model, limits=self._limits.model)
        return embedder.model, self._embed_image(embedder, data)

    def _search(
        self,
        query: Search | bytes,
        count: int,
        experiment: str | None,
        wanted: str | None,
        where: str | None,
        distinct: bool,
    ) -> tuple[str, list[Hit]]:
        """The model, and what is nearest by it."""
        embeddings = self._resident.read(experiment)
        by_text = isinstance(query, Search) and query.text is not None
        model = embeddings.choose(wanted, partial(reads_texts, self._lake.uri) if by_text else None)
        images = None if where is None else self._images(model, experiment, where)
        vector = self._vector(query, model)
        return model, embeddings.find_nearest(model, vector, count, images, NEARLY_SAME if distinct else None)

    def _images(self, model: str, experiment: str | None, where: str) -> Chosen:
        if self._choose is None:
            raise HTTPException(422, "this server takes no condition")
        asked = model, experiment, self._resident.snapshots(tables_of(where))
        return self._conditions.choose(where, asked, partial(self._choose, self._lake, model, experiment, where))

    def _vector(self, query: Search | bytes, model: str) -> Floats:
        if isinstance(query, Search) and isinstance(query.like, Like):
            return self._resident.read(query.like.experiment_id).find_vector(model, query.like.image_path)
        embedder = load_embedder(self._lake.uri, model, limits=self._limits.model)
        if isinstance(query, bytes):
            return self._embed_image(embedder, query)
        return _finite(embedder.embed_texts([query.text or ""]))

    def _embed_image(self, embedder: Embedder, data: bytes) -> Floats:
        loaded = self._decoders.load(data, embedder.preprocessing)
        return _finite(embedder.embed_tensors([loaded.tensor]))

    def _find_image(self, experiment: str, path: str) -> str:
        return self._resident.read(experiment).find_uri(path)


def _one_line(answer: Answer) -> str:
    if answer.value is not None:
        return f"{answer.value:.6g}\n"
    return f"{answer.classes[0].label} {answer.classes[0].score:.4f}\n"


def _finite(vectors: Floats) -> Floats:
    """The only vector; BadImage where it is no number."""
    if not np.isfinite(vectors).all():
        raise BadImage("bad_embedding", "the model answered with no number")
    vector: Floats = vectors[0]
    return vector


def _describe_api(paths: Collection[str]) -> Any:
    described = msgspec.json.decode((files("pixlake.api") / "openapi.json").read_bytes())
    described["info"]["version"] = pixlake.__version__
    described["paths"] = {path: item for path, item in described["paths"].items() if path in paths}
    return described
