"""The text input of a bundle, from a repository's tokenizer.json and settings."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from tokenizers import Tokenizer

from pixlake.bundles.manifest import Cleaning, TextInput
from pixlake.errors import NotServable
from pixlake_models.hub.graphs import Tower

TOKENIZER = "tokenizer.json"
_IDS, _MASK = "input_ids", "attention_mask"
_USUAL_LENGTH = {"clip": 77, "siglip": 64, "siglip2": 64}
_MOST = 65_536
# trained on texts padded to the full length, without a mask
_PADDED = {"siglip", "siglip2"}
# reads up to the end of the text, so that padding changes nothing
_CAUSAL = {"clip", "clip_text_model"}
# what is done before these tokenizers, and their tokenizer.json lacks; SigLIP 2's is Gemma's, and reads lower case
_CLEANED: dict[str, Cleaning] = {"Siglip": "canonical", "T5": "canonical", "Gemma": "lower"}


def read_words(tower: Tower, tokenizer: bytes, settings: Mapping[str, Any], config: Mapping[str, Any]) -> TextInput:
    """`settings` are tokenizer_config.json, where there is one. NotServable for what a bundle cannot express."""
    if others := tower.inputs.keys() - {_IDS, _MASK}:
        raise NotServable(f"its text graph takes {sorted(others)}, too, which a bundle does not fill")
    if _IDS not in tower.inputs:
        raise NotServable(f"its text graph takes {sorted(tower.inputs)}, not {_IDS}")
    if settings.get("padding_side", "right") != "right":
        raise NotServable("its tokenizer pads texts on the left, where a bundle does so on the right")
    fixed, family = tower.inputs[_IDS][-1], str(config.get("model_type"))
    return TextInput(
        tensor=_IDS,
        tokenizer=TOKENIZER,
        length=fixed or _find_length(settings, config),
        pad=_find_pad(tokenizer, settings, config),
        mask_tensor=_MASK if _MASK in tower.inputs else None,
        cleaning=_find_cleaning(settings) if family in _PADDED else "none",
        padding=_find_padding(tower, family),
    )


def _find_padding(tower: Tower, family: str) -> Literal["length", "longest"]:
    if tower.inputs[_IDS][-1] or family in _PADDED:
        return "length"
    return "longest" if _MASK in tower.inputs or family in _CAUSAL else "length"


def _find_cleaning(settings: Mapping[str, Any]) -> Cleaning:
    kind = str(settings.get("tokenizer_class"))
    return next((cleaning for name, cleaning in _CLEANED.items() if kind.startswith(name)), "none")


def _find_length(settings: Mapping[str, Any], config: Mapping[str, Any]) -> int:
    """The least of the stated lengths."""
    part = _part(config)
    usual = _USUAL_LENGTH.get(str(config.get("model_type")))
    stated = [part.get("max_position_embeddings"), settings.get("model_max_length"), usual]
    lengths = [int(each) for each in stated if isinstance(each, int | float) and 1 <= each <= _MOST]
    if not lengths:
        raise NotServable("neither its config.json nor its tokenizer_config.json says how long a text may be")
    return min(lengths)


def _find_pad(tokenizer: bytes, settings: Mapping[str, Any], config: Mapping[str, Any]) -> int:
    try:
        parsed = Tokenizer.from_str(tokenizer.decode())
    except Exception as error:  # the library raises bare Exceptions
        raise NotServable(f"its {TOKENIZER} is no tokenizer of the `tokenizers` library: {error}") from error
    return next(_pads(parsed, settings, config), 0)


def _pads(tokenizer: Tokenizer, settings: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[int]:
    if tokenizer.padding:
        yield int(tokenizer.padding["pad_id"])
    token = settings.get("pad_token")
    token = token.get("content") if isinstance(token, dict) else token
    number = tokenizer.token_to_id(token) if isinstance(token, str) else None
    number = number if number is not None else _part(config).get("pad_token_id")
    if isinstance(number, int) and number >= 0:
        yield number


def _part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    found = config.get("text_config")
    return found if isinstance(found, dict) else config
