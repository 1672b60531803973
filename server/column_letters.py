"""What spreadsheet programs call columns."""

from __future__ import annotations


def column_letter(number: int) -> str:
    """A for 1, AA for 27."""
    # Loaded at the first use: it would be a sixth of the server's start.
    from openpyxl.utils import get_column_letter

    return get_column_letter(number)
