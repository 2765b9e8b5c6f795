"""The models that come with Pixlake, so that a first run needs no download, and the sample upload.

Two are for photographs, and answer where an upload names no model. The demo models, trained on emoji alone, are for
the sample, which names them. On any other upload their answers mean little, so the run, its report and a search say
that they are demo models, and name the command that gets a real one.
"""

from collections.abc import Mapping

from pixlake.lake import images_uri, make_upload_id

SAMPLE = "366a351a057c77b7380219f70a23524d5d89df13fe00e615d82a743b64617c52"
"""The fingerprint (`zips.inventory`) of samples/emoji.zip, whatever it is called and wherever it lies."""
PHOTO_MODELS = ("photo-lite0", "imagenet-lite0")
"""The embedder, and the classifier of images that no record names, where an upload names none: see template.yaml."""
_REBUILD, _REBUILD_PHOTO = "make demo-models", "make photo-models"
_GET = "`pixlake models get clip-vit-b32 --lake LAKE`"
_AGAIN = "run again with `--embedder clip-vit-b32`"
READS_TEXTS = f"{_GET} fetches a model that reads texts; then {_AGAIN}"
"""The way from an embedder of images alone to search by text."""
_EMBEDDER = f"{_GET} fetches a real one; then {_AGAIN}"
_CLASSIFIER = "`pixlake models train TABLE --label COLUMN` makes real ones, of your table and images"


def is_demo(source: Mapping[str, str]) -> bool:
    """Whether a bundle, by its `source`, is a demo model, or was made of one by `quantize` or `zero-shot`."""
    return source.get("rebuild") == _REBUILD


def is_shipped(source: Mapping[str, str]) -> bool:
    """Whether a bundle came with Pixlake, or was made of one that did."""
    return source.get("rebuild") in (_REBUILD, _REBUILD_PHOTO)


def is_sample(experiment_id: str, upload_id: str) -> bool:
    """Whether an upload is the sample."""
    return upload_id == make_upload_id(experiment_id, SAMPLE)


def is_of_sample(experiment_id: str, image_uri: str) -> bool:
    """Whether an image in a lake came with the sample."""
    return f"{images_uri('', experiment_id, make_upload_id(experiment_id, SAMPLE))}/" in image_uri


def write_notice(demo: Mapping[str, str], *, on_sample: bool) -> str:
    """One line on the demo models that were used, `name@version` by role; empty where there are none, and on the
    sample."""
    if on_sample or not demo:
        return ""
    names = ", ".join(sorted({model.partition("@")[0] for model in demo.values()}))
    are = f"{names} is a demo model" if "," not in names else f"{names} are demo models"
    return f"{are}, trained on emoji alone: expect little on other images. {_real(demo)}"


def _real(demo: Mapping[str, str]) -> str:
    return _EMBEDDER if "embedder" in demo else _CLASSIFIER
