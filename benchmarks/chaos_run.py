"""One execution on a lake in a bucket, by the laptop engine: `python -m benchmarks.chaos_run LAKE NAME REQUEST`.

`pixlake run` does so on folders alone. The store and Glue are those of the process's AWS variables. Ends with a line of
JSON: the execution's status, and whether `pixlake retry` has something to bring back.
"""

import json
import os
import sys
from unittest.mock import patch

from pixlake import storage
from pixlake.iceberg.lakes import Lake
from pixlake.retries import PASSING
from pixlake_cli.engine import pool
from pixlake_cli.engine.engine import Engine
from tests.builders.model_lakes import MODELS

BATCH_ROWS = "1"
"""So small that an upload of two dozen rows may lose a batch and succeed."""


def main() -> None:
    lake, name, request = sys.argv[1:]
    reached = {key: value for key, value in os.environ.items() if key.startswith("AWS_")}
    plain = pool.environment
    # a store is kept for the life of a process; the interpreter changes the variables
    storage.exists(f"{lake}/any")
    with (
        patch.object(pool, "environment", lambda *given: {**plain(*given), **reached}),
        Engine(lake, Lake.at(lake).catalog_uri, {**MODELS, "BatchRows": BATCH_ROWS}) as engine,
    ):
        outcome = engine.execute(name, json.loads(request))
    lost = {"batch_lost", *PASSING} & outcome.output.get("reasons", {}).keys()
    print(json.dumps({"status": outcome.status, "error": outcome.error, "cause": outcome.cause, "lost": bool(lost)}))


if __name__ == "__main__":
    main()
