"""Searches of S3 Vectors, where a stack writes the vectors of its lake."""

import boto3

from pixlake.errors import BadRequest
from pixlake.iceberg.lakes import Lake
from pixlake.search.ranking import Hit
from pixlake.search.s3vectors import MOST_RESULTS, Floats, Found, VectorIndex


def check_vectors(lake: Lake, count: int, where: str | None, distinct: bool) -> None:
    """Raise BadRequest for what S3 Vectors does not answer."""
    if lake.folder is not None:
        raise BadRequest(f"{lake.uri}: --engine s3vectors searches a lake in a bucket, --lake s3://BUCKET")
    if count > MOST_RESULTS:
        raise BadRequest(f"-n {count}: S3 Vectors answers {MOST_RESULTS} at most; --engine index has no such limit")
    if where is not None or distinct:
        raise BadRequest("--where and --distinct take --engine index: S3 Vectors knows the experiment alone")


def search_vectors(lake: Lake, model: str, query: Floats, count: int, experiment: str | None) -> list[Hit]:
    """The images with about the greatest cosine to `query`, best first. Raises as VectorIndex."""
    index = VectorIndex(boto3.client("s3vectors"), lake.uri.removeprefix("s3://"), model)
    hits = map(_hit, index.query(query, count, experiment))
    return sorted(hits, key=lambda hit: (-hit.score, hit.experiment_id, hit.image_path))


def _hit(found: Found) -> Hit:
    facts = found.metadata
    return Hit(facts["image_path"], found.score, facts.get("record_id"), facts["experiment_id"], facts["image_uri"])
