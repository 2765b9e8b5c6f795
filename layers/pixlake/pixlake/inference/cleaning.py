"""What CLIP models do to a text before their tokenizer; docs/bundles.md specifies it.

No tokenizer.json can say it: it repairs mojibake, resolves HTML's entities and lowers letters as Python does.
"""

import html
import re
import string

from pixlake.bundles.manifest import Cleaning

# half a character, as a command line's arguments may hold; no tokenizer takes it, and ftfy replaces it too
_SURROGATE = re.compile("[\ud800-\udfff]")
_PUNCTUATION = str.maketrans("_", " ", string.punctuation.replace("_", ""))


def clean_text(text: str, cleaning: Cleaning) -> str:
    """`text` as the tokenizer was trained to read it; valid Unicode in any case."""
    match cleaning:
        case "none":
            return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
        case "whitespace":
            return _space(_mend(text))
        case "lower":
            return _space(_mend(text)).lower()
        case "canonical":
            return _space(_mend(text).translate(_PUNCTUATION).lower())


def _mend(text: str) -> str:
    import ftfy  # only where texts are cleaned is it installed

    return html.unescape(html.unescape(ftfy.fix_text(text))).strip()


def _space(text: str) -> str:
    return " ".join(text.split())
