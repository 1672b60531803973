"""An .xlsx as the archive that it is: may it be unpacked?"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO, Literal

_MOST_ENTRIES = 2_000
# A sheet of repeated rows packs 1:100 at times; only zeros and the like pack far tighter.
_MOST_RATIO = 300
_RATIO_COUNTS_FROM = 5_000_000


def archive_fault(file: Path | IO[bytes], *, most_unpacked: int) -> Literal["damaged", "size"] | None:
    """Why not; None: it may. Nothing is unpacked here: sizes (bytes) come from the archive's own list, and zipfile reads no more than they say."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return "damaged"
    is_tight = any(entry.file_size > _RATIO_COUNTS_FROM and entry.file_size > _MOST_RATIO * max(entry.compress_size, 1) for entry in entries)
    if len(entries) > _MOST_ENTRIES or sum(entry.file_size for entry in entries) > most_unpacked or is_tight:
        return "size"
    return None if "xl/workbook.xml" in {entry.filename.lstrip("/") for entry in entries} else "damaged"
