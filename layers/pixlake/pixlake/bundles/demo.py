"""The demo models, trained on emoji alone, and the sample upload that they are for.

They come with Pixlake, so that a first run needs no download. On any other upload their answers mean little, so the
run, its report and a search say that they are demo models, and name the command that makes a real one.
"""

from collections.abc import Mapping

from pixlake.lake import images_uri, make_upload_id

SAMPLE = "6fdbe39417f8d32c1c130a8d1bf4563a75d02e55bf64d33486149490d73a50b6"
"""The fingerprint (`zips.inventory`) of samples/emoji.zip, whatever it is called and wherever it lies."""
_REBUILD = "make demo-models"
_EMBEDDER = (
    "`pixlake models export open_clip:ViT-B-32 --pretrained laion2b_s34b_b79k` makes a real one; then "
    "`pixlake models push ViT-B-32 --lake LAKE` and run again with `--embedder ViT-B-32`"
)
_CLASSIFIER = "`pixlake models train TABLE --label COLUMN` makes real ones, of your table and images"


def is_demo(source: Mapping[str, str]) -> bool:
    """Whether a bundle, by its `source`, is a demo model, or was made of one by `quantize` or `zero-shot`."""
    return source.get("rebuild") == _REBUILD


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
