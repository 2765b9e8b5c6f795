"""However a zip is damaged: exactly what was put in comes out, or a Pixlake error, or a reject. Never anything else."""

import tempfile
import zlib

from hypothesis import given
from hypothesis import strategies as st

from pixlake.errors import BadInput
from tests.builders.examples import examples
from tests.builders.uploads import Bench
from tests.builders.zips import DEFLATED, UTF8, Part, build, zipped

FILES = {
    "photos/a.jpg": bytes(range(256)),
    "photos/b.png": b"text " * 200,
    "photos/c.gif": b"",
    "pets.csv": b"id,name\n1,cat\n",
    "pixlake.json": b'{"id_column": "id"}',
    "__MACOSX/._a.jpg": b"mac",
}
PARTS = [Part(name.encode(), data, DEFLATED, flags=UTF8, zip64=True) for name, data in FILES.items()]
ZIPS = [zipped(FILES), zipped(FILES, 0, b"a comment"), build(*PARTS, zip64=True)]
ORIGINALS = {zlib.crc32(data): data for data in FILES.values()}


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid zip with bytes changed, cut out, put in or moved, mostly near its end, where the directory is."""
    data = bytearray(draw(st.sampled_from(ZIPS)))
    for _ in range(draw(st.integers(1, 4))):
        position = len(data) - draw(st.integers(1, len(data)))
        length = draw(st.integers(1, 8))
        kind = draw(st.sampled_from(["change", "cut", "insert", "copy", "truncate"]))
        if kind == "change":
            data[position : position + length] = draw(st.sampled_from([b"\0", b"\xff", b"\1", b"/", b"."])) * length
        elif kind == "cut":
            del data[position : position + length]
        elif kind == "insert":
            data[position:position] = draw(st.binary(min_size=1, max_size=length))
        elif kind == "copy":
            source = draw(st.integers(0, len(data)))
            data[position : position + length] = data[source : source + length]
        elif len(data) > 40:
            del data[position:]
        if not data:
            break
    return bytes(data)


SIZES = st.one_of(st.none(), st.sampled_from([0, 1, 65535, (1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 1]))
LIARS = st.builds(
    Part,
    name=st.sampled_from([*(name.encode() for name in FILES), b"x.jpg", b"d/", b"\xff.jpg", b"A.csv", b"../up.jpg"]),
    data=st.sampled_from([*FILES.values()]),
    method=st.sampled_from([0, 8, 8, 0, 12]),
    flags=st.sampled_from([0, UTF8, 1 << 3, UTF8 | 1 << 3, 1]),
    host=st.sampled_from([0, 3, 19]),
    extra=st.sampled_from([b"", b"\1\0\x08\0" + bytes(8), b"\1\0\xff\xff", b"\x75\x70\5\0" + bytes(5), b"\0"]),
    size=SIZES,
    compressed=SIZES,
    offset=SIZES,
    zip64=st.just(True),
    local_extra=st.sampled_from([b"", bytes(40)]),
    local_extra_length=st.sampled_from([None, None, 0, 65535]),
    tail=st.sampled_from([b"", bytes(16)]),
)


@examples(200)
@given(st.lists(LIARS, max_size=4), st.booleans())
def test_a_zip_with_lying_headers_gives_its_files_a_reject_or_a_pixlake_error(parts: list[Part], zip64: bool) -> None:
    check(build(*parts, zip64=zip64))


@examples(400)
@given(damaged())
def test_a_damaged_zip_gives_its_files_a_reject_or_a_pixlake_error(data: bytes) -> None:
    check(data)


def check(data: bytes) -> None:
    """Plan and extract; what comes out must be what was put in."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(f"file://{folder}")
        try:
            answer = bench.plan(bench.put("damaged.zip", data))
            answers = bench.extract(answer)
        except BadInput:
            return
        images = bench.images()
        assert answer.images == sum(done.extracted + done.rejected for done in answers)
        assert len(images) == sum(done.extracted for done in answers)
        for found in [*images.values(), *bench.tables().values()]:
            assert ORIGINALS[zlib.crc32(found)] == found
