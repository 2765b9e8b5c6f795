"""A short list of ready models, so that a user can choose by what they do. Sizes and licences are as their repositories
stated them when the list was written."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """A repository under a short name. `megabytes` are those of float32's graphs, `dimensions` None where it
    classifies; `languages` are those that it reads, or none; `speed` is images a second of a core, where that
    architecture was measured (docs/models-export.md#quantized-variants)."""

    name: str
    repository: str
    megabytes: int
    dimensions: int | None
    licence: str
    languages: str
    what: str
    speed: float | None = None


KNOWN = (
    Known("clip-vit-b32", "Xenova/clip-vit-base-patch32", 606, 512, "MIT", "English", "CLIP ViT-B/32", 11.4),
    Known("clip-vit-l14", "Xenova/clip-vit-large-patch14", 1710, 768, "MIT", "English", "CLIP ViT-L/14"),
    Known(
        "siglip2-base",
        "onnx-community/siglip2-base-patch16-224-ONNX",
        1502,
        768,
        "Apache-2.0",
        "109",
        "SigLIP 2 ViT-B/16, for texts in most languages",
    ),
    Known("mobileclip-s0", "Xenova/mobileclip_s0", 216, 512, "Apple's", "English", "MobileCLIP S0, small and fast"),
    Known("dinov2-small", "Xenova/dinov2-small", 88, 384, "Apache-2.0", "-", "DINOv2 ViT-S/14, images by images"),
    Known("resnet-50", "Xenova/resnet-50", 102, None, "Apache-2.0", "-", "classifier, ImageNet's 1,000 classes", 13.4),
)


def find_known(name: str) -> Known | None:
    return next((each for each in KNOWN if each.name == name), None)


def list_known() -> str:
    """A table."""
    head = ("name", "MB", "dimensions", "images/s", "licence", "languages", "what", "repository")
    rows = [head, *(_cells(each) for each in KNOWN)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _cells(known: Known) -> tuple[str, ...]:
    numbers = (str(each or "-") for each in (known.megabytes, known.dimensions, known.speed))
    return known.name, *numbers, known.licence, known.languages, known.what, f"hf:{known.repository}"
