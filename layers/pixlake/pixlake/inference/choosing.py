"""Which bundle of a lake is asked where none is named: one that can answer."""

from collections.abc import Iterable, Iterator

from pixlake.bundles.folders import BundleFolder, open_folder
from pixlake.bundles.manifest import Manifest
from pixlake.bundles.roles import list_bundles
from pixlake.errors import BadBundle, BadRequest, MissingObject


def choose_classifier(lake_uri: str, wanted: str | None) -> BundleFolder:
    """The bundle that is wanted, or the only one that classifies images: of those that did not come with Pixlake if
    there are any, else of those that are no demo models, if there are any.

    Raises MissingObject where there is none, BadBundle for one that does not classify images, and BadRequest where
    several could answer.
    """
    if wanted is not None:
        folder = find_bundle(lake_uri, wanted)
        if not _classifies_images(folder):
            raise BadBundle(f"{folder.model} does not classify images; there are: {', '.join(list_bundles(lake_uri))}")
        return folder
    folders = list(_classifiers(lake_uri, list_bundles(lake_uri)))
    real = [folder for folder in folders if not folder.demo] or folders
    own = [folder for folder in real if not folder.shipped] or real
    if not own:
        raise MissingObject(
            f"{lake_uri} has no classifier of images; `pixlake models zero-shot`, `export --classify` and `train` make"
            " one, and `pixlake models push` puts it there"
        )
    if len(own) > 1:
        names = ", ".join(folder.model.partition("@")[0] for folder in own)
        raise BadRequest(f"several classifiers of images are there, so name one as the model: {names}")
    return own[0]


def find_bundle(lake_uri: str, wanted: str) -> BundleFolder:
    """The bundle of this name; MissingObject, with the names of those that are there, where there is none."""
    there = list_bundles(lake_uri)
    if wanted.partition("@")[0] not in there:
        raise MissingObject(f"{lake_uri} has no model {wanted!r}; there are: {', '.join(there) or 'none'}")
    return open_folder(lake_uri, wanted)


def reads_texts(lake_uri: str, model: str) -> bool:
    """Whether the model is there and has a text tower."""
    try:
        described = open_folder(lake_uri, model).description
    except (BadBundle, BadRequest):
        return False
    return isinstance(described, Manifest) and described.text is not None


def _classifies_images(folder: BundleFolder) -> bool:
    """Whether ONNX Runtime answers with a class for an image alone."""
    described = folder.description
    return isinstance(described, Manifest) and described.kind != "embedder" and described.image_input is not None


def _classifiers(lake_uri: str, names: Iterable[str]) -> Iterator[BundleFolder]:
    """Those that classify images; a damaged one is told of only when it is asked for."""
    for name in names:
        try:
            folder = open_folder(lake_uri, name)
        except (BadBundle, BadRequest):
            continue
        if _classifies_images(folder):
            yield folder
