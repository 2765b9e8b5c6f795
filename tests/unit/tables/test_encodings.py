"""Text is read in the encoding it was written in, and bytes that are no text are marked, never fatal."""

from collections.abc import Callable

import pytest

from pixlake.tables.text import UNREADABLE, TextFile

MakeFile = Callable[[bytes], TextFile]

GERMAN = "id;name;city\r\n" + "".join(f"{n:03};Jürgen Müßig;Köln\r\n" for n in range(40))
FRENCH = "id,nom\n1,élève à l’école – “bien” déjà vu\n"
POLISH = "id,imię\n" + "".join(f"{n},Łagodny piesek, już duży, lubi się bawić z dziećmi\n" for n in range(20))
RUSSIAN = "id,имя\n" + "".join(f"{n},Собака дружелюбная и весёлая\n" for n in range(20))
CHINESE = "id,名字\n" + "".join(f"{n},可爱的小猫，健康活泼\n" for n in range(20))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "utf-8"),
        (GERMAN, "utf-8-sig"),
        (GERMAN, "utf-16"),
        (GERMAN, "utf-16-le"),
        (GERMAN, "utf-16-be"),
        (GERMAN, "utf-32"),
        (GERMAN, "cp1252"),
        (FRENCH, "cp1252"),
        ("id,name\n1,café\n2,tea\n", "latin-1"),
        (POLISH, "cp1250"),
        (RUSSIAN, "cp1251"),
        (CHINESE, "gb18030"),
        (CHINESE, "utf-8"),
        ("id,name\n1,x\n", "ascii"),
    ],
)
def test_text_of_each_encoding_is_decoded(text_file: MakeFile, text: str, encoding: str) -> None:
    file = text_file(text.encode(encoding))
    with file.open_text() as characters:
        assert characters.read() == text
    assert file.open_bytes().read() == text.encode()


def test_an_accent_late_in_a_large_file_decides_its_encoding(text_file: MakeFile) -> None:
    file = text_file(b"id,name\n" + b"1,plain\n" * 300_000 + "2,Müller\n".encode("cp1252"))
    assert file.encoding.name == "cp1252"


def test_one_undecodable_line_leaves_the_others_utf_8(text_file: MakeFile) -> None:
    file = text_file("1,Jürgen\n2,Köln\n".encode() + b"3,\xff\xfe\n")
    assert file.encoding.name == "utf-8"
    with file.open_text() as characters:
        assert characters.read() == f"1,Jürgen\n2,Köln\n3,{UNREADABLE * 2}\n"


def test_undecodable_bytes_are_marked(text_file: MakeFile) -> None:
    file = text_file("Jürgen mag Köln, Grüße an alle\n".encode("cp1252") * 5 + b"x\x81y\n")
    assert file.encoding.name == "cp1252"
    assert file.open_bytes().read().decode().endswith(f"alle\nx{UNREADABLE}y\n")


def test_a_lone_surrogate_in_utf_16_is_marked(text_file: MakeFile) -> None:
    file = text_file(b"\xff\xfe" + "ab".encode("utf-16-le") + b"\x00\xd8" + "cd".encode("utf-16-le"))
    with file.open_text() as characters:
        assert characters.read() == f"ab{UNREADABLE}cd"


def test_recoded_bytes_come_in_any_portions(text_file: MakeFile) -> None:
    file = text_file(RUSSIAN.encode("cp1251"))
    raw, portions = file.open_bytes(), []
    while portion := raw.read(11):
        assert len(portion) <= 11
        portions.append(portion)
    assert b"".join(portions) == RUSSIAN.encode()
