"""The bundles that an upload's options name, found in the lake before any work is done for them."""

from dataclasses import dataclass

from pixlake import storage
from pixlake.bundles.demo import PHOTO_MODELS
from pixlake.bundles.folders import BundleFolder, open_folder, split_model
from pixlake.bundles.manifest import MANIFEST
from pixlake.bundles.predictors import PredictorManifest
from pixlake.errors import BadBundle
from pixlake.lake import bundle_uri
from pixlake.messages import Options

EMBEDDER, WITH_IMAGE, WITHOUT_IMAGE, ORPHAN = "embedder", "with_image", "without_image", "orphan"
_KINDS = {
    EMBEDDER: "embedder",
    WITH_IMAGE: "record_classifier",
    WITHOUT_IMAGE: "record_classifier",
    ORPHAN: "image_classifier",
}


@dataclass(frozen=True)
class Model:
    """`name` is `name@version`; `task` chooses the container in the state machine; `demo` marks a demo model
    (`bundles.demo`); `columns` are the table's columns that it reads; `images_per_second` is what a core does,
    None where the bundle does not say."""

    name: str
    task: str
    demo: bool
    columns: tuple[str, ...] = ()
    images_per_second: float | None = None


def resolve_models(lake: str, options: Options, autogluon: bool) -> dict[str, Model]:
    """Each model that is named, by role; `autogluon` says whether there is an AutoGluon container.

    Raises BadBundle for one that is missing (naming those that exist), damaged, of another kind than its role takes, or
    that needs the AutoGluon container where there is none.
    """
    classifier = options.classifier
    named = {
        EMBEDDER: options.embedder,
        WITH_IMAGE: classifier.with_image,
        WITHOUT_IMAGE: classifier.without_image,
        ORPHAN: classifier.orphan,
    }
    return {role: _resolve(lake, role, name, autogluon) for role, name in named.items() if name}


def _resolve(lake: str, role: str, name: str, autogluon: bool) -> Model:
    plain = split_model(name)[0]
    if not storage.exists(storage.join(bundle_uri(lake, plain), MANIFEST)):
        there = ", ".join(list_bundles(lake)) or "none"
        way = "; the stack's output Models has the command that puts it there" if plain in PHOTO_MODELS else ""
        raise BadBundle(f"{role}: there is no bundle {plain!r} under {bundle_uri(lake, '')}; there are: {there}{way}")
    folder = open_folder(lake, name)
    if isinstance(folder.description, PredictorManifest):
        _check_predictor(folder.description, role, autogluon)
        columns = tuple(column.name for column in folder.description.columns)
        return Model(folder.model, "classify_autogluon", folder.demo, columns)
    _check_graphs(folder, role)
    task = "embed" if role == EMBEDDER else "classify"
    cost = folder.manifest.cost
    rate = cost.images_per_second if cost else None
    return Model(folder.model, task, folder.demo, folder.manifest.columns, rate)


def _check_graphs(folder: BundleFolder, role: str) -> None:
    described, wanted = folder.manifest, _KINDS[role]
    if described.kind != wanted:
        raise BadBundle(
            f"{role}: the bundle {described.name!r} is of the kind {described.kind}; this takes the kind {wanted}"
        )
    needs = described.image_input
    if role == WITHOUT_IMAGE and needs is not None and needs.missing == "refuse":
        raise BadBundle(f"{role}: the bundle {described.name!r} refuses records without an image")


def _check_predictor(described: PredictorManifest, role: str, autogluon: bool) -> None:
    """A predictor predicts records, or images if it reads no columns."""
    subject = f"{role}: the bundle {described.name!r}"
    if role == EMBEDDER or (role == ORPHAN) != (not described.columns):
        raise BadBundle(f"{subject} is a predictor of {'records' if described.columns else 'images'}, not for this")
    if role == WITHOUT_IMAGE and described.needs_image:
        raise BadBundle(f"{subject} refuses records without an image")
    if not autogluon:
        raise BadBundle(
            f"{subject} runs in the AutoGluon container, and there is none: name its image in the stack's parameter"
            " AutoGluonImage, or on a laptop run `make models`; see docs/autogluon-container.md"
        )


def list_bundles(lake: str) -> list[str]:
    """The names of a lake's bundles, sorted."""
    folder = bundle_uri(lake, "")
    names = (info.uri.removeprefix(folder).split("/") for info in storage.list_objects(folder))
    return sorted(parts[0] for parts in names if parts[1:] == [MANIFEST])
