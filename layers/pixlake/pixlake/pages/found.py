"""What a search found, as a page."""

import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from pixlake.images.decoders import Decoders, Limits
from pixlake.pages.standalone import render
from pixlake.report.sheet import make_thumbnail
from pixlake.search.ranking import Hit

_QUERY_SIDE = 320  # pixels
_WORKERS = 4


def draw_found(hits: Sequence[Hit], title: str, model: str, where: str | None, query: bytes | None) -> str:
    """A page with each hit's picture, score and names, best first, below the image `query` where that is one.

    Raises BadImage for a query that cannot be decoded.
    """
    decoders = Decoders(Limits())
    with ThreadPoolExecutor(_WORKERS) as pool:
        pictures = list(pool.map(lambda hit: make_thumbnail(hit.image_uri, decoders), hits))
    asked = None if query is None else _draw(query, decoders)
    shown = list(zip(hits, pictures, strict=True))
    return render("found", title=title, model=model, where=where, query=asked, hits=shown).html


def _draw(image: bytes, decoders: Decoders) -> str:
    target = io.BytesIO()
    Image.fromarray(decoders.shrink(image, _QUERY_SIDE).pixels).save(target, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(target.getvalue()).decode()
