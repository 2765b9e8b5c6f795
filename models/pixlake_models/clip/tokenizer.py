"""open_clip's tokenizers as a `tokenizer.json`, with the cleaning before it, so that texts get the same tokens."""

from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any

import regex
from open_clip import tokenizer as library
from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
from tokenizers.processors import TemplateProcessing

from pixlake.bundles.manifest import Cleaning
from pixlake.errors import NotServable

_END_OF_WORD = "</w>"
_CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
_LONG_S = "ſ"
_CLEANINGS: dict[str, Cleaning] = {"whitespace": "whitespace", "lower": "lower", "canonicalize": "canonical"}


@dataclass(frozen=True)
class ClipTokenizer:
    """The tokenizer of a bundle's text input. Texts are cut to `length` tokens and padded to it; where the tower takes
    a mask of the padding (`masked`), to the longest of a batch."""

    tokenizer: Tokenizer
    cleaning: Cleaning
    length: int
    pad: int
    masked: bool = False


def read_tokenizer(source: Any) -> ClipTokenizer:
    """One of open_clip's tokenizers; NotServable with the reason for one that no tokenizer.json can express."""
    if isinstance(source, library.SimpleTokenizer):
        if source.reduction_fn is not None:
            raise NotServable("its tokenizer leaves words out of a long text, where a bundle cuts it at the end")
        tokenizer, pad = _convert_simple(source), 0
    elif isinstance(source, library.HFTokenizer):
        if source.strip_sep_token:
            raise NotServable("its tokenizer takes the separator away after it is set, which no tokenizer.json can say")
        tokenizer, pad = _read_transformers(source.tokenizer), source.tokenizer.pad_token_id
    else:
        raise NotServable(f"its tokenizer is open_clip's {type(source).__name__}, which a bundle cannot express")
    return ClipTokenizer(tokenizer, _read_cleaning(source.clean_fn), source.context_length, pad)


def _read_cleaning(clean: Any) -> Cleaning:
    for name, cleaning in _CLEANINGS.items():
        if clean is library.get_clean_fn(name):
            return cleaning
    raise NotServable(f"its tokenizer cleans texts by {clean.__name__}, which a bundle cannot express")


def _convert_simple(source: library.SimpleTokenizer) -> Tokenizer:
    """CLIP's byte pairs. `<start_of_text>` in a text is that token, but only where a word may begin: as an added token
    it would be found in `!!<start_of_text>` too. So merges compose it from parts that no other word has."""
    vocabulary, merges = dict(source.encoder), list(source.bpe_ranks)
    names = [source.decoder[each] for each in source.all_special_ids]
    pairs = BPE(vocabulary, merges, end_of_word_suffix=_END_OF_WORD)
    for name in names:
        pieces = [each.value for each in pairs.tokenize(name)]
        *wholes, last = accumulate(pieces)
        merges += zip(wholes, pieces[1:], strict=True)
        for part in wholes[1:]:
            vocabulary.setdefault(part, len(vocabulary))
        vocabulary[last] = vocabulary.pop(name)
    tokenizer = Tokenizer(BPE(vocabulary, merges, end_of_word_suffix=_END_OF_WORD))
    words = Split(Regex(_word_pattern(names)), "removed", invert=True)
    tokenizer.pre_tokenizer = Sequence([words, ByteLevel(add_prefix_space=False, use_regex=False)])
    start, end = (
        (f"{source.decoder[each]}{_END_OF_WORD}", each) for each in (source.sot_token_id, source.eot_token_id)
    )
    tokenizer.post_processor = TemplateProcessing(single=f"{start[0]} $A {end[0]}", special_tokens=[start, end])
    return tokenizer


def _word_pattern(names: list[str]) -> str:
    """open_clip's pattern, with its character classes spelled out: those of `regex` now, whatever Unicode version the
    library that reads the tokenizer has."""
    fixed = [_any_case(each) for each in (*names, *_CONTRACTIONS)]
    letters, digits, others = (_ranges(each) for each in (r"[\p{L}]", r"[\p{N}]", r"[^\s\p{L}\p{N}]"))
    return "|".join([*fixed, f"[{letters}]+", f"[{digits}]", f"[{others}]+"])


def _any_case(text: str) -> str:
    """A pattern of ASCII `text` in any case. Of these letters, only s has a third form."""
    forms = (f"[{each}{each.upper()}{_LONG_S if each == 's' else ''}]" if each.isalpha() else each for each in text)
    return "".join(forms)


@cache
def _ranges(kind: str) -> str:
    """The characters of a class as ranges. Case-insensitive as open_clip's pattern, which leaves U+0345 in no class."""
    every = "".join(chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000)
    runs = (each.group() for each in regex.finditer(f"{kind}+", every, regex.IGNORECASE))
    return "".join(rf"\x{{{ord(run[0]):x}}}-\x{{{ord(run[-1]):x}}}" for run in runs)


def _read_transformers(source: Any) -> Tokenizer:
    """One of transformers', which is one of the `tokenizers` library where it is a fast one."""
    if not source.is_fast:
        raise NotServable(f"its tokenizer {type(source).__name__} has no tokenizer.json")
    if {source.padding_side, source.truncation_side} != {"right"}:
        raise NotServable("its tokenizer pads or cuts texts on the left, where a bundle does so on the right")
    tokenizer = Tokenizer.from_str(source.backend_tokenizer.to_str())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
