"""The .xlsx file itself: is it one, is it safe to unpack, and what stands in its sheets."""

from __future__ import annotations

from io import BytesIO

from server import problems
from server.xlsx_archive import archive_fault

MOST_BYTES = 20_000_000
_MOST_UNPACKED = 150_000_000
_MOST_ROWS = 20_000
_MOST_COLUMNS = 200
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"

SHEETS = ("survey", "choices", "settings", "entities")
Sheet = list[list[str]]


def _refused(zh: str, en: str) -> problems.Problem:
    return problems.form_invalid([{"sheet": None, "row": None, "zh": zh, "en": en}])


def check_workbook(content: bytes, file_name: str, most_unpacked: int = _MOST_UNPACKED) -> None:
    """Nothing is unpacked here; the sizes come from the archive's own list. Raises: too_large, form_invalid."""
    if len(content) > MOST_BYTES:
        raise problems.too_large(MOST_BYTES)
    if file_name.lower().endswith(".xls") or content.startswith(_OLD_EXCEL):
        raise _refused(
            "这是旧格式（.xls）或加密的文件。请在 WPS 或 Excel 中取消密码，另存为 .xlsx 后再上传。",
            "This is an old .xls file, or one with a password. Save it as .xlsx without a password, then upload it.",
        )
    if not file_name.lower().endswith(".xlsx"):
        raise _refused("只接收 .xlsx 文件。请在 WPS 或 Excel 中另存为 .xlsx。", "Only .xlsx files are taken. Save the form as .xlsx.")
    fault = archive_fault(BytesIO(content), most_unpacked=most_unpacked)
    if fault == "size":
        raise _refused(
            "文件展开后过大。请把用到的工作表复制到新的 .xlsx 文件后再上传。",
            "The file unpacks to far more than a form needs. Copy its sheets into a new .xlsx file and upload that.",
        )
    if fault is not None:
        raise _unreadable()


def _unreadable() -> problems.Problem:
    return _refused(
        "文件不是有效的 .xlsx，可能已损坏。请在 WPS 或 Excel 中打开并重新保存。",
        "The file is not a readable .xlsx; it may be damaged. Open it and save it again.",
    )


def read_sheets(content: bytes, file_name: str = "form.xlsx") -> dict[str, Sheet]:
    """The form's sheets as rows of text, header first, trailing empty cells and rows dropped. Raises: form_invalid, too_large."""
    # Loaded at the first use: it would be a sixth of the server's start.
    from openpyxl import load_workbook

    # Read in this process, unlike a compilation: so it takes less.
    check_workbook(content, file_name, _MOST_UNPACKED // 5)
    try:
        workbook = load_workbook(BytesIO(content), read_only=True, data_only=True)
        return {
            name.lower(): _rows(workbook[name].iter_rows(max_row=_MOST_ROWS, max_col=_MOST_COLUMNS, values_only=True))
            for name in workbook.sheetnames
            if name.lower() in SHEETS
        }
    # openpyxl raises whatever its parts raise on a damaged file: KeyError, ValueError, its XML parser's errors.
    except Exception:
        raise _unreadable() from None


def _rows(found: object) -> Sheet:
    rows = [[_text(value) for value in row] for row in found]  # type: ignore[attr-defined]
    while rows and not any(rows[-1]):
        rows.pop()
    width = max((index + 1 for row in rows for index, cell in enumerate(row) if cell), default=0)
    return [row[:width] for row in rows]


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def as_records(sheet: Sheet) -> list[dict[str, str]]:
    """Rows below the header by column name, without empty cells; "row" is the number that Excel shows."""
    if not sheet:
        return []
    header = sheet[0]
    records = []
    for number, row in enumerate(sheet[1:], start=2):
        record = {name: cell for name, cell in zip(header, row, strict=False) if name and cell}
        if record:
            records.append({**record, "row": str(number)})
    return records
