"""What a thing is, told from what kind of thing it is: `species` may differ in each of ten rows, and be no key.

In a small table anything may differ by chance. Where a row names an image by a name of its own, that name identifies
the row, unless another column looks like a key: called so, or with values shaped like codes. Words, times and amounts
do only if they lead a table that says more than they.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pixlake.matching.profiles import MOSTLY, NEARLY, Profile, called_like_key

_KIND = re.compile(
    r".*(class|category|label|type|kind|group|genre|genus|species|breed|brand|user|owner|author|artist|customer|store"
    r"|shop|location|country|region|state|city|zip|postal|department|color|status).*",
    re.I,
)
# digits with letters, or with signs between; then numbers with a unit, and times
_CODE = r"^\s*(?:[^\s0-9,;(){}\[\]\"]+[0-9]|[0-9]+[^\s0-9.,:;]|[0-9]+\.[0-9]+\.)[^\s,;(){}\[\]\"]*\s*$"
_AMOUNT = r"^\s*[<>~$€£+-]*\s*[0-9]+(?:[.,][0-9]+)?(?:[eE][+-]?[0-9]+)?\s*[A-Za-z%°µ²³€$/]{0,5}\s*$"
_TIME = (
    r"^\s*(?:[0-9]{4}[-/.](?:0?[1-9]|1[0-2])(?:[-/.][0-9]{1,2})?(?:[T ].*)?"
    r"|[0-9]{1,2}[-/.][0-9]{1,2}[-/.](?:[0-9]{4}|[0-9]{2})(?:[T ].*)?"
    r"|[0-9]{1,2}[-. ]?[A-Za-z]{3,9}[-. ]?[0-9]{2,4}|[0-9]{4}-?[QW][0-9]{1,2}"
    r"|[0-9]{1,2}:[0-9]{2}.*|(?:19|20)[0-9]{6}[T_-]?[0-9]{4,6}|1[0-9]{9}(?:[0-9]{3})?)\s*$"
)
_LONG_NUMBER = r"^\s*[0-9]{9,20}\s*$"
_CODE_LENGTH = 40


def called_like_kind(name: str) -> bool:
    """Whether the name is that of a kind of things, or of somebody who has many."""
    return bool(_KIND.fullmatch(name))


def looks_like_codes(profile: Profile) -> bool:
    """Whether nearly all values are shaped like codes: digits with letters or signs, no spaces; or long numbers of one
    length. Times, amounts and short numbers are not."""
    if profile.label or profile.time or profile.plainness is None or profile.share_of(_TIME) >= MOSTLY:
        return False
    lengths = {len(value.strip()) for value in profile.sample.to_pylist()}
    if len(lengths) == 1 and profile.share_of(_LONG_NUMBER) >= NEARLY:
        return True
    shaped = profile.share_of(_CODE) >= NEARLY and profile.share_of(_AMOUNT) < MOSTLY
    return shaped and max(lengths, default=0) <= _CODE_LENGTH


@dataclass(frozen=True)
class Columns:
    """A table's columns in their order, by what they are: `index` that of a data frame, `pictures` what names images,
    `things` all others."""

    all: Sequence[Profile]
    image_column: str | None

    @cached_property
    def index(self) -> list[Profile]:
        return [each for each in self.all if each.row_number]

    @cached_property
    def pictures(self) -> list[Profile]:
        return [each for each in self._others if each.names_images or each.name == self.image_column]

    @cached_property
    def things(self) -> list[Profile]:
        return [each for each in self._others if each not in self.pictures]

    @property
    def _others(self) -> list[Profile]:
        return [each for each in self.all if each not in self.index]

    @cached_property
    def rival(self) -> Profile | None:
        """The first column that names an image of its own in nearly each row."""
        return next((each for each in self.pictures if each.tells_apart(NEARLY)), None)

    @cached_property
    def plausible(self) -> list[Profile]:
        """The things that may be the id; all, where no image is their rival."""
        return [each for each in self.things if self._plausible(each)]

    @property
    def contenders(self) -> list[Profile]:
        """All columns but the things that cannot be the id."""
        return [each for each in self.all if each not in self.things or each in self.plausible]

    def _plausible(self, profile: Profile) -> bool:
        if self.rival is None:
            return True
        before = self.all[: self.all.index(profile)]
        leads = len(self.things) > 1 and self.rival not in before
        if called_like_key(profile.name) is not None:
            return leads or not called_like_kind(profile.name)
        if looks_like_codes(profile):
            return True
        # films with a title each have a year each by chance
        titled = any(each.label and each.complete for each in before)
        return leads and not titled and not profile.doubtful(first=profile is self.things[0])

    def doubtful(self, profile: Profile, first: bool) -> bool:
        """Whether a column whose values are all different is no sure id: it looks like none, or a picture's name may be
        it. `first` if no column is before it."""
        rivalled = self.rival is not None and profile in self.things
        return (rivalled or profile.doubtful(first)) and not looks_like_codes(profile)
