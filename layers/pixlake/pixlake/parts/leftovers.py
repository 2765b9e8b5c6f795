"""What executions have left under `work/`, deleted once nobody needs it."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

from pixlake import storage

_FOLDERS_DEEPER = {"map-runs"}  # folders of work/ that hold one folder a run themselves


def delete_work(lake: str, has_ended: Callable[[str], bool], before: datetime, idle: datetime) -> int:
    """Delete the folders in which nothing was written since `before`, if their execution has ended or is long idle."""
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
