"""What phones logged while forms were filled in (audit.csv), merged into one file, as ODK Central does it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

HEADER = ("event", "node", "start", "end", "latitude", "longitude", "accuracy", "old-value", "new-value", "user", "change-reason")
_MOST_BYTES = 20_000_000
# Only csv.field_size_limit bounds a cell, for the whole process; a longer one ends this file's reading.


def read_events(chunks: Iterable[bytes]) -> Iterator[list[str | None]]:
    """One list of HEADER's values for each event of an audit.csv; lines may be shorter or longer than its own header."""
    whole = io.BytesIO()
    for chunk in chunks:
        whole.write(chunk)
        if whole.tell() > _MOST_BYTES:
            return
    whole.seek(0)
    lines = csv.reader(io.TextIOWrapper(whole, encoding="utf-8-sig", errors="replace", newline=""))
    try:
        names = [name.strip() for name in next(lines, [])]
        places = [names.index(name) if name in names else -1 for name in HEADER]
        for line in lines:
            if any(line):
                yield [line[place].strip() if 0 <= place < len(line) else None for place in places]
    except csv.Error:
        return
