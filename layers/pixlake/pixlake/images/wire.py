"""What goes over a decoder's socket beside what `confined.wire` has."""

from typing import Literal

JOB = "=IQ"
"""Before a job: the bytes of its description, in JSON, and of its image."""

PIXELS, REJECT, NUMPY_WANTED, TURN_WANTED = b"p", b"r", b"n", b"t"
"""Kinds of answers: a job is done; the image cannot be used; another decoder is needed; a large image waits until it is
sent `TURN`."""

TURN = b"g"

CHANNELS = 3
"""Bytes of a pixel: red, green, blue."""

Task = Literal["fit", "draw", "check", "shrink"]
