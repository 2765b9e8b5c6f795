"""Which files Pixlake takes for images and for tables: by the end of their names, so that nothing is read to know."""

IMAGE_EXTENSIONS = frozenset(
    {
        *("jpg", "jpeg", "jpe", "jfif", "jp2", "png", "gif", "bmp", "dib", "webp", "avif"),
        *("tif", "tiff", "ppm", "pgm", "pbm", "pnm", "tga", "ico"),
    }
)
TABLE_EXTENSIONS = frozenset({"csv", "tsv", "tab", "psv", "jsonl", "ndjson", "parquet"})


def extension(path: str) -> str:
    """What follows the last dot of the file's name, in lower case; empty where there is none."""
    name = path.rpartition("/")[2]
    stem, _, end = name.rpartition(".")
    return end.lower() if stem else ""
