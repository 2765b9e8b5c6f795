"""The routes that the page shows a lake by: its images, filters, duplicates, map, rejects, executions and reports.

A map, duplicates and filters follow from all rows of an experiment. They are made once for the files of these rows,
one at a time, beside what the other routes compute.
"""

from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from pixlake import storage
from pixlake.api.asked import MOST, parse_images, read_fraction, read_number
from pixlake.api.bodies import read_body
from pixlake.api.kept import Kept
from pixlake.api.problems import conceal
from pixlake.api.shared import Shared, answer_json
from pixlake.browse.columns import Filter, list_filters
from pixlake.browse.copies import Copies, find_copies
from pixlake.browse.history import read_executions, read_rejects
from pixlake.browse.images import Known, Shown, describe, find_image, list_images
from pixlake.browse.rows import Files, list_files
from pixlake.errors import BadInput, BadRequest, MissingObject
from pixlake.lake import check_identifier, report_uri
from pixlake.pages.experimentmap import DETAILED, draw_no_map, draw_served_map, make_map
from pixlake.pages.policy import Page
from pixlake.schemas import EMBEDDINGS, PREDICTIONS, RECORDS
from pixlake.search import NEARLY_SAME

_FILTERED = (PREDICTIONS.name, RECORDS.name)
_MAPPED = (EMBEDDINGS.name, *_FILTERED)
_REPORT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
_MAPS, _COPIES, _FILTERS = 4, 16, 64


def make_views(shared: Shared) -> list[Route]:
    """The routes."""
    return Views(shared).routes()


class Views:
    """The answers to each of them."""

    def __init__(self, shared: Shared) -> None:
        self._lake, self._resident, self._limits = shared.lake, shared.resident, shared.limits
        self._compute, self._choose = shared.compute, shared.choose
        self._maps, self._copies = Kept[Page](_MAPS), Kept[Copies](_COPIES)
        self._filters = Kept[list[Filter]](_FILTERS)

    def routes(self) -> list[Route]:
        return [
            Route("/images", self.images),
            Route("/describe", self.describe, methods=["POST"]),
            Route("/filters", self.filters),
            Route("/duplicates", self.duplicates),
            Route("/map", self.map),
            Route("/rejects", self.rejects),
            Route("/executions", self.executions),
            Route("/reports/{execution_id}", self.report),
        ]

    async def images(self, request: Request) -> Response:
        count, asked = read_number(request, "n", 10, 1, MOST), request.query_params
        if "path" in asked:
            table = await self._compute(self._resident.load, EMBEDDINGS.name)
            return answer_json(await self._compute(find_image, table, _experiment(request), asked["path"]))
        found = await self._compute(self._list_images, asked.get("experiment"), count, asked.get("where"))
        return answer_json(found)

    async def describe(self, request: Request) -> Response:
        wanted = parse_images(await read_body(request, self._limits))
        images = [Shown(each.image_path, each.record_id, each.experiment_id) for each in wanted]
        known: list[Known] = await self._compute(describe, self._resident.load, images)
        return answer_json(known)

    async def filters(self, request: Request) -> Response:
        experiment = request.query_params.get("experiment")
        files = await self._list_files(_FILTERED, experiment)
        made = partial(list_filters, self._resident.load, experiment)
        return answer_json(await self._filters.get((experiment, files), made))

    async def duplicates(self, request: Request) -> Response:
        experiment, threshold = _experiment(request), read_fraction(request, "threshold", NEARLY_SAME)
        model, count = await self._compute(self._choose_model, experiment, request.query_params.get("model"))
        files = await self._list_files((EMBEDDINGS.name,), experiment)
        made = partial(self._find_copies, experiment, model, count, threshold)
        return answer_json(await self._copies.get((experiment, model, threshold, files), made))

    async def map(self, request: Request) -> Response:
        experiment = _experiment(request)
        try:
            model, _ = await self._compute(self._choose_model, experiment, request.query_params.get("model"))
            files = await self._list_files(_MAPPED, experiment)
            page = await self._maps.get((experiment, model, files), partial(self._draw_map, experiment, model))
        except BadInput as error:
            status = 404 if isinstance(error, MissingObject) else 422
            return _page(draw_no_map(experiment, conceal(str(error), self._lake)), status)
        return _page(page)

    async def rejects(self, request: Request) -> Response:
        count, asked = read_number(request, "n", 100, 1, MOST), request.query_params
        read = partial(read_rejects, self._resident.load, asked.get("experiment"), asked.get("reason"), count)
        found = await self._compute(read)
        rows = [row | {name: self._conceal(row[name]) for name in ("source", "detail")} for row in found.rejects]
        return answer_json({"reasons": found.reasons, "rejects": rows})

    async def executions(self, request: Request) -> Response:
        count = read_number(request, "n", 100, 1, MOST)
        experiment = request.query_params.get("experiment")
        rows = await self._compute(read_executions, self._resident.load, self._lake.uri, experiment, count)
        return answer_json([{**row, "upload_uri": row["upload_uri"].rstrip("/").rpartition("/")[2]} for row in rows])

    async def report(self, request: Request) -> Response:
        try:
            name = check_identifier("execution", request.path_params["execution_id"])
            page: bytes = await self._compute(storage.read, report_uri(self._lake.uri, name))
        except BadRequest:
            raise HTTPException(404, "no such execution") from None
        except MissingObject:
            raise HTTPException(404, f"the execution {name} has no report") from None
        return HTMLResponse(page, headers={"Content-Security-Policy": _REPORT_POLICY})

    async def _list_files(self, tables: tuple[str, ...], experiment: str | None) -> Files:
        found: Files = await self._compute(list_files, self._resident.load, tables, experiment)
        return found

    def _choose_model(self, experiment: str, wanted: str | None) -> tuple[str, int]:
        """The model, and how many vectors of the experiment it made."""
        embeddings = self._resident.read(experiment)
        model = embeddings.choose(wanted)
        return model, embeddings.models[model]

    def _list_images(self, experiment: str | None, count: int, where: str | None) -> list[Shown]:
        model = self._resident.read(experiment).choose(None)
        chosen = None if where is None else self._choose(model, experiment, where)
        return list_images(self._resident.load(EMBEDDINGS.name), model, experiment, count, chosen)

    def _find_copies(self, experiment: str, model: str, count: int, threshold: float) -> Copies:
        return find_copies(self._resident.load(EMBEDDINGS.name), experiment, model, count, threshold)

    def _draw_map(self, experiment: str, model: str) -> Page:
        return draw_served_map(make_map(self._lake, experiment, model, "pca", None, DETAILED))

    def _conceal(self, text: str) -> str:
        return conceal(text, self._lake)


def _experiment(request: Request) -> str:
    """The one that the address names; HTTPException with 422 where it names none."""
    experiment: str | None = request.query_params.get("experiment")
    if not experiment:
        raise HTTPException(422, "name an experiment")
    return experiment


def _page(page: Page, status: int = 200) -> Response:
    policy = f"{page.policy}; frame-ancestors 'none'"
    return HTMLResponse(page.html, status, {"Content-Security-Policy": policy})
