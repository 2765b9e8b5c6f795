"""A deleted experiment starts anew, whatever was uploaded to it before."""

from pixlake.iceberg.catalog import open_catalog
from pixlake.iceberg.deletion import delete_rows
from pixlake.messages import Effect, Options
from tests.builders.executions import Execution, TableLake, fill


def test_an_upload_older_than_a_complete_one_comes_in_once_that_is_deleted(
    execution: Execution, table_lake: TableLake
) -> None:
    complete = Execution(table_lake, "complete", day=9, options=Options(complete=True))
    complete.records("00000", ["1"])
    complete.compact()
    delete_rows(open_catalog(table_lake.uri, table_lake.catalog_uri), "pets")
    fill(execution)
    effects = execution.compact().effects
    assert effects == {"records": Effect(new=4), "embeddings": Effect(new=4), "predictions": Effect(new=6)}
