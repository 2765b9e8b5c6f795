"""Workbooks as a spreadsheet program writes them."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import openpyxl


def workbook(sheets: Mapping[str, Sequence[Sequence[Any]]], hidden: Sequence[str] = ()) -> bytes:
    """The bytes of an .xlsx with these sheets, each of rows of cells from A1 on."""
    book = openpyxl.Workbook()
    for sheet in list(book):
        book.remove(sheet)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
        for row in rows:
            sheet.append(row)
    return saved(book)


def merged(rows: Sequence[Sequence[Any]], ranges: Sequence[str]) -> bytes:
    """The bytes of an .xlsx with one sheet, in which some cells are one."""
    book = openpyxl.Workbook()
    (sheet,) = book
    for row in rows:
        sheet.append(row)
    for each in ranges:
        sheet.merge_cells(each)
    return saved(book)


def far_apart() -> bytes:
    """A workbook of two cells, the first and the last that a sheet may have."""
    book = openpyxl.Workbook()
    (sheet,) = book
    sheet["A1"], sheet["XFD1048576"] = "id", "x"
    return saved(book)


def long_drawn(rows: int) -> bytes:
    """A workbook of so many empty rows, in a few bytes each thousand."""
    honest = zipfile.ZipFile(io.BytesIO(workbook({"Objects": [["id"]]})))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as book:
        for name in honest.namelist():
            if name != "xl/worksheets/sheet1.xml":
                book.writestr(name, honest.read(name))
        with book.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>')
            for _ in range(rows // 100_000):
                sheet.write(b'<row r="1"/>' * 100_000)
    return target.getvalue()


def saved(book: openpyxl.Workbook) -> bytes:
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()
