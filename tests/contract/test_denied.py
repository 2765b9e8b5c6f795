"""What Glue denies, by IAM or by Lake Formation, is the stack's to grant: it is named, and not retried."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.core.exceptions import JsonRESTError
from moto.glue.responses import GlueResponse
from moto.server import ThreadedMotoServer

from pixlake.errors import AccessDenied, CatalogError
from pixlake.iceberg.catalog import open_catalog
from pixlake.iceberg.translation import translated
from tests.contract.places import s3_lake

DENIED = "Insufficient Lake Formation permission(s): Required Create Table on pixlake"


def test_a_table_denied_by_lake_formation_is_a_denied_access(
    moto_server: ThreadedMotoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = s3_lake(moto_server, monkeypatch)
    boto3.client("glue").create_database(DatabaseInput={"Name": "pixlake"})

    def create_table(_: Any) -> str:
        raise JsonRESTError("AccessDeniedException", DENIED)

    monkeypatch.setattr(GlueResponse, "create_table", create_table)
    with pytest.raises(AccessDenied) as raised:
        open_catalog(lake.uri, "glue://pixlake")
    message = str(raised.value)
    for part in ("glue:CreateTable", DENIED, "CREATE_TABLE", "Lake Formation"):
        assert part in message


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AccessDeniedException", AccessDenied),
        ("AccessDenied", AccessDenied),
        ("UnrecognizedClientException", AccessDenied),
        ("InvalidSignatureException", CatalogError),
        ("ThrottlingException", CatalogError),
        ("InternalServiceException", CatalogError),
    ],
)
@pytest.mark.parametrize("operation", ["GetTable", "UpdateTable", "StartQueryExecution"])
def test_only_denied_requests_are_not_retried(code: str, kind: type[Exception], operation: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": "no"}}, operation)
    with pytest.raises(kind, match="table pets") as raised, translated("table pets"):
        raise error
    assert operation in str(raised.value)
