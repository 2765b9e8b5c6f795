"""Formats untrusted text and numbers for people: names of files and labels can hold any character."""

import unicodedata
from datetime import datetime

# Control, format (bidirectional overrides among them), surrogate and private characters hide or reorder text.
_UNREADABLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # emoji and Indic scripts need them


def readable(text: str) -> str:
    """`text` with characters that would hide or reorder others as `\\u….` escapes."""
    return "".join(
        f"\\u{ord(char):04x}" if unicodedata.category(char) in _UNREADABLE and char not in _JOINERS else char
        for char in text
    )


def shorten(text: str, length: int) -> str:
    """`text`, readable, its middle left out where it is longer than `length`."""
    text = readable(text if len(text) < 8 * length else text[: 4 * length] + text[-4 * length :])
    if len(text) <= length:
        return text
    tail = (length - 1) // 3
    return f"{text[: length - 1 - tail]}…{text[-tail:]}"


def describe_size(count: float) -> str:
    """Bytes for people, in powers of 1024."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def describe_seconds(seconds: float) -> str:
    """A duration for people."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def describe_time(time: datetime) -> str:
    """A moment in UTC, to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
