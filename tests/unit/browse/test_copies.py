"""What is too large to be compared while somebody waits."""

import pytest

from pixlake.browse.copies import MOST, find_copies
from pixlake.errors import BadRequest


def test_more_images_than_can_be_waited_for_are_refused_with_what_to_do() -> None:
    with pytest.raises(BadRequest, match="has 200,001 images, and at most 200,000 are compared here: `pixlake dupl"):
        find_copies(None, "pets", "clip@1", MOST + 1, 0.97)  # type: ignore[arg-type]
