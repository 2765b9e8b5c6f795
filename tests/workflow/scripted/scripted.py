"""The functions of a stack whose every step does what the execution's input tells it to, and counts its attempts.

`script` maps a step (`Plan`, `Embed-3`) to what its attempts do in turn, then all is well: the name of an error to
raise, or `die`, `hang`, `eat`.
"""

import builtins
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from pixlake import errors

LAKE = Path(os.environ["LAKE_URI"].removeprefix("file://"))
Event = dict[str, Any]


def act(step: str, run: Event) -> None:
    attempts = LAKE / "attempts" / run["execution_id"]
    attempts.mkdir(parents=True, exist_ok=True)
    number = len(list(attempts.glob(f"{step}.*")))
    (attempts / f"{step}.{number}").touch()
    orders = run["script"].get(step, [])
    if number < len(orders):
        obey(orders[number])


def obey(order: str) -> None:
    if order == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif order == "hang":
        time.sleep(60)
    elif order == "eat":
        eaten = [bytearray(1 << 20) for _ in range(400)]
        time.sleep(60)
        del eaten
    elif order == "BadUpload":
        raise errors.BadUpload("damaged", "as told")
    else:
        raise (getattr(errors, order, None) or getattr(builtins, order))("as told")


def put(key: str, items: list[Any]) -> Event:
    path = LAKE / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(items))
    return {"key": key, "count": len(items)}


def plan(event: Event, _context: object) -> Event:
    run = {"execution_id": event["execution_id"], **event["ingest"]}
    act("Plan", run)
    shards = put(f"work/{run['execution_id']}/shards.json", [{"index": index} for index in range(run.get("shards", 2))])
    return {"run": run, "options": {}, "shards": shards, "images": 2, "tables": 1}


def extract(event: Event, _context: object) -> Event:
    act(f"Extract-{event['shard']['index']}", event["run"])
    return {"shard": event["shard"]["index"], "extracted": 1}


def split(event: Event, _context: object) -> Event:
    run = event["run"]
    act("Split", run)
    tasks = ["classify" if index % 2 else "embed" for index in range(run.get("batches", 2))]
    items = [{"batch_id": str(index), "task": task} for index, task in enumerate(tasks)]
    return {"batches": put(f"work/{run['execution_id']}/batches.json", items), "records": 2}


def infer(event: Event, _context: object) -> Event:
    act(f"Infer-{event['batch']['batch_id']}", event["run"])
    return {"batch_id": event["batch"]["batch_id"], "rows": 1, "rest": []}


def compact(event: Event, _context: object) -> Event:
    act("Compact", event["run"])
    return {"images": 2, "records": 2, "embedded": 1, "predicted": 1, "rejected": 0}


def report(event: Event, _context: object) -> Event:
    act("Report", event["run"])
    return {"status": "SUCCEEDED", "execution": event["run"]["execution_id"], **event["compact"]}


def record_failure(event: Event, _context: object) -> Event:
    ended = event["detail"]
    act("RecordFailure", {"execution_id": ended["name"], **json.loads(ended["input"])})
    path = LAKE / "failures" / f"{ended['name']}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(ended))
    return {"status": ended["status"]}
