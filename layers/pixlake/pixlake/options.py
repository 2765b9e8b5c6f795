"""The options of an execution: from its request, else the upload's `pixlake.json`, else the stack's parameters."""

import re
from difflib import get_close_matches
from operator import attrgetter
from typing import Any

import msgspec

from pixlake.errors import BadRequest, BadUpload
from pixlake.messages import Classifiers, Options
from pixlake.settings import PlanSettings

MAX_OPTIONS_BYTES = 1 << 20
FIELDS = (
    *(name for name in Options.__struct_fields__ if name != "classifier"),
    *(f"classifier.{role}" for role in Classifiers.__struct_fields__),
)
_SWITCHES = ("complete",)
_BOM = b"\xef\xbb\xbf"


def decode_options(data: bytes, path: str) -> Options:
    """The content of the `pixlake.json` at `path`; BadUpload `bad_options` names the field that does not fit."""
    try:
        return msgspec.json.decode(data.removeprefix(_BOM), type=Options)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadUpload("bad_options", f"{path}: {error}{_nearest(str(error))}; see docs/pixlake-json.md") from error


def parse_setting(setting: str) -> dict[str, Any]:
    """`field=value` or `classifier.role=value` as an object of `pixlake.json`; BadRequest for anything else."""
    name, equals, value = setting.partition("=")
    outer, _, inner = name.partition(".")
    if not equals or name not in FIELDS:
        near = _nearest(f"`{name}`")
        raise BadRequest(f"{setting!r} is not FIELD=VALUE with one of the fields {', '.join(FIELDS)}{near}")
    known: Any = {"true": True, "false": False}.get(value.lower(), value) if name in _SWITCHES else value
    return {outer: {inner: known}} if inner else {outer: known}


def _nearest(message: str) -> str:
    """The known field nearest to an unknown one, named in backticks."""
    unknown = re.search(r"`([^`$]+)`", message)
    names = {name.rpartition(".")[2]: name for name in FIELDS}
    found = get_close_matches(unknown[1].rpartition(".")[2], names, 1) if unknown else []
    return f"; is {names[found[0]]} meant?" if found else ""


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
    laid = lay_options(request, uploaded, stack)
    roles = {name: value or None for name, value in msgspec.structs.asdict(laid.classifier).items()}
    plain = {name: getattr(laid, name) or None for name in Options.__struct_fields__ if name != "classifier"}
    return Options(**plain, classifier=Classifiers(**roles))


def lay_options(*layers: Options) -> Options:
    """Field by field the first that is set, be it empty."""
    roles = {name: _first_set(layers, f"classifier.{name}") for name in Classifiers.__struct_fields__}
    plain = {name: _first_set(layers, name) for name in Options.__struct_fields__ if name != "classifier"}
    return Options(**plain, classifier=Classifiers(**roles))


def _first_set(layers: tuple[Options, ...], name: str) -> Any:
    values = map(attrgetter(name), layers)
    return next((value for value in values if value is not None), None)
