"""Good files of every format and in most of their ways, small: what is changed."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.builders.pictures import halves
from tests.builders.tiny import encode
from tests.builders.workbooks import workbook
from tests.builders.zips import DEFLATED, DESCRIPTOR, UTF8, Part, build, unicode_path, zipped

_SIZE = (40, 30)
_LARGE = Image.new("RGB", (1_500, 1_500), (9, 99, 199))
"""Of few bytes, so that what is repeated in it takes time."""


@cache
def images() -> Mapping[str, Sequence[bytes]]:
    """By format."""
    return {
        "JPEG": list(_jpegs()),
        "MPO": [encode(_noise(), "MPO", save_all=True, append_images=[_noise()])],
        "PNG": list(_pngs()),
        "GIF": [
            encode(halves("P", _SIZE), "GIF"),
            encode(_noise("P"), "GIF", save_all=True, append_images=[_noise("P")] * 3, transparency=1, loop=0),
            encode(_noise("L"), "GIF", interlace=1, comment=b"text"),
        ],
        "BMP": [*(encode(_noise(mode), "BMP") for mode in ("1", "L", "P", "RGB", "RGBA")), _run_length_bmp()],
        "DIB": [encode(_noise(mode), "DIB") for mode in ("L", "RGB")],
        "PPM": [
            *(encode(_noise(mode), "PPM") for mode in ("1", "L", "RGB", "I;16", "F")),
            b"P3 2 2 255 255 0 0 0 255 0 0 0 255 9 9 9",
            b"P1 # text\n4 2 0 1 0 1 1 1 0 0",
            b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" + bytes(8),
        ],
        "WEBP": [
            encode(_noise(), "WEBP"),
            encode(_noise("RGBA"), "WEBP", lossless=True, exif=_exif()),
            encode(_noise(), "WEBP", save_all=True, append_images=[_noise()] * 2, icc_profile=b"icc" * 50),
        ],
        "AVIF": [
            encode(_noise(), "AVIF", exif=_exif()),
            encode(_noise("RGBA"), "AVIF", speed=10),
            encode(_noise(), "AVIF", save_all=True, append_images=[_noise()], speed=10),
        ],
        "TIFF": list(_tiffs()),
        "JPEG2000": [encode(_noise(mode), "JPEG2000") for mode in ("L", "RGB", "RGBA")],
        "J2K": [
            encode(_LARGE, "JPEG2000", no_jp2=True),
            encode(_noise(), "JPEG2000", no_jp2=True, tile_size=(16, 16), num_resolutions=3),
            encode(_noise("I;16"), "JPEG2000", no_jp2=True, irreversible=False),
        ],
        "QOI": [encode(_noise(mode), "QOI") for mode in ("RGB", "RGBA")],
        "TGA": [
            *(encode(_noise(mode), "TGA") for mode in ("L", "P", "RGB", "RGBA")),
            encode(halves(), "TGA", compression="tga_rle"),
        ],
        "ICO": [encode(_noise("RGBA"), "ICO")],
    }


def _noise(mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (_SIZE[1], _SIZE[0], 3), dtype=np.uint8)
    if mode == "I;16":
        return Image.fromarray(values[:, :, 0].astype(np.uint16) * 257)
    if mode == "F":
        return Image.fromarray(values[:, :, 0].astype(np.float32))
    image = Image.fromarray(values)
    if mode == "RGBA":
        image.putalpha(Image.fromarray(values[:, :, 0]))
        return image
    return image.quantize() if mode == "P" else image.convert(mode)


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "text"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    exif.get_ifd(0x8825)[1] = "N"
    return exif


def _jpegs() -> Iterator[bytes]:
    yield encode(halves(size=_SIZE), "JPEG")
    yield encode(_noise(), "JPEG", progressive=True, exif=_exif(), comment=b"text")
    yield encode(_noise("L"), "JPEG", icc_profile=b"icc" * 50)
    yield encode(_noise().convert("CMYK"), "JPEG", quality=50, restart_marker_blocks=2)
    yield encode(_noise(), "JPEG", subsampling=0, optimize=True, dpi=(72, 72))
    yield encode(_LARGE, "JPEG", progressive=True)


def _pngs() -> Iterator[bytes]:
    for mode in ("1", "L", "P", "RGB", "RGBA", "I;16"):
        yield encode(_noise(mode), "PNG")
    yield encode(_noise("P"), "PNG", transparency=bytes(range(200)), exif=_exif(), dpi=(72, 72))
    yield encode(_noise(), "PNG", save_all=True, append_images=[_noise()] * 2, icc_profile=b"icc" * 50)
    yield encode(_noise().convert("LA"), "PNG", compress_level=0)
    yield encode(_LARGE, "PNG")


def _tiffs() -> Iterator[bytes]:
    for compression in ("raw", "tiff_lzw", "tiff_deflate", "packbits", "jpeg", "lzma", "zstd"):
        yield encode(_noise(), "TIFF", compression=compression)
    for compression in ("group3", "group4", "tiff_ccitt"):
        yield encode(_noise("1"), "TIFF", compression=compression)
    yield encode(_noise("F"), "TIFF", exif=_exif())
    yield encode(_noise("I;16"), "TIFF", compression="tiff_adobe_deflate", tiffinfo={317: 2})
    yield encode(_noise("P"), "TIFF", save_all=True, append_images=[_noise("P")])
    yield encode(_noise().convert("CMYK"), "TIFF", big_tiff=True)


def _run_length_bmp() -> bytes:
    """Two rows of eight pixels, of runs."""
    body = b"\4\1\4\2\0\0\0\4\1\2\1\2\4\3\0\1"
    palette = bytes(range(16)) * 64
    head = b"(\0\0\0\x08\0\0\0\2\0\0\0\1\0\x08\0\1\0\0\0" + len(body).to_bytes(4, "little") + bytes(16)
    start = 14 + len(head) + len(palette)
    size = (start + len(body)).to_bytes(4, "little")
    return b"BM" + size + bytes(4) + start.to_bytes(4, "little") + head + palette + body


ROWS = [
    {"id": f"r-{number}", "name": f"näme, {number}", "score": number / 3, "text": 'a "b"\nc', "none": None}
    for number in range(40)
]


@cache
def tables() -> Mapping[str, Sequence[bytes]]:
    """By extension."""
    return {
        "csv": [
            _csv(","),
            _csv(";"),
            _csv("\t").decode().encode("utf-16"),
            _csv("|").decode().replace("\n", "\r\n").encode("cp1252", "replace"),
            b"\xef\xbb\xbf" + _csv(","),
            "id,名前\n".encode() + b"".join(f"{number},日本語のテキスト\n".encode("shift-jis") for number in range(30)),
            b"id\n1\n2\n3\n",
        ],
        "jsonl": [
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode(),
            "".join(json.dumps({**row, "deep": {"a": [1, {"b": None}]}}) + "\r\n" for row in ROWS).encode("utf-16-le"),
            b'{"id":1}\n\n{"id":2,"a":1e300}\n{"b":[[]],"id":"3"}',
        ],
        "json": [
            json.dumps(ROWS, ensure_ascii=False).encode(),
            json.dumps({"rows": ROWS, "more": {"a": []}}, indent=1).encode("utf-16"),
        ],
        "parquet": list(_parquets()),
        "xlsx": [
            workbook({"Sheet": _cells(ROWS)}),
            workbook({"First": [["id", "a"], [1, 2.5]] * 3, "Second": _cells(ROWS * 20)}, hidden=["First"]),
        ],
    }


def _cells(rows: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    day = datetime(2026, 1, 2, 3, 4, 5)
    lines = [[f"{row['id']}-{place}", *list(row.values())[1:], day, True] for place, row in enumerate(rows)]
    return [[*rows[0], "day", "flag"], *lines]


def _parquets() -> Iterator[bytes]:
    """Without Arrow's own schema, which would be Base64 within the footer, but for the last."""
    day = datetime(2026, 1, 2, 3, 4, 5)
    ids = [row["id"] for row in ROWS]
    numbers = pa.table(
        {"id": ids, "a": range(40), "b": [n / 3 for n in range(40)], "c": [n % 3 == 0 for n in range(40)]}
    )
    times = pa.table({"id": ids, "t": [day] * 40, "d": [day.date(), None] * 20, "m": [Decimal(n) for n in range(40)]})
    lists = pa.table({"id": ids, "l": [[1, None]] * 40, "s": [{"a": day, "b": [b"x"]}] * 40, "t": ["a", "b"] * 20})
    for table in (numbers, times, lists):
        yield _parquet(table, compression="none", use_dictionary=False)
        yield _parquet(table, compression="snappy", row_group_size=16, data_page_version="2.0")
        yield _parquet(table, compression="zstd", data_page_size=64, write_page_index=True, write_page_checksum=True)
    yield _parquet(numbers, compression="gzip", use_dictionary=False, column_encoding={"a": "DELTA_BINARY_PACKED"})
    yield _parquet(numbers, compression="lz4", use_dictionary=False, use_byte_stream_split=["b"])
    yield _parquet(lists, compression="brotli", use_dictionary=False, column_encoding={"t": "DELTA_BYTE_ARRAY"})
    yield _parquet(times, store_schema=True)


