"""What making a bundle can end in.

PixlakeError
└── NotServable   the model is outside what a bundle can hold
    └── NotEqual  the bundle's answers are not the model's
"""

from pixlake.errors import PixlakeError


class NotServable(PixlakeError):
    """The model cannot be made into a bundle; the message says which part and why."""


class NotEqual(NotServable):
    """The bundle answers otherwise than the model it was made from, so it was not written."""
