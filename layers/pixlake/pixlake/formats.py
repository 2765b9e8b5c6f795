"""The file types of images and tables, told by their extensions, so that no file is read to know."""

IMAGE_EXTENSIONS = frozenset(
    {
        *("jpg", "jpeg", "jpe", "jfif", "jp2", "png", "gif", "bmp", "dib", "webp", "avif"),
        *("tif", "tiff", "ppm", "pgm", "pbm", "pnm", "tga", "ico"),
    }
)
TABLE_EXTENSIONS = frozenset({"csv", "tsv", "tab", "psv", "json", "jsonl", "ndjson", "parquet", "xlsx", "xlsm"})


def extension(path: str) -> str:
    """The file name's extension, in lower case and without the dot; empty where there is none."""
    name = path.rpartition("/")[2]
    stem, _, end = name.rpartition(".")
    return end.lower() if stem else ""
