"""The models side by side on one HTML page, which needs nothing beside it: figures, and the same queries through each.

Every text goes through Jinja2's escaping, and the page's content security policy forbids scripts and external assets.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from pixlake import storage
from pixlake.errors import PixlakeError
from pixlake.images.decoders import Decoders, Limits
from pixlake_models.trying.comparing import Comparison, format_cells
from pixlake_models.trying.neighbours import rank_others

QUERIES, FOUND = 10, 5
_SIDE = 112  # pixels


@dataclass(frozen=True)
class Shown:
    """An image as a data URI, empty where it cannot be read; `right` where its label is the query's."""

    path: str
    picture: str
    label: str | None
    score: float | None = None
    right: bool = False


@dataclass(frozen=True)
class Query:
    """An image, and what each model finds nearest to it, in the order of the models."""

    image: Shown
    found: Sequence[Sequence[Shown]]


def write_page(comparison: Comparison, title: str) -> str:
    """The page, as text."""
    folder = Path(__file__).parent
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    head, *rows = format_cells(comparison)
    return environment.get_template("page.html").render(
        title=title,
        head=head,
        rows=rows,
        remark=comparison.remark(),
        models=[each.model for each in comparison.tried],
        queries=_ask(comparison),
    )


def _ask(comparison: Comparison) -> list[Query]:
    """Images that are spread evenly."""
    count = len(comparison.paths)
    asked = np.unique(np.linspace(0, count - 1, min(QUERIES, count)).round().astype(int)).tolist()
    orders = [rank_others(each.vectors) for each in comparison.tried]
    decoders, drawn = Decoders(Limits()), dict[int, str]()

    def show(place: int, query: int | None = None, score: float | None = None) -> Shown:
        if place not in drawn:
            drawn[place] = _draw(comparison.uris[place], decoders)
        label = comparison.labels[place]
        right = query is not None and label is not None and label == comparison.labels[query]
        return Shown(comparison.paths[place], drawn[place], label, score, right)

    queries = []
    for query in asked:
        found = [
            [show(place, query, float(each.vectors[query] @ each.vectors[place])) for place in order[query][:FOUND]]
            for each, order in zip(comparison.tried, orders, strict=True)
        ]
        queries.append(Query(show(query), found))
    return queries


def _draw(uri: str, decoders: Decoders) -> str:
    try:
        pixels = decoders.shrink(storage.read(uri), _SIDE).pixels
    except PixlakeError:
        return ""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
