"""XLSForms written in tests as the tables that people think in."""

from __future__ import annotations

from io import BytesIO

from openpyxl import Workbook

_SHEETS = {"survey", "choices", "settings", "entities", "external_choices"}


def xlsform(markdown: str) -> bytes:
    """An .xlsx of tables as pyxform's Markdown: a row `| survey |` begins a sheet, the rows below start with an empty cell.

    A form without settings gets form_id `visit` and version `1`. A `|` inside a cell is written `\\|`.
    """
    workbook = Workbook()
    workbook.remove(workbook.active)
    sheet = None
    for line in markdown.strip().splitlines():
        cells = [cell.replace("\0", "|").strip() for cell in line.strip().replace("\\|", "\0").strip("|").split("|")]
        if not any(cells):
            continue
        if cells[0] in _SHEETS:
            sheet = workbook.create_sheet(cells[0])
        elif sheet is not None:
            sheet.append([cell or None for cell in cells[1:]])
    if "settings" not in workbook.sheetnames:
        settings = workbook.create_sheet("settings")
        settings.append(["form_id", "form_title", "version"])
        settings.append(["visit", "Visit", "1"])
    written = BytesIO()
    workbook.save(written)
    return written.getvalue()
