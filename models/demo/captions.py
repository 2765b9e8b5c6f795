"""The captions of an emoji in training, and the vocabulary made of them."""

import random
from collections.abc import Iterable, Iterator

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from demo.unicode import Emoji

LENGTH = 24
VOCABULARY = 2000
PAD, START, END, UNKNOWN = "[PAD]", "[START]", "[END]", "[UNK]"
_FRAMES = ("{}", "{}", "{} emoji", "emoji of {}", "a picture of {}", "the {} symbol")


def _words(label: str) -> str:
    return label.replace("-", " ").replace("&", "and").lower()


def name_caption(emoji: Emoji, draw: random.Random) -> str:
    """Its name, sometimes in a phrase, sometimes with its group."""
    caption = draw.choice(_FRAMES).format(emoji.name)
    if draw.random() < 0.25:
        caption = f"{caption}, {_words(draw.choice((emoji.group, emoji.subgroup)))}"
    return caption


def keyword_caption(emoji: Emoji, draw: random.Random) -> str:
    """A few of its keywords in any order, its name where CLDR has none, sometimes with its subgroup."""
    words = list(emoji.keywords) or [emoji.name]
    chosen = draw.sample(words, k=min(len(words), draw.randint(1, 3)))
    if draw.random() < 0.35:
        chosen.append(_words(emoji.subgroup))
    return " ".join(chosen)


def _corpus(emoji: Iterable[Emoji]) -> Iterator[str]:
    for one in emoji:
        yield f"{one.name} emoji of a picture the symbol"
        yield " ".join((*one.keywords, _words(one.group), _words(one.subgroup)))


def pad_token(tokenizer: Tokenizer) -> int:
    """The id that pads a text."""
    pad = tokenizer.token_to_id(PAD)
    assert pad is not None
    return pad


def train_tokenizer(emoji: Iterable[Emoji]) -> Tokenizer:
    """Byte pairs of lower-case words, learned from the training emoji alone.

    The last id ends a text: CLIP's text tower reads its answer at the greatest id.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 1,
        special_tokens=[PAD, START, UNKNOWN],
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(emoji), trainer)
    tokenizer.add_special_tokens([END])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (START, END)],
    )
    tokenizer.enable_truncation(LENGTH)
    tokenizer.enable_padding(pad_id=pad_token(tokenizer), pad_token=PAD, length=LENGTH)
    return tokenizer
