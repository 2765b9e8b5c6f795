"""Hypothesis sets no deadline: how long an example takes says nothing on a machine that does other things, too.

`--hypothesis-profile=quick` tries a quarter of the examples.
"""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=25)
settings.load_profile("untimed")
