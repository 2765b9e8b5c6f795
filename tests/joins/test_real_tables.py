"""Tables that people made, with pictures put under their keys at random: the id column is right, or the run says that
it could not decide."""

import csv
from pathlib import Path
from random import Random

import pytest

from pixlake.errors import BadTable
from tests.builders.museum import Museum

TABLES = Path(__file__).parent / "tables"
KEYS = {
    "airlines.csv": "carrier",
    "airports.csv": "iata",
    "antibiotics.csv": "bacteria",
    "co2.csv": "date",
    "danish-data.csv": "period",
    "elements.csv": "atomic number",
    "elnino.csv": "YEAR",
    "lincoln-weather.csv": "DATE",
    "longley.csv": "YEAR",
    "msleep.csv": "name",
    "nile.csv": "year",
    "ourairports.csv": "AirportID",
    "penguins-raw.csv": "Individual ID",
    "planes.csv": "tailnum",
    "seattle-weather.csv": "date",
    "statecrime.csv": "state",
    "sunspots.csv": "YEAR",
    "titanic.csv": "name",
    "us-employment.csv": "month",
}
# a year has quarters, a firm years, a sample sites, behind indexes of data frames; orders and measurements have no name
KEYLESS = {
    "auto-mpg2.csv": "'column_1' is only a row number",
    "grunfeld.csv": "No column looks like a key",
    "macrodata.csv": "No column looks like a key",
    "methylation.csv": "'column_1' is only a row number",
    "superstore.csv": "No column looks like a key",
}
REFUSED = {
    "linnerud.csv": "set id_column in pixlake.json to one of 'Chins', 'Situps', 'Jumps'",
    "stackloss.csv": "set id_column",
}


def read(name: str) -> tuple[str, list[dict[str, str]]]:
    text = (TABLES / name).read_text(encoding="utf-8-sig")
    return text, list(csv.DictReader(text.splitlines()))


def test_every_table_is_tried() -> None:
    assert sorted([*KEYS, *KEYLESS, *REFUSED]) == sorted(path.name for path in TABLES.glob("*.csv"))


def names_files(name: str) -> bool:
    """Whether a file can be called by the table's keys."""
    return not any("/" in row[KEYS[name]] for row in read(name)[1])


@pytest.mark.parametrize("name", [name for name in KEYS if names_files(name)])
@pytest.mark.parametrize("style", ["{key}.jpg", "{key}-{n}.jpg", "pictures/{key}/{n}.jpg"])
def test_pictures_named_by_keys(tmp_path: Path, name: str, style: str) -> None:
    text, rows = read(name)
    keys = [row[KEYS[name]].strip() for row in rows]
    images = [style.format(key=key, n=n) for key in Random(name).sample(keys, len(keys) // 2) for n in (1, 2)]
    found = Museum(tmp_path).put(text, sorted(set(images)))
    assert (found.answer.id_column, found.answer.orphans) == (KEYS[name], 0)
    assert (found.answer.with_image, found.answer.warnings) == (len(keys) // 2, ())


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("share", [0.3, 0.95, 1.0])
@pytest.mark.parametrize("url", ["DSC_{n:04d}.jpg", "https://photos.example/2026/DSC_{n:04d}.jpg?size=large"])
def test_pictures_named_by_a_column(tmp_path: Path, name: str, share: float, url: str) -> None:
    text, rows = read(name)
    random = Random(f"{name} {share}")
    numbers = random.sample(range(1000), len(rows))
    cells = [url.format(n=n) if random.random() < share else "" for n in numbers]
    lines = [f"{line},{cell}" for line, cell in zip(text.splitlines(), ["photo", *cells], strict=True)]
    found = Museum(tmp_path).put("\n".join(lines), sorted(f"DSC_{n:04d}.jpg" for n in numbers))
    assert found.answer.id_column == KEYS[name]
    assert found.answer.with_image == sum(map(bool, cells))


@pytest.mark.parametrize("name", KEYS)
def test_a_table_alone(tmp_path: Path, name: str) -> None:
    found = Museum(tmp_path).put(read(name)[0], [])
    assert (found.answer.id_column, found.answer.warnings) == (KEYS[name], ())


@pytest.mark.parametrize("name", KEYLESS)
def test_a_table_without_a_key(tmp_path: Path, name: str) -> None:
    assert KEYLESS[name] in Museum(tmp_path).put(read(name)[0], []).said


@pytest.mark.parametrize("name", REFUSED)
def test_a_table_whose_rows_no_column_tells_apart_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadTable, match=REFUSED[name]):
        Museum(tmp_path).put(read(name)[0], [])


@pytest.mark.parametrize(("beside", "said"), [(",,", True), (",1,", False)])
def test_a_line_below_the_table_is_said(tmp_path: Path, beside: str, said: bool) -> None:
    rows = [f"A-{n:02d},{n},clay" for n in range(12)]
    found = Museum(tmp_path).put("\n".join(["inv_no,height,material", *rows, f"Sum: 12 objects{beside}"]), [])
    assert found.answer.records == 13
    assert ("1 record has nothing but the id, such as 'Sum: 12 objects'" in found.said) == said


def test_an_empty_cell_beside_an_id_is_nothing_to_say(tmp_path: Path) -> None:
    rows = ["inv_no,note", *(f"A-{n:02d},{n}" for n in range(12)), "A-99,"]
    assert Museum(tmp_path).put("\n".join(rows), []).said == ""
