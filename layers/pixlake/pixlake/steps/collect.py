"""The step Collect: the events of many loose images become one execution for each experiment.

An execution is named by what it takes, so messages that are delivered again start none again.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec

from pixlake import storage
from pixlake.errors import PixlakeError
from pixlake.lake import Work
from pixlake.loose import Change, newest, read_change
from pixlake.messages import CollectAnswer, CollectRequest, ItemFailure, Queued
from pixlake.settings import CollectSettings
from pixlake.zips.listings import Gathered
from pixlake.zips.names import OPTIONS_NAME

Start = Callable[[str, str], None]
"""Starts an execution by its name and its input, JSON; one of that name that was started already is a success."""
_Messages = dict[str, Change]  # by the messages' ids


def collect(request: CollectRequest, settings: CollectSettings, start: Start) -> CollectAnswer:
    """Start an execution for what each experiment got; messages that come to none are to be delivered again.

    Raises nothing of an experiment's own: it must not hold up the others.
    """
    failed: list[ItemFailure] = []
    errors: list[str] = []
    executions: list[str] = []
    experiments, unread = _read(request.records)
    for message, error in unread.items():
        failed.append(ItemFailure(message))
        errors.append(f"{message}: {error}")
    for experiment_id, messages in experiments.items():
        try:
            executions += _begin(experiment_id, newest(messages.values()), settings, start)
        except PixlakeError as error:
            failed += map(ItemFailure, messages)
            errors.append(f"{experiment_id}: {error}")
    return CollectAnswer(tuple(failed), tuple(executions), tuple(errors))


def _read(queued: Sequence[Queued]) -> tuple[dict[str, _Messages], dict[str, PixlakeError]]:
    """The changes by experiment, and what is wrong with the other messages."""
    experiments: dict[str, _Messages] = defaultdict(dict)
    unread: dict[str, PixlakeError] = {}
    for each in queued:
        try:
            change = read_change(each.body)
        except PixlakeError as error:
            unread[each.message_id] = error
        else:
            if change.path:
                experiments[change.experiment_id][each.message_id] = change
    return experiments, unread


def _begin(experiment_id: str, changes: Sequence[Change], settings: CollectSettings, start: Start) -> list[str]:
    """The execution that takes what was put in; none where all of it was deleted again."""
    lines = [Gathered(it.path, it.uri, it.time, it.version) for it in changes if not it.deleted]
    if not lines:
        return []
    encoder = msgspec.json.Encoder()
    digest = hashlib.sha256(encoder.encode_lines(lines)).hexdigest()
    name = f"{experiment_id[:40]}-{digest[:32]}"
    options = Gathered(OPTIONS_NAME, f"s3://{changes[0].bucket}/images/{experiment_id}/{OPTIONS_NAME}")
    uri = Work(settings.lake_uri, name).gathered
    storage.write(uri, encoder.encode_lines([options, *lines]))
    start(name, json.dumps({"upload_uri": uri, "experiment_id": experiment_id}))
    return [name]
