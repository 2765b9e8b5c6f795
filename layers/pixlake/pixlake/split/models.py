"""The bundles that an upload's options name, found in the lake before any work is done for them."""

from pixlake import storage
from pixlake.errors import BadBundle
from pixlake.inference.folders import open_folder
from pixlake.inference.manifest import MANIFEST
from pixlake.lake import bundle_uri, check_identifier
from pixlake.messages import Options

EMBEDDER, WITH_IMAGE, WITHOUT_IMAGE, ORPHAN = "embedder", "with_image", "without_image", "orphan"
_KINDS = {
    EMBEDDER: "embedder",
    WITH_IMAGE: "record_classifier",
    WITHOUT_IMAGE: "record_classifier",
    ORPHAN: "image_classifier",
}


def resolve_models(lake: str, options: Options) -> dict[str, str]:
    """`name@version` by role, for each model that is named.

    Raises BadBundle for one that is missing (with the names of those that are there), damaged, or not of the kind
    that its role takes.
    """
    classifier = options.classifier
    named = {
        EMBEDDER: options.embedder,
        WITH_IMAGE: classifier.with_image,
        WITHOUT_IMAGE: classifier.without_image,
        ORPHAN: classifier.orphan,
    }
    return {role: _resolve(lake, role, name) for role, name in named.items() if name}


def _resolve(lake: str, role: str, name: str) -> str:
    plain = check_identifier("bundle", name.partition("@")[0])
    if not storage.exists(storage.join(bundle_uri(lake, plain), MANIFEST)):
        there = ", ".join(_list_bundles(lake)) or "none"
        raise BadBundle(f"{role}: there is no bundle {plain!r} under {bundle_uri(lake, '')}; there are: {there}")
    folder = open_folder(lake, name)
    kind, wanted = folder.manifest.kind, _KINDS[role]
    if kind != wanted:
        raise BadBundle(f"{role}: the bundle {plain!r} is of the kind {kind}; this takes the kind {wanted}")
    needs = folder.manifest.image_input
    if role == WITHOUT_IMAGE and needs is not None and needs.missing == "refuse":
        raise BadBundle(f"{role}: the bundle {plain!r} refuses records without an image")
    return folder.model


def _list_bundles(lake: str) -> list[str]:
    folder = bundle_uri(lake, "")
    names = (info.uri.removeprefix(folder).split("/") for info in storage.list_objects(folder))
    return sorted(parts[0] for parts in names if parts[1:] == [MANIFEST])
