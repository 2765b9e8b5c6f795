"""The contact sheet of a search says what was searched for, and whose each image is."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from pixlake.search.ranking import Hit
from pixlake_cli.contactsheet import draw_groups, draw_hits


def hits(folder: Path, *record_ids: str | None) -> Sequence[Hit]:
    """Images that are not there, so that frames are empty and only words differ."""
    return [Hit(f"{n}.png", 0.5, record_id, "e", f"file://{folder}/{n}.png") for n, record_id in enumerate(record_ids)]


def draw(found: Sequence[Hit], query: str) -> Image.Image:
    return Image.open(BytesIO(draw_hits(found, query)))


def test_the_query_is_the_heading(tmp_path: Path) -> None:
    found = hits(tmp_path, "r1", "r2")
    red, blue = draw(found, "a red flower"), draw(found, "a blue flower")
    assert red.size == blue.size
    band = (0, 0, red.width, 40)
    assert red.crop(band).tobytes() != blue.crop(band).tobytes()
    below = (0, 60, red.width, red.height)
    assert red.crop(below).tobytes() == blue.crop(below).tobytes()


def test_a_query_that_is_a_picture_is_to_the_left_of_what_it_found(tmp_path: Path) -> None:
    found = hits(tmp_path, "r1", "r2")
    red = BytesIO()
    Image.new("RGB", (40, 20), "#ff0000").save(red, "PNG")
    words, picture = draw(found, "cat.png"), Image.open(BytesIO(draw_hits(found, "cat.png", red.getvalue())))
    beside = picture.width - words.width
    reds = [place for place, color in enumerate(picture.get_flattened_data()) if color == (255, 0, 0)]
    assert reds
    assert max(place % picture.width for place in reds) < beside
    below = (1, 60, words.width, words.height)
    moved = picture.crop((beside + 1, 60, picture.width, picture.height))
    assert moved.tobytes() == words.crop(below).tobytes()


def test_a_long_query_stays_on_the_sheet(tmp_path: Path) -> None:
    sheet = draw(hits(tmp_path, "r1"), "a flower that is red " * 20)
    assert sheet.size == draw(hits(tmp_path, "r1"), "x").size
    edge = sheet.crop((sheet.width - 8, 0, sheet.width, 40))
    assert edge.getcolors() == [(8 * 40, (255, 255, 255))]


def test_each_image_has_its_record_below_it(tmp_path: Path) -> None:
    one, other = draw(hits(tmp_path, "INV-1001"), "x"), draw(hits(tmp_path, "INV-1002"), "x")
    assert one.size == other.size
    assert one.tobytes() != other.tobytes()
    assert draw(hits(tmp_path, None), "x").size == one.size


def test_groups_have_no_heading_and_no_records(tmp_path: Path) -> None:
    group = hits(tmp_path, "r1", "r2")
    assert Image.open(BytesIO(draw_groups([group]))).height < draw(group, "x").height
