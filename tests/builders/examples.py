"""How many examples Hypothesis tries: those that a test names, or a quarter of them in the profile `quick`."""

from hypothesis import settings


def examples(count: int) -> settings:
    """The settings of a test that takes `count` examples where Hypothesis's own default is 100."""
    return settings(max_examples=count * settings().max_examples // 100)
