"""Groups of images that are nearly the same, the one to keep first."""

from dataclasses import dataclass

from pyiceberg.table import Table

from pixlake.errors import BadRequest
from pixlake.search.duplicates import find_groups
from pixlake.search.stored import read_batches
from pixlake.search.vectors import COLUMNS, Embedded, map_vectors

MOST = 200_000
"""Images that are compared while somebody waits: half a minute of two cores, and 65 floats of memory for each."""
_MOST_OF_GROUP = 30
_MOST_GROUPS = 200


@dataclass(frozen=True)
class Copy:
    """An image; `score` is the cosine of its vector to that of the group's first."""

    image_path: str
    record_id: str | None
    width: int
    height: int
    score: float

    @classmethod
    def of(cls, image: Embedded) -> "Copy":
        return cls(image.image_path, image.record_id, image.width, image.height, image.score)


@dataclass(frozen=True)
class Group:
    """Its first images, of `size` that there are."""

    size: int
    images: list[Copy]


@dataclass(frozen=True)
class Copies:
    """The first groups, of `total`; without the images to keep, `spare` are left over."""

    model: str
    threshold: float
    total: int
    spare: int
    groups: list[Group]


def find_copies(table: Table, experiment_id: str, model: str, count: int, threshold: float) -> Copies:
    """Those among the `count` images with a vector by `model`, by the path of their first. BadRequest for too many."""
    if count > MOST:
        most = f"at most {MOST:,} are compared here"
        raise BadRequest(f"{experiment_id} has {count:,} images, and {most}: `pixlake duplicates` takes any number")
    vectors = map_vectors(read_batches(table, experiment_id, COLUMNS), model)
    groups = find_groups(vectors.values, threshold)
    ranked = sorted((vectors.rank(rows) for rows in groups), key=lambda group: group[0].image_path)
    shown = [Group(len(group), [Copy.of(image) for image in group[:_MOST_OF_GROUP]]) for group in ranked[:_MOST_GROUPS]]
    return Copies(model, threshold, len(groups), sum(map(len, groups)) - len(groups), shown)
