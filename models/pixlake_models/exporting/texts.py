"""Texts to prove a tokenizer by: languages, and hard cases."""

import functools
import random

_SENTENCES = (
    "a photo of a cat",
    "Two dogs, running on the beach!",
    "red 42-inch TV (used), $99.95",
    "It's what they'll say: don't.",
    "Ein Häuschen mit großem Garten",
    "Une forêt d’automne, « dorée »",
    "El niño come piña",
    "Zażółć gęślą jaźń",
    "Příliš žluťoučký kůň",
    "Đường phố Hà Nội",
    "Красная площадь зимой",
    "Ο Οδυσσέας και οι Σειρήνες",
    "ΟΔΥΣΣΕΥΣ ΣΑΣ",
    "כלב רץ בפארק",
    "قطة نائمة على الأريكة",
    "एक लाल साइकिल",
    "বাংলাদেশের পতাকা",
    "ภาพถ่ายของช้าง",
    "日本語のテキスト、写真",
    "一只在草地上的猫",
    "한국어 문장 고양이",
    "ქართული ანბანი",
    "Հայերեն տառեր",
    "አማርኛ ጽሑፍ",
    "ខ្មែរ",
    "İSTANBUL ıssız IŞIK",
)
_STRANGE = (
    "",
    " ",
    "\t\n\r\x0b\x0c",
    "'",
    "''s'S'",
    "...",
    "!?!?",
    "_" * 50,
    "a_b__c",
    "a" * 2_000,
    "word " * 500,
    "é" * 300,
    "<start_of_text>",
    "!!<start_of_text>",
    "a<START_OF_TEXT>b<end_of_text>c",
    "<start_of_text",
    "<ſtart_of_text>",
    "<|startoftext|><|endoftext|>",
    "[CLS] [SEP] [PAD] [MASK] </s> <unk> <pad>",
    "it'ſ IT'S we'LL I'd",
    "ſ ﬁ ﬂ ﬆ Ǆ ß ẞ",
    "schÃ¶n cafÃ© â€œquotedâ€\x9d Ã¢â‚¬Å“",
    "ЃРёРјРµСЂ",
    "&amp;lt;b&amp;gt; &eacute; &#x1F600; &#0; &#xD800; &notanentity;",
    "&lt;start_of_text&gt;",
    "<&#xFB06;art_of_text>",
    "ＦＵＬＬ　ＷＩＤＴＨ！１２３",
    "x²+y³=½ Ⅷ ① ٣ ४",
    "e\u0301 é n\u0303",
    "\u0345 α\u0345 \u0345\u0345",
    "Z͑͗a̴l̵g̶o̷",
    "\x00\x01\x1b[31mred\x1b[0m",
    "a\x1cb\x1dc\x1ed\x1fe\x85f",
    "a\u00a0b\u2003c\u3000d\u2028e",
    "zero\u200bwidth\u200d\ufeffjoin\u2060er",
    "\u202eright to left\u202c",
    "soft\u00adhyphen",
    "\ufffd \uffff \U0010ffff \ue000",
    "\ud83d\ude00 \ud800 \udfff",
    "👩‍👩‍👧‍👦 👍🏽 🇩🇪 ❤️ #️⃣",
    "¯\\_(ツ)_/¯",
    "http://example.com/?a=1&b=%20#c",
    "C:\\new\\table",
    '{"key": [1, 2.5e-3, null]}',
    "SELECT * FROM t; --",
    "\\u0041 \\n %s {0} ${x}",
    "1234567890 1,234.56 1_000 0x1F",
    "¡¿«»‹›„“”‘’–—…",
)
_POOLS = (range(0x20, 0x7F), range(0xA0, 0x250), range(0x300, 0x600), range(0x1F300, 0x1F700), range(0x2000, 0x2100))
_POOLS_WIDE = (range(0x3000), range(0xD800), range(0xE000, 0x10000), range(0x10000, 0x110000))
_RANDOM = 300
_SEED = 0


@functools.cache
def make_texts() -> tuple[str, ...]:
    """Deterministic, about 400: sentences, hard cases, and random characters between random pieces of those."""
    draw = random.Random(_SEED)
    return (*_SENTENCES, *_STRANGE, *(_random_text(draw) for _ in range(_RANDOM)))


def _random_text(draw: random.Random) -> str:
    return "".join(_random_piece(draw) for _ in range(draw.randint(1, 12)))


def _random_piece(draw: random.Random) -> str:
    if draw.random() < 0.3:
        text = draw.choice(_SENTENCES + _STRANGE)
        first = draw.randrange(len(text) + 1)
        return text[first : first + draw.randint(1, 8)]
    pool = draw.choice(_POOLS if draw.random() < 0.7 else _POOLS_WIDE)
    return "".join(chr(draw.choice(pool)) for _ in range(draw.randint(1, 5)))
