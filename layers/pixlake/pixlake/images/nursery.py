"""The nursery of decoders: Pillow and little else is in it."""

from importlib import import_module

from PIL import AvifImagePlugin

from pixlake.confined.nursery import Nursery
from pixlake.images.jobs import NumpyWanted, serve

# what decoding would import, for a decoder can open no file
for _format in ("Bmp", "Gif", "Jpeg2K", "Jpeg", "Mpo", "Png", "Ppm", "Qoi", "Tga", "Tiff", "WebP"):
    import_module(f"PIL.{_format}ImagePlugin")
_TEXT = ("ascii", "latin-1", "utf-16", "utf-16-be", "utf-16-le", "cp1252")


def main(number: int) -> None:
    """Do as asked over the socket of this number until it closes."""
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # a decoder has a core
    for codec in _TEXT:
        "".encode(codec)
    Nursery(serve, lambda: import_module("numpy"), _want).run(number)


def _want(module: str) -> None:
    """numpy takes long to import, and few images need it."""
    if module == "numpy":
        raise NumpyWanted
