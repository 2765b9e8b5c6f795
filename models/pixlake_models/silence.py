"""Silences AutoGluon, Lightning and their imports, which print warnings and advertisements."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("autogluon", "lightning", "lightning.fabric", "lightning.pytorch", "timm", "transformers")


@contextmanager
def silenced() -> Iterator[None]:
    """Without their warnings and notices; errors are still raised."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
