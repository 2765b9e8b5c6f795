"""Queries of S3 Vectors, which moto's has none of: exact, by the cosine."""

from typing import Any

import boto3
import numpy as np
from botocore.validate import validate_parameters
from moto.s3vectors.models import s3vectors_backends

REGION = "eu-central-1"
ACCOUNT = "123456789012"
"""moto's own."""


class Vectors:
    """boto3's client for moto's S3 Vectors, with queries; `asked` are the names of its requests."""

    def __init__(self) -> None:
        self.client = boto3.client("s3vectors", region_name=REGION)
        self.asked: list[str] = []
        self.failing: set[int] = set()
        """The numbers of the puts that fail, from 0."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def put_vectors(self, **given: Any) -> Any:
        turn = self.asked.count("put")
        self.asked.append("put")
        if turn in self.failing:
            raise self.client.exceptions.ServiceUnavailableException(
                {"Error": {"Code": "ServiceUnavailableException", "Message": "later"}}, "PutVectors"
            )
        return self.client.put_vectors(**given)

    def query_vectors(self, **given: Any) -> Any:
        operation = self.client.meta.service_model.operation_model("QueryVectors")
        validate_parameters(given, operation.input_shape)
        index = s3vectors_backends[ACCOUNT]["aws"].get_index(given["vectorBucketName"], given["indexName"], "")
        query = np.array(given["queryVector"]["float32"])
        only = given.get("filter", {})
        found = [
            {"key": one.key, "distance": 1 - cosine(query, one.data["float32"]), "metadata": one.metadata}
            for one in index.vectors.values()
            if only.items() <= one.metadata.items()
        ]
        return {"vectors": sorted(found, key=lambda one: one["distance"])[: given["topK"]], "distanceMetric": "cosine"}

    def stored(self, bucket: str) -> dict[str, dict[str, dict[str, str]]]:
        """The metadata of each vector by its key, by the names of indexes."""
        bucket_there = s3vectors_backends[ACCOUNT]["aws"].get_vector_bucket(bucket)
        return {
            index.index_name: {key: dict(one.metadata) for key, one in index.vectors.items()}
            for index in bucket_there.indexes.values()
        }


def cosine(first: Any, other: Any) -> float:
    one, two = np.asarray(first, np.float64), np.asarray(other, np.float64)
    return float(one @ two / np.linalg.norm(one) / np.linalg.norm(two))
