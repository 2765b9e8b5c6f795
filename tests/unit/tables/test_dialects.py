"""The dialect is the one under which the rows fit their header."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixlake.tables.dialects import Dialect, choose_dialect


@pytest.mark.parametrize(
    ("sample", "dialect"),
    [
        ("id,name\n1,a\n2,b\n", Dialect(",")),
        ("id;name\n1;a, b\n2;c\n", Dialect(";")),
        ("id\tname\n1\ta;b\n", Dialect("\t")),
        ("id|name\n1|a\n", Dialect("|")),
        ("id^name\n1^a\n", Dialect("^")),
        ("id;size, cm;x\n1;2,5;3\n2;3,5;4\n", Dialect(";")),
        ('id,text\n1,"a;b|c\td;e"\n2,"f\n;;|"\n', Dialect(",")),
        ("'id','text'\n'1','a, b'\n", Dialect(",", quote="'")),
        ("id,text\n1,it's\n2,'tis\n", Dialect(",")),
        ('id,text\n1,"say \\"yes, no\\" now"\n2,b\n', Dialect(",", escape="\\")),
        ('id,path\n1,"C:\\"\n2,"D:\\"\n', Dialect(",")),
        ("name\nx\ny\n", Dialect(",")),
        ("a b c\n1 2 3\n4 5 6\n", Dialect(" ")),
        ("'OBS' 'GPA' 'X Y'\n1 2.66 20\n2 2.9 'n a'\n", Dialect(" ", quote="'")),
        ("full name\nJane Doe\nJohn Roe\n", Dialect(",")),
        ("title of the work\nA walk\nTwo men in a boat\n", Dialect(",")),
        ("a b c\n", Dialect(",")),
        ("id,name", Dialect(",")),
    ],
)
def test_the_dialect_is_detected(sample: str, dialect: Dialect) -> None:
    assert choose_dialect(sample, whole=True) == dialect


@pytest.mark.parametrize(("extension", "delimiter"), [("csv", ","), ("tsv", "\t"), ("tab", "\t"), ("psv", "|")])
def test_one_column_takes_the_delimiter_of_its_extension(extension: str, delimiter: str) -> None:
    assert choose_dialect("name\nx\n", whole=True, extension=extension) == Dialect(delimiter)


def test_a_wrong_extension_does_not_matter() -> None:
    assert choose_dialect("id,name\n1,a\n", whole=True, extension="tsv") == Dialect(",")


def test_a_row_cut_by_the_end_of_the_sample_is_no_evidence() -> None:
    assert choose_dialect("a;b,c;d\n1;2,3;4\n1;2,3;4\n1", whole=False) == Dialect(";")


def test_a_few_ragged_rows_do_not_matter() -> None:
    assert choose_dialect("id,name\n" + "1,a\n" * 20 + "1,a,b\n1\n", whole=True) == Dialect(",")


@given(
    st.sampled_from(",;\t|"),
    st.lists(st.lists(st.text("abc,;|\t\"' \n", max_size=6), min_size=3, max_size=3), min_size=4, max_size=20),
)
def test_fully_quoted_tables_are_told_apart(delimiter: str, rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([["id", "name", "text"], *rows])
    assert choose_dialect(text.getvalue(), whole=True).delimiter == delimiter
