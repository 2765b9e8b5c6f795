"""The options of an execution: from its request, else the upload's `pixlake.json`, else the stack's parameters."""

from operator import attrgetter
from typing import Any

import msgspec

from pixlake.errors import BadUpload
from pixlake.messages import Classifiers, Options
from pixlake.settings import PlanSettings

MAX_OPTIONS_BYTES = 1 << 20
_BOM = b"\xef\xbb\xbf"


def decode_options(data: bytes, path: str) -> Options:
    """The content of the `pixlake.json` at `path`; BadUpload `bad_options` names the field that does not fit."""
    try:
        return msgspec.json.decode(data.removeprefix(_BOM), type=Options)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadUpload("bad_options", f"{path}: {error}; see the README for its fields") from error


def merge_options(request: Options, uploaded: Options, settings: PlanSettings) -> Options:
    """Field by field the first that is set. An empty string means none, and hides the ones after it."""
    stack = Options(
        embedder=settings.embedder,
        classifier=Classifiers(
            with_image=settings.classifier_with_image,
            without_image=settings.classifier_without_image,
            orphan=settings.classifier_orphan,
        ),
    )
    layers = (request, uploaded, stack)
    roles = {name: _first_set(layers, f"classifier.{name}") for name in Classifiers.__struct_fields__}
    plain = {name: _first_set(layers, name) for name in Options.__struct_fields__ if name != "classifier"}
    return Options(**plain, classifier=Classifiers(**roles))


def _first_set(layers: tuple[Options, ...], name: str) -> Any:
    values = map(attrgetter(name), layers)
    return next((value for value in values if value is not None), None) or None