def _parquet(table: pa.Table, *, store_schema: bool = False, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, store_schema=store_schema, **options)
    return buffer.getvalue()


def _csv(delimiter: str) -> bytes:
    lines = [list(ROWS[0]), *([str(value or "") for value in row.values()] for row in ROWS)]
    return "".join(delimiter.join(map(_quoted, line)) + "\n" for line in lines).encode()


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if set(value) & set(',;\t|"\n') else value


FILES: Mapping[str, bytes] = {
    "photos/a.jpg": bytes(range(256)),
    "photos/b.png": b"text " * 200,
    "photos/c.gif": b"",
    "pets.csv": b"id,name\n1,cat\n",
    "pixlake.json": b'{"id_column": "id"}',
    "__MACOSX/._a.jpg": b"mac",
}


@cache
def zips() -> Sequence[bytes]:
    """With and without ZIP64, data descriptors, comments and other names."""
    parts = [Part(name.encode(), data, DEFLATED, flags=UTF8) for name, data in FILES.items()]
    named = Part(b"x.jpg", b"x" * 99, extra=unicode_path(b"x.jpg", "ü.jpg"))
    return [
        zipped(dict(FILES)),
        zipped(dict(FILES), zipfile.ZIP_STORED, b"a comment"),
        _streamed(),
        build(*(_with(part, zip64=True) for part in parts), zip64=True),
        build(*(_with(part, flags=UTF8 | DESCRIPTOR, tail=b"PK\7\x08" + bytes(12)) for part in parts), named),
    ]


def _with(part: Part, **changes: Any) -> Part:
    return Part(part.name, part.data, part.method, **{"flags": part.flags, **changes})


class _Unseekable(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError

    def seek(self, *_: int) -> int:
        raise OSError


def _streamed() -> bytes:
    """As written to a pipe, with data descriptors."""
    target = _Unseekable()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            with archive.open(name, "w", force_zip64=name.endswith("jpg")) as file:
                file.write(data)
    return target.getvalue()
