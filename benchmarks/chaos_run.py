"""One execution on a lake in a bucket, by the laptop engine: `python -m benchmarks.chaos_run LAKE NAME REQUEST`.

`pixlake run` does so on folders alone. The store and Glue are those of the process's AWS variables. Ends with a line of
JSON: the execution's status, and whether `pixlake retry` has something to bring back.
"""

import json
import sys

from benchmarks.buckets import execute
from pixlake.retries import PASSING
from tests.builders.model_lakes import MODELS

BATCH_ROWS = "1"
"""So small that an upload of two dozen rows may lose a batch and succeed."""


def main() -> None:
    lake, name, request = sys.argv[1:]
    outcome = execute(lake, name, request, {**MODELS, "BatchRows": BATCH_ROWS})
    lost = {"batch_lost", *PASSING} & outcome.output.get("reasons", {}).keys()
    print(json.dumps({"status": outcome.status, "error": outcome.error, "cause": outcome.cause, "lost": bool(lost)}))


if __name__ == "__main__":
    main()
