"""The SQL of a report's page names the database where the tables are."""

from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from pixlake import storage
from pixlake.settings import ReportSettings
from pixlake.steps.report import report
from tests.builders.reports import build_execution
from tests.contract.places import s3_lake


def test_the_query_on_the_page_names_the_stacks_database(
    moto_server: ThreadedMotoServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reported = build_execution(tmp_path)
    lake = s3_lake(moto_server, monkeypatch)
    boto3.client("glue").create_database(DatabaseInput={"Name": "pixlake_dev", "LocationUri": f"{lake.uri}/warehouse"})
    page = storage.read(report(reported.request, ReportSettings(lake.uri, "glue://pixlake_dev")).report_uri).decode()
    assert "FROM pixlake_dev.rejects" in page
    assert "FROM pixlake_dev.records r LEFT JOIN pixlake_dev.predictions p" in page
    assert "FROM pixlake." not in page
    assert "pixlake serve" not in page
