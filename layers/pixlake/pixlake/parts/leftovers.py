"""Deletes the files of executions under `work/` that are no longer needed."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

from pixlake import storage

_FOLDERS_DEEPER = {"map-runs"}  # folders of work/ that hold a folder for each run


def delete_work(lake: str, has_ended: Callable[[str], bool], before: datetime, idle: datetime) -> int:
    """Delete folders unwritten since `before` whose execution has ended, and folders unwritten since `idle`."""
    root = storage.join(lake, "work")
    folders: dict[str, list[storage.ObjectInfo]] = defaultdict(list)
    for info in storage.list_objects(root):
        folders[_folder(info.uri.removeprefix(root + "/"))].append(info)
    deleted = 0
    for name, objects in folders.items():
        newest = max(info.last_modified for info in objects)
        if newest < before and (newest < idle or has_ended(name)):
            storage.delete([info.uri for info in objects])
            deleted += 1
    return deleted


def _folder(path: str) -> str:
    first, _, rest = path.partition("/")
    return f"{first}/{rest.partition('/')[0]}" if first in _FOLDERS_DEEPER else first
