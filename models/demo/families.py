"""Divides the emoji into those of the sample and those of training.

Emoji come in families: a skin tone, a gender or a hair colour makes a near copy of the same picture. A model that has
seen one has all but seen the others, so a whole family goes to one side.
"""

import hashlib
import re
from collections.abc import Iterable

from demo.unicode import Emoji

SAMPLE_SHARE, VALIDATION_SHARE = 0.33, 0.12
_PEOPLE = re.compile(
    r"\b(men|man|women|woman|people|person|boy|girl|boys|girls|child|old|older|adult|mx|mrs|santa|claus|prince|princess"
    r"|merman|mermaid|merperson|with crown|and|bride|pregnant|in tuxedo|with veil)\b"
)
_SAME_PICTURE = {"time": re.compile(r"o’clock|-thirty"), "sky & weather": re.compile(r"moon")}


def family(emoji: Emoji) -> str:
    """The family's name: the emoji's name without skin tone, hair, gender and age."""
    if emoji.group == "Flags" or emoji.subgroup == "keycap":
        return emoji.name
    if emoji.subgroup == "family" and emoji.name.startswith("family"):
        return "family"
    for subgroup, pattern in _SAME_PICTURE.items():
        if subgroup == emoji.subgroup and pattern.search(emoji.name):
            return f"{subgroup} {pattern.pattern}"
    stem = emoji.name.partition(":")[0].lower().replace("’s", "")
    return f"{emoji.subgroup} {' '.join(_PEOPLE.sub(' ', stem).split())}"


def divide(emoji: Iterable[Emoji]) -> tuple[list[Emoji], list[Emoji]]:
    """(training, sample), each in the order given."""
    return _draw(emoji, SAMPLE_SHARE, salt="")


def divide_training(training: Iterable[Emoji]) -> tuple[list[Emoji], list[Emoji]]:
    """(to learn from, to choose the best epoch by), whole families again."""
    return _draw(training, VALIDATION_SHARE, salt="validation ")


def _draw(emoji: Iterable[Emoji], share: float, salt: str) -> tuple[list[Emoji], list[Emoji]]:
    """(left, drawn). A family's lot is its name's hash, so a new emoji never moves an old one."""
    left: list[Emoji] = []
    drawn: list[Emoji] = []
    for one in emoji:
        lot = int.from_bytes(hashlib.sha256(f"{salt}{family(one)}".encode()).digest()[:4], "big")
        (drawn if lot < share * 2**32 else left).append(one)
    return left, drawn
