"""The keys of an upload's files below its folder in the lake.

Any path must work on S3 (1,024 bytes a key) and on any disk (255 bytes a name, case ignored, characters and names
that Windows forbids), and no two may be equal. So: percent-encoding, which `urllib.parse.unquote` undoes, and for paths
that are too long or differ only in case a `~` with a digest; `~` is used for nothing else.
"""

import functools
import hashlib
import re
from urllib.parse import quote

from pixlake.formats import IMAGE_EXTENSIONS, TABLE_EXTENSIONS, extension

_MAX_NAME_BYTES = 200
_MAX_KEY_BYTES = 700
_MAX_DISK_NAME_BYTES = 255
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
_CUT_ESCAPE = re.compile("%[0-9A-F]?$")
_FILES = IMAGE_EXTENSIONS | TABLE_EXTENSIONS


def image_key(path: str, *, case_collision: bool = False) -> str:
    """The key for `path`; `case_collision` marks one that differs only in case from another of the upload."""
    *folders, name = path.split("/")
    end = extension(name)
    key = "/".join([*map(_folder_key, folders), _name_key(name, end, path if case_collision else None)])
    return key if len(key) <= _MAX_KEY_BYTES else f"~{_digest(key, 32)}.{end}"


def table_key(path: str, *, case_collision: bool = False) -> str:
    """The path itself, for people and for `rejects`; the key as for images where the path is not usable."""
    *folders, name = path.split("/")
    if case_collision or "~" in path or "%" in path or len(path.encode()) > _MAX_KEY_BYTES:
        return image_key(path, case_collision=case_collision)
    too_long = any(len(part.encode()) > _MAX_DISK_NAME_BYTES for part in [*folders, name])
    return image_key(path) if too_long or any(extension(part) in _FILES for part in folders) else path


def _name_key(name: str, end: str, distinguish: str | None) -> str:
    key = _escape(name)
    if distinguish is None and len(key) <= _MAX_NAME_BYTES:
        return key
    stem = _CUT_ESCAPE.sub("", key[: -len(end) - 1][: _MAX_NAME_BYTES - 30])
    return f"{stem}~{_digest(distinguish or name, 16)}.{end}"


@functools.lru_cache(maxsize=1024)
def _folder_key(name: str) -> str:
    key = _escape(name)
    if extension(name) in _FILES:
        # a file `a.jpg` and a folder `a.jpg` cannot both be on a disk
        stem, _, end = key.rpartition(".")
        key = f"{stem}%2E{end}"
    if len(key) <= _MAX_NAME_BYTES:
        return key
    return _CUT_ESCAPE.sub("", key[: _MAX_NAME_BYTES - 30]) + "~" + _digest(name, 16)


def _escape(name: str) -> str:
    key = quote(name, safe="").replace("~", "%7E")
    if key.endswith("."):
        key = key[:-1] + "%2E"
    if _DEVICE.match(key):
        key = f"%{ord(key[0]):02X}{key[1:]}"
    return key


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
