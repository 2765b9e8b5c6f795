"""Turns the bytes of a name into a safe path in the upload, and that into the kind of file.

Names are untrusted: one may point outside the upload, be read differently by other programs, or hide characters. Such a
name refuses the whole upload, for no honest tool writes it.
"""

import re
import unicodedata

from pixlake.errors import BadMember, BadUpload
from pixlake.formats import IMAGE_EXTENSIONS, TABLE_EXTENSIONS, extension
from pixlake.zips.entries import Kind

OPTIONS_NAME = "pixlake.json"

_UTF8_FLAG = 1 << 11
_UNIX_HOSTS = frozenset({3, 19})
_MAX_PATH_BYTES = 4096
_UNSAFE_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DRIVE = re.compile("[A-Za-z]:")
# Windows drops trailing dots and spaces, so ".. " and "..." climb there
_PARENT = re.compile(r"\.\.[. ]*")
# Finder's file in a folder that has an icon of its own
_FOLDER_ICON = re.compile(r"(?:^|/)Icon\r\Z")
_CLUTTER = frozenset({"thumbs.db", "desktop.ini"})


def decode_name(raw: bytes, flags: int, host: int, unicode_name: bytes | None) -> str:
    """The name in a zip's header: `flags` and `host` (the system that made it) as there, `unicode_name` from the
    Info-ZIP Unicode Path field.

    APPNOTE 4.4.4 and appendix D: UTF-8 where flag 11 is set, else CP437. macOS writes UTF-8 without the flag, so from
    Unix-like hosts bytes that are valid UTF-8 are taken as that. Raises BadMember `undecodable_name`.
    """
    encoded = raw if unicode_name is None else unicode_name
    try:
        if unicode_name is not None or flags & _UTF8_FLAG:
            return encoded.decode()
    except UnicodeDecodeError as error:
        raise BadMember("undecodable_name", f"the name is marked as UTF-8 and is not: {error}") from error
    if host in _UNIX_HOSTS:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            pass
    return raw.decode("cp437")


def clean_path(name: str) -> str:
    """`name` as a relative path in NFC with single slashes; empty for the upload's own folder, and a folder's icon.

    Backslashes without slashes are separators (Windows tools write them); mixed with slashes they are an attack.
    Raises BadUpload `unsafe_path`.
    """
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
    if _FOLDER_ICON.search(name):
        return ""
    problem = _problem(name)
    if problem:
        raise BadUpload("unsafe_path", f"{name[:200]!a} {problem}")
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def _problem(name: str) -> str:
    if _UNSAFE_CHARACTER.search(name):
        return "holds a control character"
    if len(name.encode()) > _MAX_PATH_BYTES:
        return f"is longer than {_MAX_PATH_BYTES} bytes"
    if "\\" in name and "/" in name:
        return "mixes slashes with backslashes"
    slashed = name.replace("\\", "/")
    if slashed.startswith("/"):
        return "is an absolute path"
    if _DRIVE.match(slashed):
        return "names a drive"
    if ".." in slashed and any(_PARENT.fullmatch(part) for part in slashed.split("/")):
        return "points out of its folder"
    return ""


def classify(path: str) -> Kind:
    """The use of the file at this path. A `pixlake.json` in a folder is only a candidate."""
    parts = path.split("/")
    if any(part.startswith(".") or part == "__MACOSX" for part in parts) or parts[-1].lower() in _CLUTTER:
        return Kind.IGNORED
    if parts[-1] == OPTIONS_NAME:
        return Kind.OPTIONS if len(parts) <= 2 else Kind.REJECTED
    end = extension(path)
    if end in IMAGE_EXTENSIONS:
        return Kind.IMAGE
    return Kind.TABLE if end in TABLE_EXTENSIONS else Kind.REJECTED


def fold(path: str) -> str:
    """Equal for paths that are one on a disk that ignores case or normalises names."""
    folded = path.casefold()
    return folded if folded.isascii() else unicodedata.normalize("NFC", folded)
