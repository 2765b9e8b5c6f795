"""The entry of one object that is no member of a zip."""

from pixlake.errors import BadUpload
from pixlake.storage import ObjectInfo
from pixlake.zips import names
from pixlake.zips.entries import Entry, Kind, rejected, unread


def printable(name: str) -> str:
    """`name` with unprintable characters escaped."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in name)


def object_entry(name: str, info: ObjectInfo) -> Entry:
    """The entry of an object, by its name. Unlike in a zip, an unsafe name is no attack, and only that object is left
    out."""
    try:
        path = names.clean_path(name)
    except BadUpload as error:
        return rejected(printable(name), error.reason, str(error).removeprefix(f"{error.reason}: "))
    if not path:
        return Entry(path, Kind.IGNORED)
    kind = names.classify(path)
    if kind is Kind.IGNORED:
        return unread(path, kind)
    if kind is Kind.REJECTED:
        return unread(path, kind)._replace(source_uri=info.uri)
    tag = info.etag or info.last_modified.isoformat()
    return Entry(path, kind, info.size, info.size, source_uri=info.uri, tag=tag)
